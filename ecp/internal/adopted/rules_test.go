package adopted

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

var (
	t0      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	patient = ecp.Timings{}.WithDefaults()
)

// scene is what the rules are asked about: three agents, each
// beside a node of one cluster that is as it should be.
type scene struct {
	rec    ecp.ClusterRecord
	agents []ecp.AgentRecord
	look   Snapshot
}

func newScene(state ecp.State) *scene {
	c := &scene{rec: ecp.ClusterRecord{ID: "emqx-00000001", Name: "plant", Mode: ecp.Adopted, Generation: 1,
		Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}}}
	c.rec.Status = ecp.Status{State: state, Reason: ecp.ReasonByRequest, Since: t0.Add(-time.Hour)}
	if state == ecp.Registering {
		c.rec.Status.Deadline = t0.Add(30 * time.Second)
	}
	c.look = Snapshot{At: t0, Tick: t0, Agents: ecp.AgentsObservation{Since: t0.Add(-time.Hour)},
		AgentMemory: AgentMemory{Troubled: map[ecp.AgentID]streak{}, Away: map[ecp.AgentID]time.Time{}}}
	names := []string{"a", "b", "c"}
	for _, name := range names {
		id, node := ecp.AgentID("agt-"+name), "emqx@"+name
		c.agents = append(c.agents, ecp.AgentRecord{ID: id, Cluster: c.rec.ID, Node: node, Hostname: "host-" + name,
			RegisteredAt: t0.Add(-2 * time.Hour)})
		r := &ecp.AgentReport{At: t0.Add(-time.Second), Node: node,
			Description: ecp.Description{Version: "5.8.9", Edition: ecp.EditionEnterprise}}
		for _, other := range names {
			r.Description.Nodes = append(r.Description.Nodes,
				ecp.BrokerNode{Name: "emqx@" + other, Status: ecp.NodeRunning})
		}
		c.look.Agents.Agents = append(c.look.Agents.Agents,
			ecp.AgentObservation{Agent: id, Connected: true, Since: t0.Add(-time.Hour), LastSeen: t0, Report: r})
	}
	return c
}

// seen is what agent n shows, to be changed.
func (c *scene) seen(n int) *ecp.AgentObservation { return &c.look.Agents.Agents[n] }

func (c *scene) report(n int) *ecp.AgentReport { return c.seen(n).Report }

// fails lets agent n report a fault, so often in a row.
func (c *scene) fails(n, times int, code string) {
	r := c.report(n)
	r.Description, r.Errors = ecp.Description{},
		[]ecp.AgentError{{Stage: ecp.AgentStageCluster, Code: code, Message: "the words of " + code}}
	c.look.Troubled[c.agents[n].ID] = streak{times, r.At}
}

// stops lets the node of agent n be seen as stopped by the others.
func (c *scene) stops(n, times int) {
	for i := range c.look.Agents.Agents {
		if i == n {
			continue
		}
		c.report(i).Description.Nodes = slices.Clone(c.report(i).Description.Nodes)
		c.report(i).Description.Nodes[n].Status = ecp.NodeStopped
		c.look.Troubled[c.agents[i].ID] = streak{times, t0}
	}
}

// leaves lets agent n be away for some time.
func (c *scene) leaves(n int, since time.Duration, clean bool) {
	a := c.seen(n)
	a.Connected, a.Clean, a.Since = false, clean, t0.Add(-since)
}

// alone leaves the first agent only, beside the only node.
func (c *scene) alone() {
	c.agents, c.look.Agents.Agents = c.agents[:1], c.look.Agents.Agents[:1]
	c.report(0).Description.Nodes = c.report(0).Description.Nodes[:1]
}

var ruleCases = []struct {
	name  string
	from  ecp.State
	scene func(*scene)
	state ecp.State
	why   ecp.Reason // empty means as it was
	rule  string
	says  string // in the message
}{
	{"as it should be", ecp.Running, func(*scene) {}, ecp.Running, ecp.ReasonAsExpected, "reported complete", ""},
	{"recovers at one good report", ecp.Abnormal, func(*scene) {}, ecp.Running, ecp.ReasonAsExpected,
		"reported complete", ""},
	{"first report", ecp.Registering, func(c *scene) { c.alone() }, ecp.Running, ecp.ReasonAsExpected,
		"reported complete", ""},
	{"no agent yet", ecp.Created, func(c *scene) { c.agents = nil }, ecp.Created, "", "no agent yet", ""},
	{"the last agent has gone", ecp.Running, func(c *scene) { c.agents = nil }, ecp.Created, ecp.ReasonByRequest,
		"no agent is left", ""},
	{"the last agent has gone while it was wrong", ecp.Abnormal, func(c *scene) { c.agents = nil }, ecp.Created,
		ecp.ReasonByRequest, "no agent is left", ""},
	{"the last agent has gone while registering", ecp.Registering, func(c *scene) { c.agents = nil }, ecp.Created,
		ecp.ReasonByRequest, "no agent is left", ""},

	// Nobody moves what is being deleted.
	{"deleting", ecp.Deleting, func(c *scene) { c.rec.Deleting = true }, ecp.Deleting, "", "deleting", ""},
	{"deleting without agents", ecp.Deleting, func(c *scene) { c.rec.Deleting, c.agents = true, nil }, ecp.Deleting, "",
		"deleting", ""},
	{"not given back", ecp.Deleting, func(c *scene) {
		c.rec.Deleting, c.agents, c.look.Failure = true, nil, ecp.NewError(ecp.CodeInternal, "", "no pool")
	}, ecp.Abnormal, ecp.ReasonQuotaReleaseFailed, "not given back", "delete with force"},

	// Unseen is not broken.
	{"agents cannot be heard", ecp.Running,
		func(c *scene) { c.look.Agents = ecp.AgentsObservation{Unheard: "no listener"} }, ecp.Running, "",
		"unheard keeps", ""},
	{"agents cannot be heard, it was wrong", ecp.Abnormal,
		func(c *scene) { c.look.Agents = ecp.AgentsObservation{Unheard: "no listener"} }, ecp.Abnormal, "",
		"unheard keeps", ""},
	{"just started", ecp.Running,
		func(c *scene) { c.look.Agents = ecp.AgentsObservation{Since: t0.Add(-59 * time.Second)} }, ecp.Running, "",
		"unheard keeps", ""},
	{"just started, registering overdue", ecp.Registering, func(c *scene) {
		c.look.Agents, c.rec.Status.Deadline = ecp.AgentsObservation{Since: t0.Add(-59 * time.Second)},
			t0.Add(-time.Second)
	}, ecp.Registering, "", "unheard keeps", ""},
	{"started a minute ago", ecp.Running,
		func(c *scene) { c.look.Agents = ecp.AgentsObservation{Since: t0.Add(-time.Minute)} }, ecp.Abnormal,
		ecp.ReasonAgentDisconnected, "something is wrong", "agt-c (host-c, emqx@c) has not been heard since 20"},
	{"one of three has come back", ecp.Running, func(c *scene) {
		c.look.Agents.Since, c.look.Agents.Agents = t0.Add(-time.Second), c.look.Agents.Agents[:1]
	}, ecp.Running, "", "something may be wrong", ""},
	{"one of three has come back to what was wrong", ecp.Abnormal, func(c *scene) {
		c.look.Agents.Since, c.look.Agents.Agents = t0.Add(-time.Second), c.look.Agents.Agents[:1]
	}, ecp.Abnormal, "", "something may be wrong", ""},
	{"one has come back with what is wrong", ecp.Running, func(c *scene) {
		c.look.Agents.Since, c.look.Agents.Agents = t0.Add(-time.Second), c.look.Agents.Agents[:1]
		c.fails(0, 2, ecp.AgentFaultAuth)
	}, ecp.Abnormal, ecp.ReasonEMQXAuthFailed, "something is wrong", ""},

	// List that are away.
	{"clean end, in the grace", ecp.Running, func(c *scene) { c.leaves(1, 4*time.Second, true) }, ecp.Running, "",
		"something may be wrong", ""},
	{"clean end", ecp.Running, func(c *scene) { c.leaves(1, 5*time.Second, true) }, ecp.Abnormal,
		ecp.ReasonAgentDisconnected, "something is wrong", "`emqxee-agent start`"},
	{"cut, in the grace", ecp.Running, func(c *scene) { c.leaves(1, 4*time.Second, false) }, ecp.Running, "",
		"something may be wrong", ""},
	{"cut", ecp.Running, func(c *scene) { c.leaves(1, 5*time.Second, false) }, ecp.Abnormal,
		ecp.ReasonAgentDisconnected, "something is wrong", "`emqxee-agent doctor`"},
	{"back, not reported yet", ecp.Abnormal, func(c *scene) {
		c.seen(1).Since = t0.Add(-time.Second)
		c.report(1).At = t0.Add(-time.Minute)
	}, ecp.Abnormal, "", "something may be wrong", ""},
	{"silent", ecp.Running, func(c *scene) { c.report(1).At = t0.Add(-45 * time.Second) }, ecp.Abnormal,
		ecp.ReasonReportStale, "something is wrong", "has reported nothing since"},
	{"never reported", ecp.Running, func(c *scene) { c.seen(1).Report, c.seen(1).Since = nil, t0.Add(-45*time.Second) },
		ecp.Abnormal, ecp.ReasonReportStale, "something is wrong", ""},
	{"not silent for longer than a dead connection is", ecp.Running,
		func(c *scene) { c.report(1).At = t0.Add(-44 * time.Second) }, ecp.Running, ecp.ReasonAsExpected,
		"reported complete", ""},
	{"the clock was set back", ecp.Running, func(c *scene) { c.report(1).At = t0.Add(time.Hour) }, ecp.Abnormal,
		ecp.ReasonReportStale, "something is wrong", ""},

	// What a broker says.
	{"refused once", ecp.Running, func(c *scene) { c.fails(0, 1, ecp.AgentFaultAuth) }, ecp.Running, "",
		"something may be wrong", ""},
	{"refused twice", ecp.Running, func(c *scene) { c.fails(0, 2, ecp.AgentFaultAuth) }, ecp.Abnormal,
		ecp.ReasonEMQXAuthFailed, "something is wrong", "`emqxee-agent register --emqx-dashboard-username"},
	{"refused once after a restart", ecp.Abnormal, func(c *scene) { c.fails(0, 1, ecp.AgentFaultAuth) }, ecp.Abnormal,
		"", "something may be wrong", ""},
	{"unreachable twice", ecp.Running, func(c *scene) { c.fails(0, 2, ecp.AgentFaultUnreachable) }, ecp.Abnormal,
		ecp.ReasonEMQXUnreachable, "something is wrong", "the words of unreachable"},
	{"slow twice", ecp.Running, func(c *scene) { c.fails(0, 2, ecp.AgentFaultTimeout) }, ecp.Abnormal,
		ecp.ReasonEMQXUnreachable, "something is wrong", "(timeout)"},
	{"no members", ecp.Running, func(c *scene) {
		c.report(0).Description.Nodes, c.look.Troubled["agt-a"] = nil, streak{2, t0}
	}, ecp.Abnormal, ecp.ReasonEMQXUnreachable, "something is wrong", "no members"},
	{"metrics fail", ecp.Running, func(c *scene) {
		c.report(0).Errors = []ecp.AgentError{{Stage: ecp.AgentStageMetrics, Code: ecp.AgentFaultTimeout, Message: "x"}}
	}, ecp.Running, ecp.ReasonAsExpected, "reported complete", ""},
	{"an ephemeral port", ecp.Running, func(c *scene) {
		c.fails(0, 2, ecp.AgentFaultUnreachable)
		c.report(0).Errors[0].Message = "read tcp 127.0.0.1:5311->127.0.0.1:18083: reset"
	}, ecp.Abnormal, ecp.ReasonEMQXUnreachable, "something is wrong", "read tcp 127.0.0.1:18083: reset"},
	{"open source", ecp.Registering,
		func(c *scene) { c.alone(); c.report(0).Description.Edition = ecp.EditionOpenSource }, ecp.Abnormal,
		ecp.ReasonUnsupportedVersion, "something is wrong", "the open source edition of EMQX 5.8.9; EMQX Enterprise"},
	{"open source as the agent says", ecp.Registering,
		func(c *scene) { c.alone(); c.fails(0, 1, ecp.AgentFaultOpenSource) }, ecp.Abnormal,
		ecp.ReasonUnsupportedVersion, "something is wrong", "the words of open_source"},
	{"too old", ecp.Running, func(c *scene) { c.report(0).Description.Version = "4.4.5" }, ecp.Abnormal,
		ecp.ReasonUnsupportedVersion, "something is wrong", "EMQX 4.4.5"},
	{"old enough", ecp.Running, func(c *scene) { c.report(0).Description.Version = "4.4.6" }, ecp.Running,
		ecp.ReasonAsExpected, "reported complete", ""},
	{"before 5.6", ecp.Running, func(c *scene) { c.report(0).Description.Version = "5.5.9" }, ecp.Abnormal,
		ecp.ReasonUnsupportedVersion, "something is wrong", ""},
	{"6", ecp.Running, func(c *scene) { c.report(0).Description.Version = "6.0.1" }, ecp.Running, ecp.ReasonAsExpected,
		"reported complete", ""},

	// The cluster of several.
	{"a node is down, once", ecp.Running, func(c *scene) { c.stops(2, 1) }, ecp.Running, "", "something may be wrong",
		""},
	{"a node is down", ecp.Running, func(c *scene) { c.stops(2, 2); c.fails(2, 2, ecp.AgentFaultUnreachable) },
		ecp.Abnormal, ecp.ReasonEMQXUnreachable, "something is wrong", "NodeDown: emqx@c is stopped"},
	{"a node is down that has no agent", ecp.Running, func(c *scene) {
		c.stops(2, 2)
		c.agents, c.look.Agents.Agents = c.agents[:2], c.look.Agents.Agents[:2]
	}, ecp.Abnormal, ecp.ReasonNodeDown, "something is wrong", "emqx@c is stopped"},
	{"its host is down", ecp.Running, func(c *scene) { c.stops(2, 2); c.leaves(2, time.Minute, false) }, ecp.Abnormal,
		ecp.ReasonAgentDisconnected, "something is wrong", "NodeDown: emqx@c is stopped"},
	{"they disagree, once", ecp.Running, func(c *scene) { c.stops(2, 2); c.look.Disagreeing = streak{1, t0} },
		ecp.Abnormal, ecp.ReasonNodeDown, "something is wrong", ""},
	{"they disagree", ecp.Running, func(c *scene) { c.stops(2, 2); c.look.Disagreeing = streak{2, t0} }, ecp.Abnormal,
		ecp.ReasonPartitioned, "something is wrong", "emqx@a does not count emqx@c as running, which runs"},
	{"another cluster", ecp.Running, func(c *scene) { c.seen(1).Mismatch = "its members are emqx@x" }, ecp.Abnormal,
		ecp.ReasonClusterMismatch, "something is wrong", "its members are emqx@x"},
	{"used twice", ecp.Running, func(c *scene) { c.seen(1).Conflict = "a second host at 192.0.2.7" }, ecp.Abnormal,
		ecp.ReasonIdentityConflict, "something is wrong", "192.0.2.7"},
	{"the most severe counts, and all are told", ecp.Running, func(c *scene) {
		c.seen(0).Mismatch = "other members"
		c.leaves(1, time.Minute, true)
		c.fails(2, 2, ecp.AgentFaultAuth)
	}, ecp.Abnormal, ecp.ReasonClusterMismatch, "something is wrong", "AgentDisconnected: the agent agt-b"},

	// Registering.
	{"registering, not connected", ecp.Registering,
		func(c *scene) { c.alone(); c.look.Agents.Agents = nil; c.agents[0].RegisteredAt = t0 }, ecp.Registering, "",
		"the first report is awaited", ""},
	{"registering, connected", ecp.Registering,
		func(c *scene) { c.alone(); c.seen(0).Report = nil; c.seen(0).Since = t0 }, ecp.Registering, "",
		"the first report is awaited", ""},
	{"registering, refused once", ecp.Registering, func(c *scene) { c.alone(); c.fails(0, 1, ecp.AgentFaultAuth) },
		ecp.Registering, "", "the first report is awaited", ""},
	{"registering, refused twice", ecp.Registering, func(c *scene) { c.alone(); c.fails(0, 2, ecp.AgentFaultAuth) },
		ecp.Abnormal, ecp.ReasonEMQXAuthFailed, "something is wrong", ""},
	{"registering, one of three reports", ecp.Registering, func(c *scene) {
		c.agents[1].RegisteredAt, c.agents[2].RegisteredAt = t0, t0
		c.look.Agents.Agents = c.look.Agents.Agents[:1]
	}, ecp.Running, ecp.ReasonAsExpected, "reported complete", ""},
	{"in vain, never connected", ecp.Registering, func(c *scene) {
		c.alone()
		c.look.Agents.Agents, c.rec.Status.Deadline = nil, t0.Add(-1)
	}, ecp.Abnormal, ecp.ReasonAgentDisconnected, "something is wrong", ""},
	{"in vain, refused once", ecp.Registering,
		func(c *scene) { c.alone(); c.fails(0, 1, ecp.AgentFaultAuth); c.rec.Status.Deadline = t0.Add(-1) },
		ecp.Abnormal, ecp.ReasonEMQXAuthFailed, "something is wrong", ""},
	{"in vain, nothing reported", ecp.Registering, func(c *scene) {
		c.alone()
		c.seen(0).Report, c.seen(0).Since, c.rec.Status.Deadline = nil, t0.Add(-20*time.Second), t0.Add(-1)
	}, ecp.Abnormal, ecp.ReasonReportStale, "something is wrong", ""},
	{"another one joins", ecp.Running, func(c *scene) {
		c.agents = append(c.agents, ecp.AgentRecord{ID: "agt-d", RegisteredAt: t0.Add(-59 * time.Second)})
	}, ecp.Running, ecp.ReasonAsExpected, "reported complete", ""},
	{"another one has joined in vain", ecp.Running, func(c *scene) {
		c.agents = append(c.agents, ecp.AgentRecord{ID: "agt-d", RegisteredAt: t0.Add(-time.Minute)})
	}, ecp.Abnormal, ecp.ReasonAgentDisconnected, "something is wrong", "agt-d"},

	// List that count no more.
	{"replaced", ecp.Running, func(c *scene) {
		c.agents = append(c.agents, ecp.AgentRecord{ID: "agt-d", Replaced: "agt-a", RegisteredAt: t0.Add(-time.Hour)})
	}, ecp.Running, ecp.ReasonAsExpected, "reported complete", ""},
	{"replaced by one that has gone", ecp.Running, func(c *scene) {
		c.agents = append(c.agents, ecp.AgentRecord{ID: "agt-d", Replaced: "agt-x", RegisteredAt: t0.Add(-time.Hour)})
	}, ecp.Abnormal, ecp.ReasonAgentDisconnected, "something is wrong", ""},
	{"its node has left", ecp.Running, func(c *scene) {
		c.leaves(2, time.Hour, false)
		c.look.Away["agt-c"] = t0.Add(-time.Hour)
	}, ecp.Abnormal, ecp.ReasonAgentDisconnected, "something is wrong",
		"is no member of the cluster any more: remove the agent"},
}

func TestAdoptedRules(t *testing.T) {
	used := map[string]bool{}
	for _, c := range ruleCases {
		s := newScene(c.from)
		c.scene(s)
		got := DeriveState(NewView(patient, t0, s.rec, s.agents, s.look))
		want := c.why
		if want == "" {
			want = s.rec.Status.Reason
		}
		require.Equal(t, []any{c.state, want, c.rule}, []any{got.State, got.Reason, got.Rule}, "%s: %s", c.name,
			got.Message)
		require.Contains(t, got.Message, c.says, c.name)
		require.LessOrEqual(t, len(got.Message), 2500, c.name)
		if got.State != c.from {
			require.NotEmpty(t, ecp.AdoptedStates.Route(c.from, got.State), "%s: there is no way", c.name)
		}
		used[got.Rule] = true
	}
	for _, r := range stateRules {
		require.True(t, used[r.name] || r.name == "nothing new", "no case for the rule %q", r.name)
	}
}

// TestAdoptedSeverity: whatever two things are wrong at once, the one that stands
// first in the table counts, and the other is told.
func TestAdoptedSeverity(t *testing.T) {
	wrong := map[ecp.Reason]func(*scene){
		ecp.ReasonIdentityConflict:   func(c *scene) { c.seen(0).Conflict = "x" },
		ecp.ReasonClusterMismatch:    func(c *scene) { c.seen(1).Mismatch = "x" },
		ecp.ReasonUnsupportedVersion: func(c *scene) { c.another("agt-v").Report.Description.Version = "5.5.0" },
		ecp.ReasonAgentDisconnected:  func(c *scene) { c.agents = append(c.agents, ecp.AgentRecord{ID: "agt-d"}) },
		ecp.ReasonEMQXAuthFailed:     func(c *scene) { failing(c.another("agt-p").Report, ecp.AgentFaultAuth) },
		ecp.ReasonEMQXUnreachable:    func(c *scene) { failing(c.another("agt-u").Report, ecp.AgentFaultTimeout) },
		ecp.ReasonPartitioned: func(c *scene) {
			c.look.Disagreeing = streak{2, t0}
			r := c.another("agt-r").Report
			r.Node = "emqx@r"
			r.Description.Nodes = append(r.Description.Nodes, ecp.BrokerNode{Name: "emqx@r", Status: ecp.NodeRunning})
		},
		ecp.ReasonNodeDown: func(c *scene) {
			r := c.another("agt-n").Report
			r.Description.Nodes = append(r.Description.Nodes, ecp.BrokerNode{Name: "emqx@z", Status: ecp.NodeStopped})
		},
		ecp.ReasonReportStale: func(c *scene) { c.another("agt-s").Report.At = t0.Add(-time.Hour) },
	}
	rows := reasonRows
	for i, a := range rows {
		require.NotEmpty(t, a.Meaning)
		require.NotEmpty(t, a.Counts)
		for _, b := range rows[i+1:] {
			if wrong[a.Reason] == nil || wrong[b.Reason] == nil {
				continue
			}
			s := newScene(ecp.Running)
			wrong[a.Reason](s)
			wrong[b.Reason](s)
			got := DeriveState(NewView(patient, t0, s.rec, s.agents, s.look))
			require.Equal(t, []any{ecp.Abnormal, a.Reason}, []any{got.State, got.Reason}, "%s before %s: %s", a.Reason,
				b.Reason, got.Message)
			require.Contains(t, got.Message, string(b.Reason)+": ", "%s beside %s", b.Reason, a.Reason)
		}
	}
}

// another adds an agent like the third, whose trouble was seen twice.
func (c *scene) another(id ecp.AgentID) *ecp.AgentObservation {
	o, r := c.look.Agents.Agents[2], *c.look.Agents.Agents[2].Report
	o.Agent, o.Report, r.Node = id, &r, ""
	r.Description.Nodes = slices.Clone(r.Description.Nodes[:3])
	c.agents = append(c.agents, ecp.AgentRecord{ID: id, RegisteredAt: t0.Add(-time.Hour)})
	c.look.Agents.Agents = append(c.look.Agents.Agents, o)
	c.look.Troubled[id] = streak{2, t0}
	return &c.look.Agents.Agents[len(c.look.Agents.Agents)-1]
}

func failing(r *ecp.AgentReport, code string) {
	r.Description, r.Errors = ecp.Description{},
		[]ecp.AgentError{{Stage: ecp.AgentStageCluster, Code: code, Message: "x"}}
}

// TestManyFindingsAreBounded: a message names some of them and counts the rest.
func TestManyFindingsAreBounded(t *testing.T) {
	s := newScene(ecp.Running)
	for i := range 50 {
		s.agents = append(s.agents, ecp.AgentRecord{ID: ecp.AgentID("agt-" + strconv.Itoa(i))})
	}
	got := DeriveState(NewView(patient, t0, s.rec, s.agents, s.look))
	require.Equal(t, ecp.ReasonAgentDisconnected, got.Reason)
	require.Contains(t, got.Message, "; and 45 more")
	require.Equal(t, 5, strings.Count(got.Message, "has not been heard"))
}

// TestReportsInARow: two reports less than a second apart are one; a good one
// forgets those before it.
func TestReportsInARow(t *testing.T) {
	s := newScene(ecp.Running)
	s.alone()
	var mem AgentMemory
	at := func(seconds float64, bad bool) int {
		r := *s.report(0)
		r.At = t0.Add(time.Duration(seconds * float64(time.Second)))
		r.Errors = nil
		if bad {
			r.Errors = []ecp.AgentError{{Stage: ecp.AgentStageCluster, Code: ecp.AgentFaultTimeout, Message: "x"}}
		}
		s.seen(0).Report = &r
		mem = mem.After(r.At, s.agents, NewView(patient, r.At, s.rec, s.agents, s.look))
		return mem.Troubled["agt-a"].N
	}
	require.Equal(t, 1, at(0, true))
	require.Equal(t, 1, at(0, true), "the same one, looked at again")
	require.Equal(t, 1, at(0.9, true))
	require.Equal(t, 2, at(1, true))
	require.Equal(t, 0, at(2, false))
	require.Equal(t, 1, at(3, true))
	s.leaves(0, 0, false)
	mem = mem.After(t0, s.agents, NewView(patient, t0.Add(4*time.Second), s.rec, s.agents, s.look))
	require.Equal(t, 1, mem.Troubled["agt-a"].N, "while it is away nothing is learned")
}

// TestDisagreementNeedsNewReportsOfBoth: the old word of one side is no second
// disagreement.
func TestDisagreementNeedsNewReportsOfBoth(t *testing.T) {
	s := newScene(ecp.Running)
	s.stops(2, 2)
	var mem AgentMemory
	take := func(a, c float64) int {
		now := t0.Add(time.Duration(max(a, c) * float64(time.Second)))
		s.report(0).At, s.report(1).At, s.report(2).At = t0.Add(time.Duration(a*float64(time.Second))),
			t0.Add(time.Duration(a*float64(time.Second))), t0.Add(time.Duration(c*float64(time.Second)))
		mem = mem.After(now, s.agents, NewView(patient, now, s.rec, s.agents, s.look))
		return mem.Disagreeing.N
	}
	require.Equal(t, 1, take(0, -5))
	require.Equal(t, 1, take(3, -5))
	require.Equal(t, 2, take(3, 4))
}
