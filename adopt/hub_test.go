package adopt

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

func TestReportsBecomeObservations(t *testing.T) {
	inBubble(t, func(r *rig) {
		require.Empty(t, r.hub.Observe(testCluster).Agents)
		require.False(t, r.hub.Observe(testCluster).Since.IsZero())
		r.register("a", "")
		r.connect("a")
		require.Equal(t, 1, r.wakes())
		got := r.seen("a")
		require.True(t, got.Connected)
		require.Nil(t, got.Report)
		require.Equal(t, "direct", got.Carrier)
		_, why := r.leads("")
		require.Contains(t, why, "has not reported yet")

		pass(time.Second)
		r.report("a", says("emqx@a", "emqx@a"))
		require.Positive(t, r.wakes())
		got = r.seen("a")
		require.Equal(t, "emqx@a", got.Report.Node)
		require.Equal(t, time.Now(), got.LastSeen)
		require.Equal(t, []ecp.AgentNote{{Node: "emqx@a"}}, r.manager.notes)
		by, _ := r.leads("")
		require.Equal(t, "a", by)
		by, _ = r.leads("emqx@a")
		require.Equal(t, "a", by)
		_, why = r.leads("emqx@b")
		require.Contains(t, why, "emqx@b")
		e, err := r.hub.Dashboard(t.Context(), testCluster, "")
		require.NoError(t, err)
		require.Equal(t, []any{false, "emqx@a"}, []any{e.Authenticated, e.Node},
			"whoever comes to the dashboard is nobody to it")
		e, err = r.hub.Endpoint(t.Context(), testCluster, "")
		require.NoError(t, err)
		require.Equal(t, []any{true, "emqx@a"}, []any{e.Authenticated, e.Node}, "the agent logs in by itself")
		require.Zero(t, e.Credentials)
	})
}

// TestWakesForNewsOnly: what states follow from wakes the Manager, and twice more
// if it is bad; figures do not; after a silence anything does.
func TestWakesForNewsOnly(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.connect("a")
		steady := says("emqx@a", "emqx@a")
		for range 1 + echoes {
			pass(echoGap)
			r.report("a", steady)
		}
		require.Equal(t, 2, r.wakes(), "it came and reported; what is as it should be is believed at once")
		for i := range 5 {
			pass(10 * time.Second)
			steady.Connections, steady.Members[0].Connections, steady.Members[0].UptimeMS = i, i, int64(i)
			r.report("a", steady)
		}
		require.Zero(t, r.wakes())
		require.Equal(t, 4, r.seen("a").Report.Description.Connections)

		for range 5 {
			pass(10 * time.Second)
			r.report("a", fails("emqx@a", agentproto.CodeAuthFailed))
		}
		require.Equal(t, 1+echoes, r.wakes())
		_, why := r.leads("")
		require.Contains(t, why, "the broker says no")

		pass(time.Minute)
		r.report("a", fails("emqx@a", agentproto.CodeAuthFailed))
		require.Equal(t, 1, r.wakes())
	})
}

// TestWakesForFirstReport checks that the first report of a new connection wakes the
// Manager even if it equals the last one of the connection before.
func TestWakesForFirstReport(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		r.connect("a")
		pass(time.Second)
		r.report("a", says("emqx@a", "emqx@a"))
		r.server.end("a", false)
		pass(6 * time.Second) // it has been shown by now
		r.connect("a")
		r.wakes()
		pass(100 * time.Millisecond)
		r.report("a", says("emqx@a", "emqx@a"))
		require.Equal(t, 1, r.wakes())
		pass(10 * time.Second)
		r.report("a", says("emqx@a", "emqx@a"))
		require.Zero(t, r.wakes())
	})
}

// TestDisagreementWakesTwice: what no report shows alone has to be seen twice, too.
func TestDisagreementWakesTwice(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		r.register("b", "emqx@b")
		r.connect("a")
		r.connect("b")
		both := func(a, b agentproto.Report) {
			pass(10 * time.Second)
			r.report("a", a)
			r.report("b", b)
		}
		whole := func(node string) agentproto.Report { return says(node, "emqx@a", "emqx@b") }
		for range 3 {
			both(whole("emqx@a"), whole("emqx@b"))
		}
		r.wakes()
		both(whole("emqx@a"), says("emqx@b", "emqx@b"))
		require.Equal(t, 1, r.wakes())
		for range 5 {
			both(whole("emqx@a"), says("emqx@b", "emqx@b"))
		}
		require.Equal(t, 2*echoes, r.wakes(), "of both agents")
		both(whole("emqx@a"), whole("emqx@b"))
		require.Equal(t, 1, r.wakes())
		both(whole("emqx@a"), whole("emqx@b"))
		require.Zero(t, r.wakes())
	})
}

func TestDisconnected(t *testing.T) {
	for name, c := range map[string]struct {
		quiet time.Duration // since the last report
		clean bool
		seen  time.Duration // before the end
	}{
		"said goodbye": {time.Minute, true, 0},
		"broke":        {8 * time.Second, false, 0},
		"fell silent":  {35 * time.Second, false, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.register("a", "")
				r.connect("a")
				r.report("a", says("emqx@a", "emqx@a"))
				pass(c.quiet)
				r.wakes()
				r.server.end("a", c.clean)
				require.Equal(t, 1, r.wakes())
				got := r.seen("a")
				require.False(t, got.Connected)
				require.Equal(t, c.clean, got.Clean)
				require.Equal(t, time.Now(), got.Since)
				require.Equal(t, c.seen, time.Since(got.LastSeen))
				require.NotNil(t, got.Report)
				_, why := r.leads("")
				require.Contains(t, why, "no agent of the cluster is connected")
			})
		})
	}
}

// TestAwayIsStoredOnce: what comes right back is not written; what stays away is,
// with the time it was last seen.
func TestAwayIsStoredOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		r.server.end("a", false)
		pass(30 * time.Second)
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		pass(time.Hour)
		require.Len(t, r.manager.notes, 1, "the node only")
		gone := time.Now()
		r.server.end("a", true)
		pass(time.Hour)
		require.Len(t, r.manager.notes, 2)
		require.Equal(t, gone, r.manager.notes[1].Seen)
		require.Equal(t, uint64(1), r.hub.Stats().Reconnections)
	})
}

// TestSameNodeTwice: the first goes on, the second is told; it serves once the
// first has gone.
func TestSameNodeTwice(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.register("b", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		r.connect("b")
		r.report("b", says("emqx@a", "emqx@a"))
		require.Equal(t, []agentproto.RefusalCode{agentproto.RefusedIdentityConflict}, r.refusals("b"))
		require.Empty(t, r.refusals("a"))
		got := r.seen("b")
		require.False(t, got.Connected)
		require.Contains(t, got.Conflict, "host-a")
		require.Nil(t, got.Report)
		require.Empty(t, r.seen("a").Conflict)
		by, _ := r.leads("")
		require.Equal(t, "a", by)
		require.Equal(t, []ecp.AgentNote{{Node: "emqx@a"}}, r.manager.notes, "a only")

		r.server.end("a", true)
		require.Empty(t, r.seen("b").Conflict, "it ends with the one that served")
		r.connect("b")
		r.report("b", says("emqx@a", "emqx@a"))
		by, _ = r.leads("emqx@a")
		require.Equal(t, "b", by)
		require.Equal(t, []ecp.AgentNote{{Node: "emqx@a"}, {Node: "emqx@a"}}, r.manager.notes, "taken over")
	})
}

// TestConflictEndsWithoutTheSecond: one that does not come again is forgotten.
func TestConflictEndsWithoutTheSecond(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.register("b", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		r.connect("b")
		r.report("b", says("emqx@a", "emqx@a"))
		pass(30 * time.Second)
		r.connect("b")
		r.report("b", says("emqx@a", "emqx@a"))
		pass(80 * time.Second)
		require.NotEmpty(t, r.seen("b").Conflict)
		r.wakes()
		pass(20 * time.Second)
		require.Empty(t, r.seen("b").Conflict)
		require.Positive(t, r.wakes())
	})
}

// TestNodeOfADeadConnection: one that holds a node and does not answer gives way.
func TestNodeOfADeadConnection(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.register("b", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		r.server.mu.Lock()
		r.server.mute["a"] = true
		r.server.mu.Unlock()
		r.connect("b")
		r.report("b", says("emqx@a", "emqx@a"))
		pass(5 * time.Second)
		require.Len(t, r.refusals("a"), 1)
		require.Empty(t, r.refusals("b"))
		require.Empty(t, r.seen("b").Conflict)
		by, _ := r.leads("emqx@a")
		require.Equal(t, "b", by)
	})
}

func TestCopiedKey(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		r.wakes()
		serving := r.server.live["a"].info
		refused := serving
		refused.Instance, refused.Hello.Hostname, refused.Remote = "other", "thief", "192.0.2.9:1"
		r.hub.Conflicted(serving, refused)
		require.Equal(t, 1, r.wakes())
		require.Contains(t, r.seen("a").Conflict, "thief (192.0.2.9:1)")
		r.report("a", says("emqx@a", "emqx@a"))
		require.NotEmpty(t, r.seen("a").Conflict, "a report of the one that serves does not end it")
		by, _ := r.leads("")
		require.Equal(t, "a", by)
		pass(2 * time.Minute)
		require.Empty(t, r.seen("a").Conflict)
	})
}

// TestForeignBroker: an agent beside another EMQX cluster is told and leads nowhere.
func TestForeignBroker(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.register("f", "")
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a", "emqx@b"))
		r.connect("f")
		r.report("f", says("emqx@f", "emqx@f", "emqx@g"))
		require.Equal(t, []agentproto.RefusalCode{agentproto.RefusedClusterMismatch}, r.refusals("f"))
		got := r.seen("f")
		require.Contains(t, got.Mismatch, "emqx@f, emqx@g")
		require.Contains(t, got.Mismatch, "emqx@a, emqx@b")
		require.Nil(t, got.Report)
		_, why := r.leads("emqx@f")
		require.Contains(t, why, "emqx@f")
		require.Len(t, r.manager.notes, 1, "its node is not recorded")

		// An incomplete report clears nothing; a node that has joined does.
		pass(30 * time.Second)
		r.connect("f")
		r.report("f", fails("emqx@f", agentproto.CodeUnreachable))
		require.NotEmpty(t, r.seen("f").Mismatch)
		require.Nil(t, r.seen("f").Report)
		r.report("f", says("emqx@f", "emqx@a", "emqx@b", "emqx@f"))
		require.Empty(t, r.seen("f").Mismatch)
		require.NotNil(t, r.seen("f").Report)
	})
}

// TestForeignBrokerFirstAfterRestart: it does not become the cluster because it was
// the first to come back, and it is not recorded meanwhile.
func TestForeignBrokerFirstAfterRestart(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		r.register("b", "emqx@b")
		r.connect("a")
		r.report("a", says("emqx@f", "emqx@f"))
		require.Empty(t, r.seen("a").Mismatch, "all nodes can have got new addresses")
		require.Empty(t, r.manager.notes)
		r.connect("b")
		r.report("b", says("emqx@b", "emqx@a", "emqx@b"))
		require.NotEmpty(t, r.seen("a").Mismatch)
		require.Empty(t, r.seen("b").Mismatch)
		by, _ := r.leads("")
		require.Equal(t, "b", by)
	})
}

// TestReplacedNode: a node with a new address is the cluster's, and recorded.
func TestReplacedNode(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@10.0.0.1")
		r.register("b", "emqx@10.0.0.2")
		for _, agent := range []ecp.AgentID{"a", "b"} {
			r.connect(agent)
		}
		r.report("a", says("emqx@10.0.0.1", "emqx@10.0.0.1", "emqx@10.0.0.2"))
		r.report("b", says("emqx@10.0.0.2", "emqx@10.0.0.1", "emqx@10.0.0.2"))
		r.server.end("b", false)
		r.connect("b")
		r.report("b", says("emqx@10.0.0.7", "emqx@10.0.0.1", "emqx@10.0.0.7"))
		require.Empty(t, r.refusals("b"))
		require.Equal(t, []ecp.AgentNote{{Node: "emqx@10.0.0.7"}}, r.manager.notes)
	})
}

// TestOnlyNodeMoved: where all names are new the recorded one changes when the
// agent has served for a while.
func TestOnlyNodeMoved(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		r.register("b", "emqx@b")
		r.connect("a")
		r.report("a", says("emqx@a2", "emqx@a2"))
		require.Empty(t, r.manager.notes)
		pass(time.Minute)
		r.report("a", says("emqx@a2", "emqx@a2"))
		require.Equal(t, []ecp.AgentNote{{Node: "emqx@a2"}}, r.manager.notes)
	})
}

func TestDrop(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, agent := range []ecp.AgentID{"a", "b", "c"} {
			r.register(agent, "")
			r.connect(agent)
			r.report(agent, says("emqx@"+string(agent), "emqx@a", "emqx@b", "emqx@c"))
		}
		delete(r.manager.agents, "a")
		r.hub.Drop(testCluster, "a")
		require.Equal(t, []agentproto.RefusalCode{agentproto.RefusedRemoved}, r.refusals("a"))
		require.Len(t, r.hub.Observe(testCluster).Agents, 2)
		_, err := r.hub.PublicKey(t.Context(), "a")
		var refusal *agentproto.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, agentproto.RefusedUnknownAgent, refusal.Code)

		clear(r.manager.agents)
		r.hub.Drop(testCluster)
		require.Len(t, r.refusals("b"), 1)
		require.Len(t, r.refusals("c"), 1)
		require.Empty(t, r.hub.Observe(testCluster).Agents)
		require.Empty(t, r.hub.known)
		require.Empty(t, r.hub.clusters)
		r.hub.Drop(testCluster)
		r.hub.Drop("emqx-00000002", "nobody")
	})
}

// TestRemovedWhileConnecting: one whose key was looked up before it was removed
// does not stay.
func TestRemovedWhileConnecting(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		_, err := r.hub.PublicKey(t.Context(), "a")
		require.NoError(t, err)
		clear(r.manager.agents)
		r.hub.Connected(agentproto.Connection{Agent: "a", Since: time.Now()})
		require.Equal(t, []agentproto.RefusalCode{agentproto.RefusedRemoved}, r.refusals("a"))
		require.Empty(t, r.hub.Observe(testCluster).Agents)
		r.hub.Connected(agentproto.Connection{Agent: "a", Since: time.Now()})
		require.Len(t, r.refusals("a"), 2)
	})
}

// TestStoreAway: agents serve while records cannot be read or written, and what was
// to be stored is stored with a later report.
func TestStoreAway(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		_, err := r.hub.PublicKey(t.Context(), "a")
		require.NoError(t, err)
		r.manager.broken, r.manager.refuse = true, errors.New("disk on fire")
		_, err = r.hub.PublicKey(t.Context(), "a")
		require.Error(t, err)
		var refusal *agentproto.Refusal
		require.False(t, errors.As(err, &refusal), "no verdict on the agent")
		r.manager.broken = false
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		by, _ := r.leads("")
		require.Equal(t, "a", by)
		require.Empty(t, r.manager.notes)
		r.manager.refuse = nil
		r.report("a", says("emqx@a", "emqx@a"))
		require.Len(t, r.manager.notes, 1)
	})
}

func TestRefusals(t *testing.T) {
	inBubble(t, func(r *rig) {
		for code, err := range map[agentproto.RefusalCode]error{
			agentproto.RefusedTokenUnknown: &ecp.Error{Code: ecp.CodeDenied, Cause: agents.ErrTokenUnknown},
			agentproto.RefusedTokenExpired: &ecp.Error{Code: ecp.CodeDenied, Cause: agents.ErrTokenExpired},
			agentproto.RefusedTokenRevoked: &ecp.Error{Code: ecp.CodeDenied, Cause: agents.ErrTokenRevoked},
			agentproto.RefusedBadRequest:   &ecp.Error{Code: ecp.CodeInvalid, Message: "the public key has 3 bytes"},
		} {
			r.manager.refuse = err
			_, got := r.hub.Register(t.Context(), agentproto.Registration{Token: "secret-token"})
			var refusal *agentproto.Refusal
			require.ErrorAs(t, got, &refusal, code)
			require.Equal(t, code, refusal.Code)
			require.Contains(t, refusal.Message, "copy the register command anew")
			require.NotContains(t, refusal.Message, "secret-token")
			require.Equal(t, uint64(1), r.hub.Stats().Refusals[string(code)])
		}
		r.manager.refuse = errors.New("disk on fire")
		_, err := r.hub.Register(t.Context(), agentproto.Registration{})
		var refusal *agentproto.Refusal
		require.False(t, errors.As(err, &refusal))

		r.manager.refuse = nil
		out, err := r.hub.Register(t.Context(), agentproto.Registration{Hello: agentproto.Hello{Hostname: "h",
			Node: "emqx@claimed"}})
		require.NoError(t, err)
		require.Equal(t, agentproto.Registered{Agent: "h", Cluster: "meters"}, out)
		require.Empty(t, r.manager.agents["h"].Node, "a claim is not recorded")
		require.NoError(t, r.hub.Unregister(t.Context(), "h"))
	})
	_, err := newHub(Config{}).PublicKey(t.Context(), "a")
	var refusal *agentproto.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, agentproto.RefusedBusy, refusal.Code)
}

// TestReportsArePaced checks that an agent that floods the server with reports is read
// at the allowed rate only.
func TestReportsArePaced(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.connect("a")
		began, sent := time.Now(), 0
		for sent < 1000 && time.Since(began) < 10*time.Second {
			r.report("a", says("emqx@a", "emqx@a"))
			sent++
		}
		require.InDelta(t, reportBurst+10*time.Second/reportEvery, sent, 3)
		require.EqualValues(t, sent, r.hub.Stats().Reports, "what was sent was taken")
	})
}
