package ecp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is not known is counted as that, and never as zero.
func TestSummarize(t *testing.T) {
	sessions := 7
	told := surveyed{at: t0, sessions: &sessions, rules: &RuleTotals{Total: 3, Running: 2, Stopped: 1}, connectors: &ConnectorTotals{Total: 2, Connected: 1, Disconnected: 1}, alarms: &AlarmTotals{Active: 1, Kinds: map[string]int{"connector": 1}}}
	partly := surveyed{at: t0.Add(-time.Minute), why: "alarms: no answer", sessions: &sessions, rules: &RuleTotals{Total: 1, Running: 1}}
	o := summarize(t0, []clusterFigures{
		{id: "emqx-1", mode: Hosted, state: Running, version: "5.8.9", serves: true, seen: true, seenAt: t0, nodes: 3, running: 3, live: 5, booked: 10, surveyed: told},
		{id: "emqx-2", mode: Adopted, state: Running, version: "4.4.24", serves: true, seen: true, seenAt: t0.Add(-time.Second), nodes: 1, running: 1, live: 2, connected: 1, surveyed: partly},
		{id: "emqx-3", name: "away", mode: Adopted, state: Abnormal, serves: true, stale: true, nodes: 2, away: 2},
		{id: "emqx-4", mode: Hosted, state: Stopped, version: "5.8.9", nodes: 1, surveyed: told},
	})
	require.Equal(t, Overview{
		At: t0, Clusters: 4, Stale: 1, Versions: map[string]int{"5.8.9": 2, "4.4.24": 1, "": 1},
		States:      map[Mode]map[State]int{Hosted: {Running: 1, Stopped: 1}, Adopted: {Running: 1, Abnormal: 1}},
		Nodes:       NodeTotals{Total: 7, Running: 4, Coverage: Coverage{2, 1, t0.Add(-time.Second)}},
		Connections: ConnectionTotals{Live: 7, OfLive: Coverage{2, 1, t0.Add(-time.Second)}, All: 14, OfAll: Coverage{2, 1, t0.Add(-time.Minute)}, Booked: 10},
		Rules:       RuleTotals{4, 3, 1, Coverage{2, 1, t0.Add(-time.Minute)}},
		Connectors:  ConnectorTotals{Total: 2, Connected: 1, Disconnected: 1, Coverage: Coverage{1, 2, t0}},
		Alarms:      AlarmTotals{1, map[string]int{"connector": 1}, Coverage{1, 2, t0}},
		Agents:      AgentTotals{1, 2},
		Missing:     []MissingCluster{{"emqx-2", "", "alarms: no answer"}, {"emqx-3", "away", notSurveyed}},
	}, o)
	var many []clusterFigures
	for i := range 100 {
		many = append(many, clusterFigures{id: ID(fmt.Sprint(i)), mode: Hosted, state: Running, serves: true})
	}
	require.Len(t, summarize(t0, many).Missing, MostMissing)
}

func TestTotalsOfIntegrations(t *testing.T) {
	require.Equal(t, &RuleTotals{Total: 3, Running: 2, Stopped: 1}, totalsOfRules([]Rule{{Running: true}, {}, {Running: true}}))
	var all []Integration
	for _, s := range []IntegrationStatus{IntegrationConnected, IntegrationConnecting, IntegrationDisconnected, IntegrationInconsistent, IntegrationStopped, IntegrationUnknown} {
		all = append(all, Integration{Kind: ConnectorIntegration, Status: s}, Integration{Kind: ActionIntegration, Status: s}, Integration{Kind: SourceIntegration, Status: s})
	}
	all = append(all, Integration{Kind: ResourceIntegration, Status: IntegrationConnected})
	require.Equal(t, &ConnectorTotals{Total: 7, Connected: 2, Disconnected: 3, Stopped: 1, Unsaid: 1}, totalsOfConnectors(all))
	alarms := totalsOfAlarms([]Alarm{{Name: "connector:http:a"}, {Name: "connector:http:b"}, {Name: "high_cpu_usage"}, {Name: "resource/x/down"}, {Name: ":odd"}})
	require.Equal(t, &AlarmTotals{Active: 5, Kinds: map[string]int{"connector": 2, "high_cpu_usage": 1, "resource": 1, ":odd": 1}}, alarms)
	var noise []Alarm
	for i := range 200 {
		noise = append(noise, Alarm{Name: fmt.Sprint("a", i)})
	}
	kinds := totalsOfAlarms(noise).Kinds
	require.Len(t, kinds, mostKinds+1)
	require.Equal(t, 150, kinds["other"])
}

// Nodes that several agents tell of count once, and as running where one says so; what
// an agent said that is away is no figure of now.
func TestTakeAgents(t *testing.T) {
	report := func(at time.Time, nodes ...BrokerNode) *AgentReport {
		return &AgentReport{At: at, Description: Description{Nodes: nodes}}
	}
	a, b := BrokerNode{Name: "a", Status: NodeRunning, Connections: 3}, BrokerNode{Name: "b", Status: NodeRunning, Connections: 4}
	down := BrokerNode{Name: "b", Status: NodeStopped}
	for name, c := range map[string]struct {
		agents []AgentObservation
		want   clusterFigures
	}{
		"none":          {nil, clusterFigures{}},
		"one":           {[]AgentObservation{{Connected: true, Report: report(t0, a, down)}}, clusterFigures{seen: true, seenAt: t0, nodes: 2, running: 1, live: 3, connected: 1}},
		"two":           {[]AgentObservation{{Connected: true, Report: report(t0, a, down)}, {Connected: true, Report: report(t0, a, b)}}, clusterFigures{seen: true, seenAt: t0, nodes: 2, running: 2, live: 7, connected: 2}},
		"away":          {[]AgentObservation{{Report: report(t0, a, b)}}, clusterFigures{nodes: 2, away: 1}},
		"old":           {[]AgentObservation{{Connected: true, Report: report(t0.Add(-time.Hour), a)}}, clusterFigures{nodes: 1, connected: 1}},
		"of another":    {[]AgentObservation{{Connected: true, Mismatch: "x", Report: report(t0, a)}}, clusterFigures{connected: 1}},
		"not reported":  {[]AgentObservation{{Connected: true}}, clusterFigures{connected: 1}},
		"found nothing": {[]AgentObservation{{Connected: true, Report: report(t0)}}, clusterFigures{connected: 1}},
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
	all := []*listed{{id: "a", project: "o/p", mode: Hosted, state: Running}, {id: "b", project: "o/p", mode: Adopted, state: Abnormal}, {id: "c", project: "o/q", mode: Hosted, state: Running}, {id: "d", project: "o/p", mode: Hosted, state: Stopped}}
	due := func(at time.Duration, most int) []ID { ids, _ := s.due(all, t0.Add(at), most); return ids }
	require.Empty(t, due(0, 10))
	s.want(map[string]bool{"o/p": true}, t0)
	require.Equal(t, []ID{"a"}, due(0, 1))
	require.Equal(t, []ID{"b"}, due(time.Second, 10))
	require.Empty(t, due(2*time.Hour, 0), "and nobody looks any more")
	s.want(map[string]bool{"o/p": true}, t0)
	s.told("a", surveyed{at: t0})
	s.told("b", surveyed{at: t0, why: "no answer"})
	require.Empty(t, due(surveyEvery-time.Second, 10))
	require.Equal(t, []ID{"a"}, due(surveyEvery, 10))
	s.want(map[string]bool{"o/p": true}, t0.Add(surveyAgain))
	require.Equal(t, []ID{"b"}, due(surveyAgain+time.Second, 10), "a is still under way")
	s.told("a", surveyed{at: t0})
	all = all[1:]
	due(surveyAgain+2*time.Second, 0)
	require.NotContains(t, s.of, ID("a"), "it has gone")
}
