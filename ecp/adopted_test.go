package ecp

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func condition(rec ClusterRecord, kind ConditionType) Condition {
	return ConditionOf(rec.Status.Conditions, kind)
}

// TestAdoptedLife: from created over a fault and back, with what is shown and what
// is written.
func TestAdoptedLife(t *testing.T) {
	p := newPlant(t)
	writes := p.s.writes
	rec := p.look(0)
	require.Equal(t, Created, rec.Status.State)
	require.Equal(t, writes, p.s.writes, "what a create stores is all that there is to say")
	require.Equal(t, False, condition(rec, CondAgentConnected).Status)
	require.Equal(t, True, condition(rec, CondSettled).Status)

	agent := p.agent("x")
	require.Equal(t, Registering, p.look(0).Status.State)
	p.reports(agent, "emqx@x", "emqx@y")
	rec = p.look(time.Second)
	require.Equal(t, Running, rec.Status.State)
	require.Equal(t, "5.8.9", rec.Status.Version)
	require.Zero(t, rec.Status.Deadline)
	for _, kind := range []ConditionType{CondAccepted, CondAgentConnected, CondManagementReachable, CondAvailable, CondReady, CondSettled, CondHealthy} {
		require.Equal(t, True, condition(rec, kind).Status, kind)
	}
	writes = p.s.writes
	for range 10 {
		p.reports(agent, "emqx@x", "emqx@y")
		p.look(10 * time.Second)
	}
	require.Equal(t, writes, p.s.writes, "reports that say the same are not written")

	info, err := p.m.Cluster(p.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", info.Version)
	require.Equal(t, 2, info.ReadyNodes)
	require.Equal(t, ConnectionsInfo{Current: 14, Limit: 100, EnforcedBy: EnforcedByLicence}, info.Current)
	require.Equal(t, "core", info.Nodes[1].Role)
	require.Equal(t, NodeRunning, info.Nodes[1].Status)
	require.Equal(t, p.now.Add(-10*time.Second), info.LookedAt)

	// A fault counts when it is seen twice, and is over with one good report.
	bad := AgentReport{At: p.now, Errors: []AgentError{{AgentStageNode, AgentFaultAuth, "BAD_CREDENTIALS"}}}
	p.show(agent, bad)
	require.Equal(t, Running, p.look(0).Status.State)
	p.now = p.now.Add(10 * time.Second)
	bad.At = p.now
	p.show(agent, bad)
	rec = p.look(0)
	require.Equal(t, Abnormal, rec.Status.State)
	require.Equal(t, ReasonEMQXAuthFailed, rec.Status.Reason)
	require.Equal(t, False, condition(rec, CondManagementReachable).Status)
	require.Equal(t, True, condition(rec, CondAgentConnected).Status)
	require.Equal(t, Unknown, condition(rec, CondAvailable).Status, "that it cannot be asked says nothing of MQTT")
	agents, err := p.m.Agents(asSystem(), p.id)
	require.NoError(t, err)
	require.Equal(t, ReasonEMQXAuthFailed, agents[0].Reason)
	p.reports(agent, "emqx@x", "emqx@y")
	require.Equal(t, Running, p.look(0).Status.State)
}

// TestAdoptedIsLookedAtInTime: what shows by time alone is not waited for longer
// than needed.
func TestAdoptedIsLookedAtInTime(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	pass := func() time.Duration { return p.m.pass(context.Background(), p.id) }
	require.Equal(t, time.Minute+time.Millisecond, pass(), "for the first report")
	p.reports(agent, "emqx@x")
	require.Equal(t, 45*time.Second+time.Millisecond, pass(), "until it is stale")
	p.away(agent, false)
	require.Equal(t, 5*time.Second+time.Millisecond, pass(), "the grace")
	p.look(5 * time.Second)
	require.Equal(t, Abnormal, p.rec(p.id).Status.State)
	require.Zero(t, pass())
}

// TestUnseenAgentsAreNotBroken: after a start of the program a cluster keeps its
// state until its agents have had time to come back, and nothing is written where
// they do at once.
func TestUnseenAgentsAreNotBroken(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(time.Second)
	p.now = p.now.Add(time.Hour)
	writes := p.s.writes

	p.restart()
	p.look(0)
	p.look(10 * time.Second)
	p.reports(agent, "emqx@x")
	require.Equal(t, Running, p.look(0).Status.State)
	require.Equal(t, writes, p.s.writes)

	p.restart()
	p.look(0)
	writes = p.s.writes
	var rec ClusterRecord
	for range 4 { // a whole fleet may take as long
		rec = p.look(10 * time.Second)
		require.Zero(t, rec.Status.StaleFrom)
		info, err := p.m.Cluster(p.id).Get(asSystem())
		require.NoError(t, err)
		require.Contains(t, info.Unseen, "has connected since this program was started")
	}
	require.Equal(t, writes, p.s.writes)
	rec = p.look(5 * time.Second)
	require.Equal(t, Running, rec.Status.State)
	require.Equal(t, p.now, rec.Status.StaleFrom)
	for _, kind := range []ConditionType{CondAgentConnected, CondAvailable, CondReady, CondHealthy} {
		require.Equal(t, Unknown, condition(rec, kind).Status, kind)
	}
	info, err := p.m.Cluster(p.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", info.Version, "as it was last reported")
	require.Contains(t, info.Unseen, "has connected since this program was started")
	require.Equal(t, Running, p.look(14*time.Second).Status.State)
	rec = p.look(time.Second)
	require.Equal(t, Abnormal, rec.Status.State)
	require.Equal(t, ReasonAgentDisconnected, rec.Status.Reason)
	require.Zero(t, rec.Status.StaleFrom)
	p.reports(agent, "emqx@x")
	require.Equal(t, Running, p.look(0).Status.State)
}

// TestRegisteringStandsStillWhileUnseen: the time in which nobody can be heard does
// not count.
func TestRegisteringStandsStillWhileUnseen(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.look(40 * time.Second)
	p.now = p.now.Add(time.Hour)
	p.restart()
	require.Equal(t, Registering, p.look(0).Status.State)
	require.NotZero(t, p.rec(p.id).Status.StaleFrom)
	require.Equal(t, Registering, p.look(30*time.Second).Status.State)
	p.show(agent, AgentReport{At: p.now, Errors: []AgentError{{AgentStageNode, AgentFaultTimeout, "slow"}}})
	require.Equal(t, Registering, p.look(0).Status.State)
	p.link.unheard = "no listener"
	require.Equal(t, Registering, p.look(0).Status.State)
	require.Equal(t, Registering, p.look(time.Hour).Status.State)
	p.link.unheard = ""
	p.show(agent, AgentReport{At: p.now, Errors: []AgentError{{AgentStageNode, AgentFaultTimeout, "slow"}}})
	rec := p.look(0)
	require.Equal(t, Abnormal, rec.Status.State, "%s", rec.Status.Message)
	require.Equal(t, ReasonEMQXUnreachable, rec.Status.Reason)
}

// TestRegisteringInVain: after a minute the state says what stands in the way.
func TestRegisteringInVain(t *testing.T) {
	p := newPlant(t)
	p.agent("x")
	p.look(0)
	for range 6 {
		require.Equal(t, Registering, p.look(10*time.Second-time.Millisecond).Status.State)
	}
	rec := p.look(10 * time.Millisecond)
	require.Equal(t, Abnormal, rec.Status.State)
	require.Equal(t, ReasonAgentDisconnected, rec.Status.Reason)
}

func TestDeletingAnAdoptedCluster(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(time.Second)
	op, err := p.m.Cluster(p.id).Do(asSystem(), Delete{})
	require.NoError(t, err)
	require.Equal(t, OpDelete, op.Kind)
	require.Equal(t, Deleting, p.rec(p.id).Status.State)
	require.Empty(t, p.s.records[KindAgent])
	require.Empty(t, p.s.records[KindRegistrationToken])
	require.Contains(t, p.link.all, p.id, "its connections are closed at once")
	_, err = p.m.AgentKey(t.Context(), agent)
	require.ErrorIs(t, err, ErrNotFound)
	require.Equal(t, Gone, p.look(0).Status.State)
	require.Contains(t, p.s.records[KindTombstone], string(p.id))
	got, err := p.m.Operation(asSystem(), op.ID)
	require.NoError(t, err)
	require.Equal(t, PhaseSucceeded, got.Phase)
	require.Equal(t, []Step{{Name: "quota-released", Done: 1, Total: 1}}, got.Steps)
	require.Zero(t, p.pool().UsedClusters)
}

func (p *plant) pool() Pool { return p.s.records[KindPool][poolKey].Payload.(Pool) }

// TestDeletingWhileTheQuotaCannotBeGivenBack: it is said, tried again, and force
// ends it.
func TestDeletingWhileTheQuotaCannotBeGivenBack(t *testing.T) {
	for _, force := range []bool{false, true} {
		p := newPlant(t)
		pool := p.s.records[KindPool][poolKey]
		delete(p.s.records[KindPool], poolKey)
		_, err := p.m.Cluster(p.id).Do(asSystem(), Delete{})
		require.Error(t, err, "nothing is booked without a pool")
		p.s.records[KindPool][poolKey] = pool
		op, err := p.m.Cluster(p.id).Do(asSystem(), Delete{})
		require.NoError(t, err)
		delete(p.s.records[KindPool], poolKey)
		rec := p.look(0)
		require.Equal(t, Abnormal, rec.Status.State)
		require.Equal(t, ReasonQuotaReleaseFailed, rec.Status.Reason)
		got, err := p.m.Operation(asSystem(), op.ID)
		require.NoError(t, err)
		require.Equal(t, PhaseRunning, got.Phase)
		require.NotEmpty(t, got.Error)
		writes := p.s.writes
		for range 20 {
			require.Equal(t, Abnormal, p.look(10*time.Second).Status.State)
		}
		require.Equal(t, writes, p.s.writes)
		if force {
			p.s.records[KindPool][poolKey] = pool
			_, err := p.m.Cluster(p.id).Do(asSystem(), Delete{Force: true})
			require.NoError(t, err)
			delete(p.s.records[KindPool], poolKey)
			require.Equal(t, []State{Deleting, Gone}, p.hops(func() { p.look(0) }))
			continue
		}
		p.s.records[KindPool][poolKey] = pool
		require.Equal(t, []State{Deleting, Gone}, p.hops(func() { p.look(time.Minute) }))
		require.Zero(t, p.pool().UsedClusters)
	}
}

// hops are the states that the cluster passes through meanwhile, each a write.
func (p *plant) hops(fn func()) (out []State) {
	p.s.wrote = func(puts []Record) {
		for _, r := range puts {
			if rec, ok := r.Payload.(ClusterRecord); ok {
				out = append(out, rec.Status.State)
			}
		}
	}
	defer func() { p.s.wrote = nil }()
	fn()
	return out
}

// TestOldBookingsAreGivenBack: an earlier build has booked connections for adopted
// clusters.
func TestOldBookingsAreGivenBack(t *testing.T) {
	p := newPlant(t)
	rec := p.rec(p.id)
	rec.Spec.Adopted.Connections = 5
	require.NoError(t, p.s.Write(t.Context(), func(tx Tx) error {
		pool := p.pool()
		pool.UsedConnections = 5
		return errors.Join(Put(tx, rec, AnyVersion), Put(tx, pool, AnyVersion))
	}))
	_, err := p.m.Cluster(p.id).Do(asSystem(), Update{Patch: []byte(`{"serviceAddress":"https://x"}`)})
	require.NoError(t, err, "what is booked may stay")
	_, err = p.m.Cluster(p.id).Do(asSystem(), Update{Patch: []byte(`{"connections":4}`)})
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = p.m.Cluster(p.id).Do(asSystem(), Delete{})
	require.NoError(t, err)
	require.Equal(t, Gone, p.look(0).Status.State)
	require.Zero(t, p.pool().UsedConnections)
}

// TestChangesWhileAgentsAreConnected: name, description, address and project change,
// and no agent notices.
func TestChangesWhileAgentsAreConnected(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(time.Second)
	name, about := "works", "of the works"
	for _, cmd := range []Command{Update{Name: &name, Description: &about, Patch: []byte(`{"serviceAddress":"https://x"}`)}, Transfer{Project: "b/p"}} {
		op, err := p.m.Cluster(p.id).Do(asSystem(), cmd)
		require.NoError(t, err)
		require.Zero(t, op)
		rec := p.look(0)
		require.Equal(t, Running, rec.Status.State)
		require.EqualValues(t, 1, rec.Generation)
	}
	require.Empty(t, p.link.dropped)
	require.Empty(t, p.link.all)
	agents, err := p.m.Agents(WithActor(t.Context(), Actor{Name: "ann", Grants: []Grant{{Role: RoleUser, Project: "b/p"}}}), p.id)
	require.NoError(t, err)
	require.Len(t, agents, 1)
}

// TestLikeliestAgents: those beside nodes that run come first.
func TestLikeliestAgents(t *testing.T) {
	p := newPlant(t)
	require.Empty(t, p.m.likeliestAgents(p.id))
	x, y, z := p.agent("x"), p.agent("y"), p.agent("z")
	p.show(z, AgentReport{At: p.now})
	require.Equal(t, []string{""}, p.m.likeliestAgents(p.id))
	p.show(x, AgentReport{At: p.now, Node: "emqx@x", Errors: []AgentError{{AgentStageNode, AgentFaultTimeout, "x"}}})
	p.reports(y, "emqx@y")
	require.Equal(t, []string{"emqx@y", "emqx@x"}, p.m.likeliestAgents(p.id))
	p.away(y, true)
	require.Equal(t, []string{"emqx@x"}, p.m.likeliestAgents(p.id))
}
