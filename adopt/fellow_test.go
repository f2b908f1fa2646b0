package adopt

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/peers"
)

// withFellows lets a hub of a test share a Store with daemons of these ids, which are heard.
func (r *rig) withFellows(ids ...string) (out []*fellow) {
	r.t.Helper()
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	r.hub.shared = &shared{mesh: new(peers.Mesh), self: func() string { return "daemon" },
		fellows: map[string]*fellow{}, followers: map[*follower]struct{}{}}
	for _, id := range ids {
		f := &fellow{id: id, heard: true, listed: true, agents: map[ecp.AgentID]*toldAgent{}, stop: func() {}}
		r.hub.shared.fellows[id] = f
		out = append(out, f)
	}
	return out
}

// tells lets a daemon tell of an agent that came a while ago, by the clock of its host.
func (r *rig) tells(f *fellow, agent ecp.AgentID, connected bool, ago time.Duration) {
	r.t.Helper()
	at := time.Now()
	t := &toldAgent{ID: agent, Cluster: testCluster, Connected: connected, Since: at, LastSeen: at, Serving: at,
		Connection: toldConnection{Instance: "i" + string(agent), Carrier: agentproto.CarrierDirect,
			Since: at.Add(-ago), Hello: agentproto.Hello{Hostname: "host-" + string(agent), Time: at.Add(-ago)}}}
	if connected {
		report := convert(says("emqx@"+string(agent), "emqx@"+string(agent)), at)
		t.Report, t.Members = &report, []string{report.Node}
	}
	require.NoError(r.t, r.hub.takeLine(r.t.Context(), f, toldLine{Agent: t}))
	synctest.Wait()
}

// TestDaemonDies: its agents stay as they are until they would have been missed, are away
// then, and that is stored by one of the daemons that are left.
func TestDaemonDies(t *testing.T) {
	for other, notes := range map[string]int{"z": 1, "a": 0} { // the one with the first id stores it
		inBubble(t, func(r *rig) {
			f := r.withFellows("f", other)[0]
			r.register("x", "emqx@x")
			r.tells(f, "x", true, 0)
			require.True(t, r.seen("x").Connected)
			require.Positive(t, r.wakes())
			r.hub.lose(f)
			require.Zero(t, r.wakes(), "nothing has changed yet")
			r.hub.mu.Lock()
			f.listed = false
			r.hub.mu.Unlock()
			pass(29 * time.Second)
			r.hub.expireFellows()
			require.True(t, r.seen("x").Connected)
			pass(2 * time.Second)
			r.hub.expireFellows()
			require.False(t, r.seen("x").Connected)
			require.Equal(t, 1, r.wakes())
			pass(time.Minute)
			require.Len(t, r.manager.notes, notes)
			require.NotContains(t, r.hub.shared.fellows, "f")
		})
	}
}

// TestDaemonIsCutOff: the Store lists it, so nothing is known of its agents, and nothing is
// stored of them. When it is heard again they are as they were.
func TestDaemonIsCutOff(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		r.register("x", "emqx@x")
		r.tells(f, "x", true, 0)
		r.hub.lose(f)
		_, why := r.leads("")
		require.Contains(t, why, "does not reach")
		pass(31 * time.Second)
		r.hub.expireFellows()
		require.True(t, r.seen("x").Cut)
		require.Contains(t, r.hub.Observe(testCluster).Unheard, "cannot reach")
		pass(5 * time.Minute)
		require.Empty(t, r.manager.notes)
		r.tells(f, "x", true, 0)
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Synced: true}))
		require.True(t, r.seen("x").Connected)
		require.False(t, r.seen("x").Cut)
		require.Empty(t, r.hub.Observe(testCluster).Unheard)
	})
}

// TestMayBeElsewhere: an agent that loses its connection while a daemon is not heard may be
// connected to that one. What was lost before is as it was.
func TestMayBeElsewhere(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		r.register("x", "emqx@x")
		r.register("y", "emqx@y")
		r.connect("x")
		r.connect("y")
		r.server.end("y", false)
		pass(time.Minute)
		r.hub.lose(f)
		pass(time.Second)
		r.server.end("x", false)
		r.wakes()
		r.hub.observeBlind()
		require.Equal(t, 1, r.wakes())
		require.True(t, r.seen("x").Cut)
		require.False(t, r.seen("y").Cut)
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Synced: true}))
		r.hub.observeBlind()
		require.Equal(t, 1, r.wakes())
		require.False(t, r.seen("x").Cut)
		require.False(t, r.seen("x").Connected)
	})
}

// TestMovesBetweenDaemons: whatever order daemons are heard in, an agent that is connected
// somewhere shows so.
func TestMovesBetweenDaemons(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f", "g")
		r.register("x", "emqx@x")
		r.tells(f[0], "x", true, time.Minute)
		r.tells(f[1], "x", true, 0)
		r.tells(f[0], "x", false, time.Minute)
		require.True(t, r.seen("x").Connected)
		require.NoError(t, r.hub.takeLine(t.Context(), f[0], toldLine{Gone: "x"}))
		require.True(t, r.seen("x").Connected)

		require.NoError(t, r.hub.takeLine(t.Context(), f[1], toldLine{Ends: true}))
		r.tells(f[1], "x", false, 0) // it closes its connections, and need not say so
		require.NoError(t, r.hub.takeLine(t.Context(), f[1], toldLine{Gone: "x"}))
		require.Equal(t, time.Now(), r.seen("x").Since, "it is missed from now on, not from before")
		r.connect("x")
		require.True(t, r.seen("x").Connected)
		require.Empty(t, r.manager.notes)
		r.tells(f[0], "x", true, time.Minute)
		require.Empty(t, r.refusals("x"), "an older connection of the same process")
		r.tells(f[0], "x", true, -time.Minute)
		require.True(t, r.seen("x").Connected)
		require.Equal(t, []agentproto.RefusalCode{agentproto.RefusedGoingAway}, r.refusals("x"))
		require.Equal(t, f[0], r.hub.findLocked("x").home, "a newer one")
		pass(time.Hour)
		require.Empty(t, r.manager.notes, "the other daemon stores it")
	})
}

// TestToldOfRemoved: an agent that was removed is forgotten, though a daemon had told of it
// once more before it knew of that.
func TestToldOfRemoved(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		r.register("x", "emqx@x")
		r.register("y", "emqx@y")
		r.tells(f, "x", true, 0)
		r.tells(f, "y", true, 0)
		r.manager.mu.Lock()
		delete(r.manager.agents, "x")
		r.manager.mu.Unlock()
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Gone: "x"}))
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Gone: "y"}))
		require.False(t, r.seen("y").Connected, "it may be about to connect elsewhere")
		require.Len(t, r.hub.Observe(testCluster).Agents, 1)
		require.NotContains(t, r.hub.known, ecp.AgentID("x"))
		require.Positive(t, r.wakes())
	})
}

// TestFollowersAreTold: of each agent here once, of what changes, and of those that go.
func TestFollowersAreTold(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		r.register("x", "")
		r.register("y", "")
		r.connect("x")
		r.tells(f, "y", true, 0)
		one := r.hub.addFollower()
		lines := func() []toldLine { some, _, _ := r.hub.changes(one); return some }
		got := lines()
		require.Len(t, got, 1, "each daemon tells of its own")
		require.True(t, got[0].Agent.Connected)
		require.Nil(t, got[0].Agent.Report)
		require.Empty(t, lines())
		r.report("x", says("emqx@x", "emqx@x", "emqx@y"))
		r.report("x", says("emqx@x", "emqx@x", "emqx@y"))
		got = lines()
		require.Len(t, got, 1)
		require.Equal(t, "emqx@x", got[0].Agent.Report.Node)
		require.Equal(t, "emqx@x", got[0].Agent.Recorded)
		r.tells(f, "x", true, -time.Minute)
		require.Equal(t, []toldLine{{Gone: "x"}}, lines(), "it has moved")
		r.tells(f, "x", false, -time.Minute)
		require.Empty(t, lines())
		r.connect("x")
		require.Len(t, lines(), 1)
		r.manager.agents = nil
		r.hub.Drop(testCluster, "x")
		require.Equal(t, []toldLine{{Gone: "x"}}, lines())
		r.hub.mu.Lock()
		r.hub.shared.ending = true
		r.hub.mu.Unlock()
		require.Equal(t, []toldLine{{Ends: true}}, lines())
	})
}

// TestClocks: what a daemon tells is read by our clock, and late lines do not matter.
func TestClocks(t *testing.T) {
	inBubble(t, func(r *rig) {
		f := r.withFellows("f")[0]
		r.register("x", "")
		now := time.Now()
		require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Now: now.Add(time.Hour)}))
		r.tells(f, "x", true, 0)
		require.Equal(t, now.Add(-time.Hour), r.seen("x").Report.At)
		for _, c := range []struct{ ahead, is time.Duration }{
			{time.Hour - 3*time.Second, time.Hour}, // it is late
			{2 * time.Hour, 2 * time.Hour},         // it was set
			{-time.Hour, -time.Hour},
		} {
			require.NoError(t, r.hub.takeLine(t.Context(), f, toldLine{Now: now.Add(c.ahead)}))
			require.Equal(t, now.Add(-c.is), r.seen("x").Report.At)
			require.Equal(t, now.Add(-c.is), r.seen("x").Since)
		}
	})
}

// TestStandings: all daemons have to choose the same.
func TestStandings(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	ordered := map[string][2]standing{
		"one that serves": {{serves: true, instance: "a", came: at(1)}, {instance: "a", came: at(2)}},
		"the newer connection of one process": {{serves: true, instance: "a", came: at(2), since: at(1)},
			{serves: true, instance: "a", came: at(1), since: at(2)}},
		"the older of two processes": {{serves: true, instance: "a", came: at(9), since: at(1)},
			{serves: true, instance: "b", came: at(1), since: at(2)}},
		"the daemon's id decides a tie": {{serves: true, instance: "a", daemon: "d"},
			{serves: true, instance: "b", daemon: "e"}},
		"what is newer, if none serves": {{instance: "a", changed: at(2)}, {instance: "b", changed: at(1)}},
	}
	for name, two := range ordered {
		require.True(t, two[0].before(two[1]), name)
		require.False(t, two[1].before(two[0]), name)
	}
}

// TestToldForm: daemons of different versions work together, so what they tell stays as it
// is, but for what is added.
func TestToldForm(t *testing.T) {
	at := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	report := convert(agentproto.Report{
		Node: "emqx@a", Version: "5.8.9", Edition: "enterprise", Connections: 3, Limit: 9,
		LimitCall: true, LicenseType: 3,
		Members: []agentproto.Member{{Name: "emqx@a", Status: agentproto.MemberRunning, Role: "core", Version: "5.8.9",
			UptimeMS: 1000, Connections: 3}},
		Errors: []agentproto.ReportError{{Stage: agentproto.StageMetricsFetch, Code: agentproto.CodeTimeout,
			Message: "slow"}},
		Logs: "/var/log/emqx", Dashboard: true,
	}, at)
	full := toldAgent{
		ID: "agt-1", Cluster: testCluster, Connected: true, Since: at, Clean: true, LastSeen: at, Serving: at,
		Connection: toldConnection{"i", agentproto.CarrierDirect, "192.0.2.1:5", at,
			agentproto.Hello{Version: "1.0.0", OS: "linux", Arch: "arm64", Hostname: "h", Time: at}, 1, time.Second},
		Report: &report, Members: []string{"emqx@a"}, Recorded: "emqx@a", Copied: "a", Conflict: "b", Mismatch: "c",
	}
	var text []byte
	full.Uptimes = []time.Duration{time.Second}
	require.Equal(t, &report, full.reportBy(0))
	for _, l := range []toldLine{{Now: at}, {Agent: &full}, {Gone: "agt-1"}, {Synced: true}, {Ends: true}} {
		line, err := json.Marshal(l)
		require.NoError(t, err)
		text = append(append(text, line...), '\n')
		var back toldLine
		require.NoError(t, json.Unmarshal(line, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(line), string(again))
		if back.Agent != nil {
			require.Equal(t, &report, back.Agent.reportBy(0), "nothing of a report is lost")
		}
	}
	const golden = "testdata/told.ndjson"
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		require.NoError(t, os.WriteFile(golden, text, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(text), "daemons of other versions would not understand it")
}
