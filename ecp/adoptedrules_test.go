package ecp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is what the rules of adopted clusters are asked about: three agents, each
// beside a node of one cluster that is as it should be.
type scene struct {
	rec    ClusterRecord
	agents []AgentRecord
	look   adoptedLook
}

func newScene(state State) *scene {
	c := &scene{rec: ClusterRecord{ID: "emqx-00000001", Name: "plant", Mode: Adopted, Generation: 1, Spec: Spec{Adopted: &AdoptedSpec{}}}}
	c.rec.Status = Status{State: state, Reason: ReasonByRequest, Since: t0.Add(-time.Hour)}
	if state == Registering {
		c.rec.Status.Deadline = t0.Add(30 * time.Second)
	}
	c.look = adoptedLook{At: t0, Tick: t0, Obs: AgentsObservation{Since: t0.Add(-time.Hour)}, Bad: map[AgentID]streak{}, Away: map[AgentID]time.Time{}}
	names := []string{"a", "b", "c"}
	for _, name := range names {
		id, node := AgentID("agt-"+name), "emqx@"+name
		c.agents = append(c.agents, AgentRecord{ID: id, Cluster: c.rec.ID, Node: node, Hostname: "host-" + name, RegisteredAt: t0.Add(-2 * time.Hour)})
		r := &AgentReport{At: t0.Add(-time.Second), Node: node, Description: Description{Version: "5.8.9", Edition: EditionEnterprise}}
		for _, other := range names {
			r.Description.Nodes = append(r.Description.Nodes, BrokerNode{Name: "emqx@" + other, Status: NodeRunning})
		}
		c.look.Obs.Agents = append(c.look.Obs.Agents, AgentObservation{Agent: id, Connected: true, Since: t0.Add(-time.Hour), LastSeen: t0, Report: r})
	}
	return c
}

// seen is what agent n shows, to be changed.
func (c *scene) seen(n int) *AgentObservation { return &c.look.Obs.Agents[n] }

func (c *scene) report(n int) *AgentReport { return c.seen(n).Report }

// fails lets agent n report a fault, so often in a row.
func (c *scene) fails(n, times int, code string) {
	r := c.report(n)
	r.Description, r.Errors = Description{}, []AgentError{{AgentStageCluster, code, "the words of " + code}}
	c.look.Bad[c.agents[n].ID] = streak{times, r.At}
}

// stops lets the node of agent n be seen as stopped by the others.
func (c *scene) stops(n, times int) {
	for i := range c.look.Obs.Agents {
		if i == n {
			continue
		}
		c.report(i).Description.Nodes = slices.Clone(c.report(i).Description.Nodes)
		c.report(i).Description.Nodes[n].Status = NodeStopped
		c.look.Bad[c.agents[i].ID] = streak{times, t0}
	}
}

// leaves lets agent n be away for some time.
func (c *scene) leaves(n int, since time.Duration, clean bool) {
	a := c.seen(n)
	a.Connected, a.Clean, a.Since = false, clean, t0.Add(-since)
}

// alone leaves the first agent only, beside the only node.
func (c *scene) alone() {
	c.agents, c.look.Obs.Agents = c.agents[:1], c.look.Obs.Agents[:1]
	c.report(0).Description.Nodes = c.report(0).Description.Nodes[:1]
}

var adoptedCases = []struct {
	name  string
	from  State
	scene func(*scene)
	state State
	why   Reason // "" = as it was
	rule  string
	says  string // in the message
}{
	{"as it should be", Running, func(*scene) {}, Running, ReasonAsExpected, "reported complete", ""},
	{"recovers at one good report", Abnormal, func(*scene) {}, Running, ReasonAsExpected, "reported complete", ""},
	{"first report", Registering, func(c *scene) { c.alone() }, Running, ReasonAsExpected, "reported complete", ""},
	{"no agent yet", Created, func(c *scene) { c.agents = nil }, Created, "", "no agent yet", ""},
	{"the last agent has gone", Running, func(c *scene) { c.agents = nil }, Created, ReasonByRequest, "no agent is left", ""},
	{"the last agent has gone while it was wrong", Abnormal, func(c *scene) { c.agents = nil }, Created, ReasonByRequest, "no agent is left", ""},
	{"the last agent has gone while registering", Registering, func(c *scene) { c.agents = nil }, Created, ReasonByRequest, "no agent is left", ""},

	// Nobody moves what is being deleted.
	{"deleting", Deleting, func(c *scene) { c.rec.Deleting = true }, Deleting, "", "deleting", ""},
	{"deleting without agents", Deleting, func(c *scene) { c.rec.Deleting, c.agents = true, nil }, Deleting, "", "deleting", ""},
	{"not given back", Deleting, func(c *scene) {
		c.rec.Deleting, c.agents, c.look.Failure = true, nil, fail(CodeInternal, "", "no pool")
	}, Abnormal, ReasonQuotaReleaseFailed, "not given back", "delete with force"},

	// Unseen is not broken.
	{"agents cannot be heard", Running, func(c *scene) { c.look.Obs = AgentsObservation{Unheard: "no listener"} }, Running, "", "unheard keeps", ""},
	{"agents cannot be heard, it was wrong", Abnormal, func(c *scene) { c.look.Obs = AgentsObservation{Unheard: "no listener"} }, Abnormal, "", "unheard keeps", ""},
	{"just started", Running, func(c *scene) { c.look.Obs = AgentsObservation{Since: t0.Add(-59 * time.Second)} }, Running, "", "unheard keeps", ""},
	{"just started, registering overdue", Registering, func(c *scene) {
		c.look.Obs, c.rec.Status.Deadline = AgentsObservation{Since: t0.Add(-59 * time.Second)}, t0.Add(-time.Second)
	}, Registering, "", "unheard keeps", ""},
	{"started a minute ago", Running, func(c *scene) { c.look.Obs = AgentsObservation{Since: t0.Add(-time.Minute)} }, Abnormal, ReasonAgentDisconnected, "something is wrong", "agt-c (host-c, emqx@c) has not been heard since 20"},
	{"one of three has come back", Running, func(c *scene) {
		c.look.Obs.Since, c.look.Obs.Agents = t0.Add(-time.Second), c.look.Obs.Agents[:1]
	}, Running, "", "something may be wrong", ""},
	{"one of three has come back to what was wrong", Abnormal, func(c *scene) {
		c.look.Obs.Since, c.look.Obs.Agents = t0.Add(-time.Second), c.look.Obs.Agents[:1]
	}, Abnormal, "", "something may be wrong", ""},
	{"one has come back with what is wrong", Running, func(c *scene) {
		c.look.Obs.Since, c.look.Obs.Agents = t0.Add(-time.Second), c.look.Obs.Agents[:1]
		c.fails(0, 2, AgentFaultAuth)
	}, Abnormal, ReasonEMQXAuthFailed, "something is wrong", ""},

	// Agents that are away.
	{"clean end, in the grace", Running, func(c *scene) { c.leaves(1, 4*time.Second, true) }, Running, "", "something may be wrong", ""},
	{"clean end", Running, func(c *scene) { c.leaves(1, 5*time.Second, true) }, Abnormal, ReasonAgentDisconnected, "something is wrong", "`emqxee-agent start`"},
	{"cut, in the grace", Running, func(c *scene) { c.leaves(1, 4*time.Second, false) }, Running, "", "something may be wrong", ""},
	{"cut", Running, func(c *scene) { c.leaves(1, 5*time.Second, false) }, Abnormal, ReasonAgentDisconnected, "something is wrong", "`emqxee-agent doctor`"},
	{"back, not reported yet", Abnormal, func(c *scene) {
		c.seen(1).Since = t0.Add(-time.Second)
		c.report(1).At = t0.Add(-time.Minute)
	}, Abnormal, "", "something may be wrong", ""},
	{"silent", Running, func(c *scene) { c.report(1).At = t0.Add(-45 * time.Second) }, Abnormal, ReasonReportStale, "something is wrong", "has reported nothing since"},
	{"never reported", Running, func(c *scene) { c.seen(1).Report, c.seen(1).Since = nil, t0.Add(-45*time.Second) }, Abnormal, ReasonReportStale, "something is wrong", ""},
	{"not silent for longer than a dead connection is", Running, func(c *scene) { c.report(1).At = t0.Add(-44 * time.Second) }, Running, ReasonAsExpected, "reported complete", ""},
	{"the clock was set back", Running, func(c *scene) { c.report(1).At = t0.Add(time.Hour) }, Abnormal, ReasonReportStale, "something is wrong", ""},

	// What a broker says.
	{"refused once", Running, func(c *scene) { c.fails(0, 1, AgentFaultAuth) }, Running, "", "something may be wrong", ""},
	{"refused twice", Running, func(c *scene) { c.fails(0, 2, AgentFaultAuth) }, Abnormal, ReasonEMQXAuthFailed, "something is wrong", "`emqxee-agent register --emqx-dashboard-username"},
	{"refused once after a restart", Abnormal, func(c *scene) { c.fails(0, 1, AgentFaultAuth) }, Abnormal, "", "something may be wrong", ""},
	{"unreachable twice", Running, func(c *scene) { c.fails(0, 2, AgentFaultUnreachable) }, Abnormal, ReasonEMQXUnreachable, "something is wrong", "the words of unreachable"},
	{"slow twice", Running, func(c *scene) { c.fails(0, 2, AgentFaultTimeout) }, Abnormal, ReasonEMQXUnreachable, "something is wrong", "(timeout)"},
	{"no members", Running, func(c *scene) {
		c.report(0).Description.Nodes, c.look.Bad["agt-a"] = nil, streak{2, t0}
	}, Abnormal, ReasonEMQXUnreachable, "something is wrong", "no members"},
	{"metrics fail", Running, func(c *scene) { c.report(0).Errors = []AgentError{{AgentStageMetrics, AgentFaultTimeout, "x"}} }, Running, ReasonAsExpected, "reported complete", ""},
	{"an ephemeral port", Running, func(c *scene) {
		c.fails(0, 2, AgentFaultUnreachable)
		c.report(0).Errors[0].Message = "read tcp 127.0.0.1:5311->127.0.0.1:18083: reset"
	}, Abnormal, ReasonEMQXUnreachable, "something is wrong", "read tcp 127.0.0.1:18083: reset"},
	{"open source", Registering, func(c *scene) { c.alone(); c.report(0).Description.Edition = EditionOpenSource }, Abnormal, ReasonUnsupportedVersion, "something is wrong", "the open source edition of EMQX 5.8.9; EMQX Enterprise"},
	{"open source as the agent says", Registering, func(c *scene) { c.alone(); c.fails(0, 1, AgentFaultOpenSource) }, Abnormal, ReasonUnsupportedVersion, "something is wrong", "the words of open_source"},
	{"too old", Running, func(c *scene) { c.report(0).Description.Version = "4.4.5" }, Abnormal, ReasonUnsupportedVersion, "something is wrong", "EMQX 4.4.5"},
	{"old enough", Running, func(c *scene) { c.report(0).Description.Version = "4.4.6" }, Running, ReasonAsExpected, "reported complete", ""},
	{"before 5.6", Running, func(c *scene) { c.report(0).Description.Version = "5.5.9" }, Abnormal, ReasonUnsupportedVersion, "something is wrong", ""},
	{"6", Running, func(c *scene) { c.report(0).Description.Version = "6.0.1" }, Running, ReasonAsExpected, "reported complete", ""},

	// The cluster of several.
	{"a node is down, once", Running, func(c *scene) { c.stops(2, 1) }, Running, "", "something may be wrong", ""},
	{"a node is down", Running, func(c *scene) { c.stops(2, 2); c.fails(2, 2, AgentFaultUnreachable) }, Abnormal, ReasonEMQXUnreachable, "something is wrong", "NodeDown: emqx@c is stopped"},
	{"a node is down that has no agent", Running, func(c *scene) {
		c.stops(2, 2)
		c.agents, c.look.Obs.Agents = c.agents[:2], c.look.Obs.Agents[:2]
	}, Abnormal, ReasonNodeDown, "something is wrong", "emqx@c is stopped"},
	{"its host is down", Running, func(c *scene) { c.stops(2, 2); c.leaves(2, time.Minute, false) }, Abnormal, ReasonAgentDisconnected, "something is wrong", "NodeDown: emqx@c is stopped"},
	{"they disagree, once", Running, func(c *scene) { c.stops(2, 2); c.look.Apart = streak{1, t0} }, Abnormal, ReasonNodeDown, "something is wrong", ""},
	{"they disagree", Running, func(c *scene) { c.stops(2, 2); c.look.Apart = streak{2, t0} }, Abnormal, ReasonPartitioned, "something is wrong", "emqx@a does not count emqx@c as running, which runs"},
	{"another cluster", Running, func(c *scene) { c.seen(1).Mismatch = "its members are emqx@x" }, Abnormal, ReasonClusterMismatch, "something is wrong", "its members are emqx@x"},
	{"used twice", Running, func(c *scene) { c.seen(1).Conflict = "a second host at 192.0.2.7" }, Abnormal, ReasonIdentityConflict, "something is wrong", "192.0.2.7"},
	{"the most severe counts, and all are told", Running, func(c *scene) {
		c.seen(0).Mismatch = "other members"
		c.leaves(1, time.Minute, true)
		c.fails(2, 2, AgentFaultAuth)
	}, Abnormal, ReasonClusterMismatch, "something is wrong", "AgentDisconnected: the agent agt-b"},

	// Registering.
	{"registering, not connected", Registering, func(c *scene) { c.alone(); c.look.Obs.Agents = nil; c.agents[0].RegisteredAt = t0 }, Registering, "", "the first report is awaited", ""},
	{"registering, connected", Registering, func(c *scene) { c.alone(); c.seen(0).Report = nil; c.seen(0).Since = t0 }, Registering, "", "the first report is awaited", ""},
	{"registering, refused once", Registering, func(c *scene) { c.alone(); c.fails(0, 1, AgentFaultAuth) }, Registering, "", "the first report is awaited", ""},
	{"registering, refused twice", Registering, func(c *scene) { c.alone(); c.fails(0, 2, AgentFaultAuth) }, Abnormal, ReasonEMQXAuthFailed, "something is wrong", ""},
	{"registering, one of three reports", Registering, func(c *scene) {
		c.agents[1].RegisteredAt, c.agents[2].RegisteredAt = t0, t0
		c.look.Obs.Agents = c.look.Obs.Agents[:1]
	}, Running, ReasonAsExpected, "reported complete", ""},
	{"in vain, never connected", Registering, func(c *scene) {
		c.alone()
		c.look.Obs.Agents, c.rec.Status.Deadline = nil, t0.Add(-1)
	}, Abnormal, ReasonAgentDisconnected, "something is wrong", ""},
	{"in vain, refused once", Registering, func(c *scene) { c.alone(); c.fails(0, 1, AgentFaultAuth); c.rec.Status.Deadline = t0.Add(-1) }, Abnormal, ReasonEMQXAuthFailed, "something is wrong", ""},
	{"in vain, nothing reported", Registering, func(c *scene) {
		c.alone()
		c.seen(0).Report, c.seen(0).Since, c.rec.Status.Deadline = nil, t0.Add(-20*time.Second), t0.Add(-1)
	}, Abnormal, ReasonReportStale, "something is wrong", ""},
	{"another one joins", Running, func(c *scene) {
		c.agents = append(c.agents, AgentRecord{ID: "agt-d", RegisteredAt: t0.Add(-59 * time.Second)})
	}, Running, ReasonAsExpected, "reported complete", ""},
	{"another one has joined in vain", Running, func(c *scene) {
		c.agents = append(c.agents, AgentRecord{ID: "agt-d", RegisteredAt: t0.Add(-time.Minute)})
	}, Abnormal, ReasonAgentDisconnected, "something is wrong", "agt-d"},

	// Agents that count no more.
	{"replaced", Running, func(c *scene) {
		c.agents = append(c.agents, AgentRecord{ID: "agt-d", Replaced: "agt-a", RegisteredAt: t0.Add(-time.Hour)})
	}, Running, ReasonAsExpected, "reported complete", ""},
	{"replaced by one that has gone", Running, func(c *scene) {
		c.agents = append(c.agents, AgentRecord{ID: "agt-d", Replaced: "agt-x", RegisteredAt: t0.Add(-time.Hour)})
	}, Abnormal, ReasonAgentDisconnected, "something is wrong", ""},
	{"its node has left", Running, func(c *scene) {
		c.leaves(2, time.Hour, false)
		c.look.Away["agt-c"] = t0.Add(-time.Hour)
	}, Abnormal, ReasonAgentDisconnected, "something is wrong", "is no member of the cluster any more: remove the agent"},
}

func TestAdoptedRules(t *testing.T) {
	used := map[string]bool{}
	for _, c := range adoptedCases {
		s := newScene(c.from)
		c.scene(s)
		got := deriveAdoptedState(newAdoptedView(patient, t0, s.rec, s.agents, s.look))
		want := c.why
		if want == "" {
			want = s.rec.Status.Reason
		}
		require.Equal(t, []any{c.state, want, c.rule}, []any{got.State, got.Reason, got.Rule}, "%s: %s", c.name, got.Message)
		require.Contains(t, got.Message, c.says, c.name)
		require.LessOrEqual(t, len(got.Message), 2500, c.name)
		if got.State != c.from {
			require.NotEmpty(t, AdoptedStates.Route(c.from, got.State), "%s: there is no way", c.name)
		}
		used[got.Rule] = true
	}
	for _, r := range adoptedRules {
		require.True(t, used[r.name] || r.name == "nothing new", "no case for the rule %q", r.name)
	}
}

// TestAdoptedSeverity: whatever two things are wrong at once, the one that stands
// first in the table counts, and the other is told.
func TestAdoptedSeverity(t *testing.T) {
	wrong := map[Reason]func(*scene){
		ReasonIdentityConflict:   func(c *scene) { c.seen(0).Conflict = "x" },
		ReasonClusterMismatch:    func(c *scene) { c.seen(1).Mismatch = "x" },
		ReasonUnsupportedVersion: func(c *scene) { c.another("agt-v").Report.Description.Version = "5.5.0" },
		ReasonAgentDisconnected:  func(c *scene) { c.agents = append(c.agents, AgentRecord{ID: "agt-d"}) },
		ReasonEMQXAuthFailed:     func(c *scene) { c.another("agt-p").Report.fail(AgentFaultAuth) },
		ReasonEMQXUnreachable:    func(c *scene) { c.another("agt-u").Report.fail(AgentFaultTimeout) },
		ReasonPartitioned: func(c *scene) {
			c.look.Apart = streak{2, t0}
			r := c.another("agt-r").Report
			r.Node = "emqx@r"
			r.Description.Nodes = append(r.Description.Nodes, BrokerNode{Name: "emqx@r", Status: NodeRunning})
		},
		ReasonNodeDown: func(c *scene) {
			r := c.another("agt-n").Report
			r.Description.Nodes = append(r.Description.Nodes, BrokerNode{Name: "emqx@z", Status: NodeStopped})
		},
		ReasonReportStale: func(c *scene) { c.another("agt-s").Report.At = t0.Add(-time.Hour) },
	}
	rows := AdoptedReasons()
	for i, a := range rows {
		require.NotEmpty(t, a.Meaning)
		require.NotEmpty(t, a.Counts)
		for _, b := range rows[i+1:] {
			if wrong[a.Reason] == nil || wrong[b.Reason] == nil {
				continue
			}
			s := newScene(Running)
			wrong[a.Reason](s)
			wrong[b.Reason](s)
			got := deriveAdoptedState(newAdoptedView(patient, t0, s.rec, s.agents, s.look))
			require.Equal(t, []any{Abnormal, a.Reason}, []any{got.State, got.Reason}, "%s before %s: %s", a.Reason, b.Reason, got.Message)
			require.Contains(t, got.Message, string(b.Reason)+": ", "%s beside %s", b.Reason, a.Reason)
		}
	}
}

// another adds an agent like the third, whose trouble was seen twice.
func (c *scene) another(id AgentID) *AgentObservation {
	o, r := c.look.Obs.Agents[2], *c.look.Obs.Agents[2].Report
	o.Agent, o.Report, r.Node = id, &r, ""
	r.Description.Nodes = slices.Clone(r.Description.Nodes[:3])
	c.agents = append(c.agents, AgentRecord{ID: id, RegisteredAt: t0.Add(-time.Hour)})
	c.look.Obs.Agents = append(c.look.Obs.Agents, o)
	c.look.Bad[id] = streak{2, t0}
	return &c.look.Obs.Agents[len(c.look.Obs.Agents)-1]
}

func (r *AgentReport) fail(code string) {
	r.Description, r.Errors = Description{}, []AgentError{{AgentStageCluster, code, "x"}}
}

// TestManyFindingsAreBounded: a message names some of them and counts the rest.
func TestManyFindingsAreBounded(t *testing.T) {
	s := newScene(Running)
	for i := range 50 {
		s.agents = append(s.agents, AgentRecord{ID: AgentID("agt-" + itoa(i))})
	}
	got := deriveAdoptedState(newAdoptedView(patient, t0, s.rec, s.agents, s.look))
	require.Equal(t, ReasonAgentDisconnected, got.Reason)
	require.Contains(t, got.Message, "; and 45 more")
	require.Equal(t, 5, strings.Count(got.Message, "has not been heard"))
}

// TestReportsInARow: two reports less than a second apart are one; a good one
// forgets those before it.
func TestReportsInARow(t *testing.T) {
	s := newScene(Running)
	s.alone()
	var mem agentMemory
	at := func(seconds float64, bad bool) int {
		r := *s.report(0)
		r.At = t0.Add(time.Duration(seconds * float64(time.Second)))
		r.Errors = nil
		if bad {
			r.Errors = []AgentError{{AgentStageCluster, AgentFaultTimeout, "x"}}
		}
		s.seen(0).Report = &r
		mem = mem.after(r.At, s.agents, newAdoptedView(patient, r.At, s.rec, s.agents, s.look))
		return mem.bad["agt-a"].n
	}
	require.Equal(t, 1, at(0, true))
	require.Equal(t, 1, at(0, true), "the same one, looked at again")
	require.Equal(t, 1, at(0.9, true))
	require.Equal(t, 2, at(1, true))
	require.Equal(t, 0, at(2, false))
	require.Equal(t, 1, at(3, true))
	s.leaves(0, 0, false)
	mem = mem.after(t0, s.agents, newAdoptedView(patient, t0.Add(4*time.Second), s.rec, s.agents, s.look))
	require.Equal(t, 1, mem.bad["agt-a"].n, "while it is away nothing is learned")
}

// TestDisagreementNeedsNewReportsOfBoth: the old word of one side is no second
// disagreement.
func TestDisagreementNeedsNewReportsOfBoth(t *testing.T) {
	s := newScene(Running)
	s.stops(2, 2)
	var mem agentMemory
	take := func(a, c float64) int {
		now := t0.Add(time.Duration(max(a, c) * float64(time.Second)))
		s.report(0).At, s.report(1).At, s.report(2).At = t0.Add(time.Duration(a*float64(time.Second))), t0.Add(time.Duration(a*float64(time.Second))), t0.Add(time.Duration(c*float64(time.Second)))
		mem = mem.after(now, s.agents, newAdoptedView(patient, now, s.rec, s.agents, s.look))
		return mem.apart.n
	}
	require.Equal(t, 1, take(0, -5))
	require.Equal(t, 1, take(3, -5))
	require.Equal(t, 2, take(3, 4))
}
