package derive

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The nodes together take what is booked, and never a whole share more.
func TestListenerShare(t *testing.T) {
	require.Equal(t, "each listener takes 334 connections on each node: 1000 over 3 nodes, up to 1002 in all",
		DescribeShare(1000, 3))
	require.Equal(t, "each listener takes 7 connections", DescribeShare(7, 1))
	rapid.Check(t, func(t *rapid.T) {
		n, nodes := rapid.IntRange(1, ecp.MaxConnections).Draw(t, "n"), rapid.IntRange(1, ecp.MaxNodes).Draw(t, "nodes")
		sum := ListenerShare(n, nodes) * nodes
		require.GreaterOrEqual(t, sum, n)
		require.Less(t, sum, n+nodes)
	})
}

func TestConnectionTarget(t *testing.T) {
	for _, c := range []struct {
		name  string
		state ecp.State
		rec   func(*ecp.ClusterRecord)
		look  Snapshot
		edit  func(*Snapshot)
		share int // 0 means that EMQX is not told
	}{
		{name: "all nodes", state: ecp.Running, look: aLook(3, 3), share: 4},
		{name: "a node is away", state: ecp.Degraded, look: aLook(3, 2), share: 5},
		{name: "one is left", state: ecp.Degraded, look: aLook(3, 1), share: 10},
		{name: "none is ready", state: ecp.Abnormal, look: aLook(3, 0)},
		{name: "clients leave a node", state: ecp.Updating, look: aLook(3, 3), share: 5,
			rec: func(r *ecp.ClusterRecord) { r.Status.Draining = &ecp.Draining{Node: nodeName(2)} }},
		{name: "nodes are replaced", state: ecp.Updating, look: aLook(3, 3), share: 5,
			edit: func(l *Snapshot) { l.Found.Nodes[0].Outdated = true }},
		{name: "and one has gone for it", state: ecp.Updating, look: aLook(3, 2), share: 5,
			edit: func(l *Snapshot) { l.Found.Nodes[0].Outdated = true }},
		{name: "outdated nodes stay", state: ecp.Running, look: aLook(3, 3), share: 4,
			edit: func(l *Snapshot) { l.Found.Nodes[0].Outdated = true }},
		{name: "a node was added and is not ready", state: ecp.Updating, look: aLook(3, 2), share: 5},
		{name: "nodes start", state: ecp.Creating, look: aLook(3, 2)},
		{name: "nodes have started", state: ecp.Creating, look: aLook(3, 3), share: 4},
		{name: "stopped", state: ecp.Stopped, look: aLook(3, 3)},
		{name: "of an earlier build", state: ecp.Running, look: aLook(3, 3),
			rec: func(r *ecp.ClusterRecord) { r.Resolved.ListenerLimit = 0 }},
		{name: "4.4", state: ecp.Running, look: aLook(3, 3),
			rec: func(r *ecp.ClusterRecord) { r.Resolved.Image.Version = "4.4.24" }},
		{name: "nobody can ask", state: ecp.Running, look: aLook(3, 3),
			edit: func(l *Snapshot) { l.NoAdapter = true }},
	} {
		rec := aRecord(c.state)
		rec.Resolved.ListenerLimit = 4
		if c.rec != nil {
			c.rec(&rec)
		}
		if c.edit != nil {
			c.edit(&c.look)
		}
		got, managed := NewView(t0, rec, c.look).ConnectionTarget()
		require.Equal(t, c.share > 0, managed, c.name)
		if managed {
			require.Equal(t, ConnectionTarget{Total: 10, Share: c.share}, got, c.name)
		}
	}
}

// aListener has these limits on nodes.
func aListener(id string, limits ...int) ecp.BrokerListener {
	l := ecp.BrokerListener{ID: id, Bind: "0.0.0.0:1883", Enabled: true, Running: ecp.True}
	for i, n := range limits {
		l.Nodes = append(l.Nodes, ecp.ListenerNode{Node: nodeName(i), Running: true, Limit: n})
	}
	return l
}

func TestLimitChanges(t *testing.T) {
	disabled, local := aListener("ws:default", 0, 0), aListener("mqtt:tcp:internal", 0, 0)
	disabled.Enabled, local.Bind = false, "127.0.0.1:11883"
	for _, c := range []struct {
		name      string
		license   ecp.ConnectionLimit
		listeners []ecp.BrokerListener
		config    map[string]string
		want      []LimitChange
	}{
		{name: "as wanted", listeners: []ecp.BrokerListener{aListener("tcp:default", 5, 5)}},
		{name: "none has a limit", listeners: []ecp.BrokerListener{aListener("ssl:default", 0, 0),
			aListener("tcp:default", 0, 0)}, want: []LimitChange{{"ssl:default", 5}, {"tcp:default", 5}}},
		{name: "one node has another", listeners: []ecp.BrokerListener{aListener("tcp:default", 5, 7)},
			want: []LimitChange{{"tcp:default", 5}}},
		{name: "somebody has set a lower one", listeners: []ecp.BrokerListener{aListener("tcp:default", 3, 3)},
			want: []LimitChange{{"tcp:default", 5}}},
		{name: "no clients come that way", listeners: []ecp.BrokerListener{disabled, local}},
		{name: "the spec sets it", listeners: []ecp.BrokerListener{aListener("tcp:default", 8, 8)},
			config: map[string]string{"listeners.tcp.default.max_connections": "8"}},
		{name: "the spec sets it in another way", listeners: []ecp.BrokerListener{aListener("tcp:default", 8, 8)},
			config: map[string]string{"listeners.tcp.default": `{"max_connections": 8}`}},
		{name: "the spec sets something else", listeners: []ecp.BrokerListener{aListener("tcp:default", 8, 8)},
			config: map[string]string{"listeners.tcp.default.acceptors": "8"},
			want:   []LimitChange{{"tcp:default", 5}}},
		{name: "the license takes it", license: ecp.ConnectionLimit{Settable: true, Set: 25},
			listeners: []ecp.BrokerListener{aListener("tcp:default", 5, 5)},
			want:      []LimitChange{{"", 10}, {"tcp:default", 10}}},
		{name: "the license has it", license: ecp.ConnectionLimit{Settable: true, Set: 10},
			listeners: []ecp.BrokerListener{aListener("tcp:default", 10, 10)}},
		{name: "another license", license: ecp.ConnectionLimit{Set: 25, InForce: 25},
			listeners: []ecp.BrokerListener{aListener("tcp:default", 5, 5)}},
	} {
		got := LimitChanges(ConnectionTarget{Total: 10, Share: 5}, c.license, c.listeners, c.config)
		require.Equal(t, c.want, got, c.name)
	}
}

// What keeps a cluster to its connections is told as EMQX has said it.
func TestWhoEnforcesTheLimit(t *testing.T) {
	both := func(a, b []int) []ecp.BrokerListener {
		return []ecp.BrokerListener{aListener("ssl:default", a...), aListener("tcp:default", b...)}
	}
	for _, c := range []struct {
		name      string
		listeners []ecp.BrokerListener
		licensed  int
		limit     int
		by        string
	}{
		{name: "shares", listeners: both([]int{34, 34, 34}, []int{34, 34, 34}), limit: 102,
			by: ecp.EnforcedByListeners},
		{name: "a lower one", listeners: both([]int{5}, []int{5}), limit: 5, by: ecp.EnforcedByListeners},
		{name: "one listener of a node takes more", listeners: both([]int{50, 90}, []int{50, 50}), limit: 140,
			by: ecp.EnforcedByNone},
		{name: "one listener has none", listeners: both([]int{50, 0}, []int{50, 50}), by: ecp.EnforcedByNone},
		{name: "the license allows less", listeners: both([]int{50, 50}, []int{50, 50}), licensed: 25, limit: 25,
			by: ecp.EnforcedByLicense},
		{name: "the license allows more", listeners: both([]int{50, 50}, []int{50, 50}), licensed: 1000, limit: 100,
			by: ecp.EnforcedByListeners},
		{name: "the license takes it", listeners: both([]int{100, 100}, []int{100, 100}), licensed: 100, limit: 100,
			by: ecp.EnforcedByLicense},
		{name: "only the license, and more", listeners: both([]int{0, 0}, []int{0, 0}), licensed: 300, limit: 300,
			by: ecp.EnforcedByNone},
	} {
		var l BrokerLimits
		l.Record(ecp.ConnectionLimit{InForce: c.licensed}, c.listeners, aLook(3, 3).Found.Nodes)
		limit, by := l.Enforced(100)
		require.Equal(t, []any{c.limit, c.by}, []any{limit, by}, c.name)
	}
	var l BrokerLimits
	l.Record(ecp.ConnectionLimit{}, both([]int{50, 50, 50}, []int{50, 50, 50}), aLook(2, 2).Found.Nodes)
	require.Len(t, l.Nodes, 2, "a node that is going does not count")
	limit, by := (*BrokerLimits)(nil).Enforced(100)
	require.Equal(t, []any{0, ecp.EnforcedByUnknown}, []any{limit, by}, "nothing was said")
}

// divided is a cluster whose booked number was divided between its nodes.
func divided(r *ecp.ClusterRecord) { r.Resolved.ListenerLimit = 4 }

// says lets EMQX have said that of its limits.
func says(limits BrokerLimits) func(*Snapshot) {
	return func(l *Snapshot) {
		rec := aRecord(ecp.Running)
		divided(&rec)
		limits.Of = NewView(t0, rec, *l).LimitsOf()
		l.Limits = &limits
	}
}

// A task waits for the limit, a refusal ends it, and a cluster that runs stays so.
var limitCases = []judgeCase{
	{name: "the limit is kept to", state: ecp.Updating, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Done: true}), want: ecp.Running},
	{name: "the limit is not known yet", state: ecp.Updating, rec: divided, look: aLook(3, 3), want: ecp.Syncing},
	{name: "the limit of other nodes", state: ecp.Updating, rec: divided, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Limits = &BrokerLimits{Done: true, Of: "x"} }, want: ecp.Syncing},
	{name: "the limit is not set yet", state: ecp.Syncing, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Why: "x"}), want: ecp.Syncing},
	{name: "the limit is refused", state: ecp.Syncing, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Refused: true, Why: "x"}), want: ecp.Abnormal, reason: ecp.ReasonSyncFailed},
	{name: "the limit is refused at once", state: ecp.Updating, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Refused: true, Why: "x"}), want: ecp.Abnormal, reason: ecp.ReasonSyncFailed},
	{name: "the limit is refused at the start", state: ecp.Starting, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Refused: true, Why: "x"}), want: ecp.Abnormal, reason: ecp.ReasonStartFailed},
	{name: "the limit was refused for other nodes", state: ecp.Syncing, rec: divided, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Limits = &BrokerLimits{Refused: true, Of: "x"} }, want: ecp.Syncing},
	{name: "the limit is refused while it runs", state: ecp.Running, rec: divided, look: aLook(3, 3),
		change: says(BrokerLimits{Refused: true, Why: "x"}), want: ecp.Running},
	{name: "the limit is not known while it runs", state: ecp.Running, rec: divided, look: aLook(3, 3),
		want: ecp.Running},
	{name: "a refused limit is not taken by waiting", state: ecp.Abnormal, look: aLook(3, 3),
		rec: func(r *ecp.ClusterRecord) { divided(r); reason(ecp.ReasonSyncFailed)(r) }, want: ecp.Abnormal},
	{name: "a limit is taken after all", state: ecp.Abnormal, look: aLook(3, 3),
		rec:    func(r *ecp.ClusterRecord) { divided(r); reason(ecp.ReasonSyncFailed)(r) },
		change: says(BrokerLimits{Done: true}), want: ecp.Running},
}

// EMQX 4.4 reads its limits when it starts only: its nodes are replaced, where any run.
func TestSetConnections(t *testing.T) {
	for _, c := range []struct {
		version  string
		from, to int
		off      bool
		restarts int
	}{
		{version: "5.8.9", from: 10, to: 20}, {version: "4.4.24", from: 10, to: 20, restarts: 1},
		{version: "4.4.24", from: 10, to: 10}, {version: "4.4.24", from: 10, to: 20, off: true},
	} {
		before := aRecord(ecp.Running)
		if c.off {
			before = aRecord(ecp.Stopped)
		}
		before.Resolved.Image.Version, before.Spec.Hosted.Connections = c.version, c.from
		after := before.Clone()
		after.Spec.Hosted.Connections = c.to
		SetConnections(&after, before)
		require.Equal(t, c.restarts, after.Restarts, c)
		require.Equal(t, ecp.Resolved{Image: before.Resolved.Image, Connections: c.to,
			ListenerLimit: ListenerShare(c.to, 3)}, after.Resolved, c)
		require.Equal(t, c.restarts > 0, ReplacesNodes(before, after), c)
	}
}
