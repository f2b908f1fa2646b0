package ecpmetrics

import (
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp/agents"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	agentsDesc = describe("agents",
		"Agents of adopted clusters that are connected, by how, and those that were connected since the program was "+
			"started and are away.", "state", "carrier")
	agentRefusalsDesc = describe("agent_refusals_total",
		"Registrations and connections of agents that were refused or ended by us, by why.", "code")
)

// agentCounters are those without a label.
var agentCounters = []struct {
	desc *prometheus.Desc
	read func(agents.Stats) uint64
}{
	{describe("agent_registrations_total", "Registration tokens that agents have redeemed."),
		func(s agents.Stats) uint64 { return s.Registrations }},
	{describe("agent_connections_total", "Connections of agents that proved who they are."),
		func(s agents.Stats) uint64 { return s.Connections }},
	{describe("agent_reconnections_total", "Of these, connections of agents that had been connected before."),
		func(s agents.Stats) uint64 { return s.Reconnections }},
	{describe("agent_reports_total", "Reports that agents have sent."),
		func(s agents.Stats) uint64 { return s.Reports }},
}

func describeAgents(ch chan<- *prometheus.Desc) {
	ch <- agentsDesc
	ch <- agentRefusalsDesc
	for _, c := range agentCounters {
		ch <- c.desc
	}
}

// collectAgents shows nothing where the Manager has no Link that counts.
func collectAgents(ch chan<- prometheus.Metric, s *agents.Stats) {
	if s == nil {
		return
	}
	for _, carrier := range slices.Sorted(maps.Keys(s.Connected)) {
		ch <- prometheus.MustNewConstMetric(agentsDesc, prometheus.GaugeValue, float64(s.Connected[carrier]),
			"connected", carrier)
	}
	ch <- prometheus.MustNewConstMetric(agentsDesc, prometheus.GaugeValue, float64(s.Away), "away", "")
	for _, code := range slices.Sorted(maps.Keys(s.Refusals)) {
		ch <- prometheus.MustNewConstMetric(agentRefusalsDesc, prometheus.CounterValue, float64(s.Refusals[code]), code)
	}
	for _, c := range agentCounters {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(c.read(*s)))
	}
}
