package monitor

import (
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// What is not known is counted as that, and never as zero.
func TestSummarize(t *testing.T) {
	sessions := 7
	told := surveyed{at: t0, sessions: &sessions, rules: &RuleTotals{Total: 3, Running: 2, Stopped: 1},
		connectors: &ConnectorTotals{Total: 2, Connected: 1, Disconnected: 1},
		alarms:     &AlarmTotals{Active: 1, Kinds: map[string]int{"connector": 1}}}
	partly := surveyed{at: t0.Add(-time.Minute), why: "alarms: no answer", sessions: &sessions,
		rules: &RuleTotals{Total: 1, Running: 1}}
	o := summarize(t0, []clusterFigures{
		{id: "emqx-1", mode: ecp.Hosted, state: ecp.Running, version: "5.8.9", serves: true, seen: true, seenAt: t0,
			nodes: 3, running: 3, live: 5, booked: 10, surveyed: told},
		{id: "emqx-2", mode: ecp.Adopted, state: ecp.Running, version: "4.4.24", serves: true, seen: true,
			seenAt: t0.Add(-time.Second), nodes: 1, running: 1, live: 2, connected: 1, surveyed: partly},
		{id: "emqx-3", name: "away", mode: ecp.Adopted, state: ecp.Abnormal, serves: true, stale: true, nodes: 2,
			away: 2},
		{id: "emqx-4", mode: ecp.Hosted, state: ecp.Stopped, version: "5.8.9", nodes: 1, surveyed: told},
	})
	require.Equal(t, Overview{
		At: t0, Clusters: 4, Stale: 1, Versions: map[string]int{"5.8.9": 2, "4.4.24": 1, "": 1},
		States: map[ecp.Mode]map[ecp.State]int{ecp.Hosted: {ecp.Running: 1, ecp.Stopped: 1},
			ecp.Adopted: {ecp.Running: 1, ecp.Abnormal: 1}},
		Nodes: NodeTotals{Total: 7, Running: 4, Coverage: Coverage{2, 1, t0.Add(-time.Second)}},
		Connections: ConnectionTotals{Live: 7, OfLive: Coverage{2, 1, t0.Add(-time.Second)}, All: 14,
			OfAll: Coverage{2, 1, t0.Add(-time.Minute)}, Booked: 10},
		Rules:      RuleTotals{4, 3, 1, Coverage{2, 1, t0.Add(-time.Minute)}},
		Connectors: ConnectorTotals{Total: 2, Connected: 1, Disconnected: 1, Coverage: Coverage{1, 2, t0}},
		Alarms:     AlarmTotals{1, map[string]int{"connector": 1}, Coverage{1, 2, t0}},
		Agents:     AgentTotals{1, 2},
		Missing:    []MissingCluster{{"emqx-2", "", "alarms: no answer"}, {"emqx-3", "away", notSurveyed}},
	}, o)
	var many []clusterFigures
	for i := range 100 {
		many = append(many, clusterFigures{id: ecp.ID(fmt.Sprint(i)), mode: ecp.Hosted, state: ecp.Running,
			serves: true})
	}
	require.Len(t, summarize(t0, many).Missing, MostMissing)
}

func TestTotalsOfIntegrations(t *testing.T) {
	require.Equal(t, &RuleTotals{Total: 3, Running: 2, Stopped: 1},
		totalsOfRules([]ecp.Rule{{Running: true}, {}, {Running: true}}))
	var all []ecp.Integration
	for _, s := range []ecp.IntegrationStatus{ecp.IntegrationConnected, ecp.IntegrationConnecting,
		ecp.IntegrationDisconnected, ecp.IntegrationInconsistent, ecp.IntegrationStopped, ecp.IntegrationUnknown} {
		all = append(all, ecp.Integration{Kind: ecp.ConnectorIntegration, Status: s},
			ecp.Integration{Kind: ecp.ActionIntegration, Status: s},
			ecp.Integration{Kind: ecp.SourceIntegration, Status: s})
	}
	all = append(all, ecp.Integration{Kind: ecp.ResourceIntegration, Status: ecp.IntegrationConnected})
	require.Equal(t, &ConnectorTotals{Total: 7, Connected: 2, Disconnected: 3, Stopped: 1, Unsaid: 1},
		totalsOfConnectors(all))
	alarms := totalsOfAlarms([]ecp.Alarm{{Name: "connector:http:a"}, {Name: "connector:http:b"},
		{Name: "high_cpu_usage"}, {Name: "resource/x/down"}, {Name: ":odd"}})
	require.Equal(t, &AlarmTotals{Active: 5,
		Kinds: map[string]int{"connector": 2, "high_cpu_usage": 1, "resource": 1, ":odd": 1}}, alarms)
	var noise []ecp.Alarm
	for i := range 200 {
		noise = append(noise, ecp.Alarm{Name: fmt.Sprint("a", i)})
	}
	kinds := totalsOfAlarms(noise).Kinds
	require.Len(t, kinds, mostKinds+1)
	require.Equal(t, 150, kinds["other"])
}

// Nodes that several agents tell of count once, and as running where one says so; what
// an agent said that is away is no figure of now.
func TestTakeAgents(t *testing.T) {
	report := func(at time.Time, nodes ...ecp.BrokerNode) *ecp.AgentReport {
		return &ecp.AgentReport{At: at, Description: ecp.Description{Nodes: nodes}}
	}
	a, b := ecp.BrokerNode{Name: "a", Status: ecp.NodeRunning, Connections: 3},
		ecp.BrokerNode{Name: "b", Status: ecp.NodeRunning, Connections: 4}
	down := ecp.BrokerNode{Name: "b", Status: ecp.NodeStopped}
	for name, c := range map[string]struct {
		agents []ecp.AgentObservation
		want   clusterFigures
	}{
		"none": {nil, clusterFigures{}},
		"one": {[]ecp.AgentObservation{{Connected: true, Report: report(t0, a, down)}},
			clusterFigures{seen: true, seenAt: t0, nodes: 2, running: 1, live: 3, connected: 1}},
		"two": {[]ecp.AgentObservation{{Connected: true, Report: report(t0, a, down)},
			{Connected: true, Report: report(t0, a, b)}},
			clusterFigures{seen: true, seenAt: t0, nodes: 2, running: 2, live: 7, connected: 2}},
		"away": {[]ecp.AgentObservation{{Report: report(t0, a, b)}}, clusterFigures{nodes: 2, away: 1}},
		"old": {[]ecp.AgentObservation{{Connected: true, Report: report(t0.Add(-time.Hour), a)}},
			clusterFigures{nodes: 1, connected: 1}},
		"of another": {[]ecp.AgentObservation{{Connected: true, Mismatch: "x", Report: report(t0, a)}},
			clusterFigures{connected: 1}},
		"not reported":  {[]ecp.AgentObservation{{Connected: true}}, clusterFigures{connected: 1}},
		"found nothing": {[]ecp.AgentObservation{{Connected: true, Report: report(t0)}}, clusterFigures{connected: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var got clusterFigures
			got.takeAgents(c.agents, t0, time.Minute)
			require.Equal(t, c.want, got)
		})
	}
}

// Clusters are asked only while somebody looks, those first that wait longest, no more
// than may be, and less often where they did not answer.
func TestSurveysDue(t *testing.T) {
	s := newSurveys()
	all := []*observed.Entry{{ID: "a", Project: "o/p", Mode: ecp.Hosted, State: ecp.Running},
		{ID: "b", Project: "o/p", Mode: ecp.Adopted, State: ecp.Abnormal},
		{ID: "c", Project: "o/q", Mode: ecp.Hosted, State: ecp.Running},
		{ID: "d", Project: "o/p", Mode: ecp.Hosted, State: ecp.Stopped}}
	due := func(at time.Duration, most int) []ecp.ID { ids, _ := s.due(all, t0.Add(at), most); return ids }
	require.Empty(t, due(0, 10))
	s.want(map[string]bool{"o/p": true}, t0)
	require.Equal(t, []ecp.ID{"a"}, due(0, 1))
	require.Equal(t, []ecp.ID{"b"}, due(time.Second, 10))
	require.Empty(t, due(2*time.Hour, 0), "and nobody looks any more")
	s.want(map[string]bool{"o/p": true}, t0)
	s.told("a", surveyed{at: t0})
	s.told("b", surveyed{at: t0, why: "no answer"})
	require.Empty(t, due(surveyEvery-time.Second, 10))
	require.Equal(t, []ecp.ID{"a"}, due(surveyEvery, 10))
	s.want(map[string]bool{"o/p": true}, t0.Add(surveyAgain))
	require.Equal(t, []ecp.ID{"b"}, due(surveyAgain+time.Second, 10), "a is still under way")
	s.told("a", surveyed{at: t0})
	all = all[1:]
	due(surveyAgain+2*time.Second, 0)
	require.NotContains(t, s.of, ecp.ID("a"), "it has gone")
}
