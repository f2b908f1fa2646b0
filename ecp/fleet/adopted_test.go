package fleet

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func condition(rec ecp.ClusterRecord, kind ecp.ConditionType) ecp.Condition {
	return ecp.ConditionOf(rec.Status.Conditions, kind)
}

// TestAdoptedLife: from created over a fault and back, with what is shown and what
// is written.
func TestAdoptedLife(t *testing.T) {
	p := newPlant(t)
	writes := p.s.Writes
	rec := p.look(0)
	require.Equal(t, ecp.Created, rec.Status.State)
	require.Equal(t, writes, p.s.Writes, "what a create stores is all that there is to say")
	require.Equal(t, ecp.False, condition(rec, ecp.CondAgentConnected).Status)
	require.Equal(t, ecp.True, condition(rec, ecp.CondSettled).Status)

	agent := p.agent("x")
	require.Equal(t, ecp.Registering, p.look(0).Status.State)
	p.reports(agent, "emqx@x", "emqx@y")
	rec = p.look(time.Second)
	require.Equal(t, ecp.Running, rec.Status.State)
	require.Equal(t, "5.8.9", rec.Status.Version)
	require.Zero(t, rec.Status.Deadline)
	for _, kind := range []ecp.ConditionType{
		ecp.CondAccepted, ecp.CondAgentConnected, ecp.CondManagementReachable, ecp.CondAvailable, ecp.CondReady,
		ecp.CondSettled, ecp.CondHealthy,
	} {
		require.Equal(t, ecp.True, condition(rec, kind).Status, kind)
	}
	writes = p.s.Writes
	for range 10 {
		p.reports(agent, "emqx@x", "emqx@y")
		p.look(10 * time.Second)
	}
	require.Equal(t, writes, p.s.Writes, "reports that say the same are not written")

	info, err := p.m.Cluster(p.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", info.Version)
	require.Equal(t, 2, info.ReadyNodes)
	require.Equal(t, ecp.ConnectionsInfo{Current: 14, Limit: 100, EnforcedBy: ecp.EnforcedByLicense}, info.Current)
	require.Equal(t, "core", info.Nodes[1].Role)
	require.Equal(t, ecp.NodeRunning, info.Nodes[1].Status)
	require.Equal(t, p.now.Add(-10*time.Second), info.LookedAt)

	// A fault counts when it is seen twice, and is over with one good report.
	bad := ecp.AgentReport{
		At:     p.now,
		Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultAuth, Message: "BAD_CREDENTIALS"}},
	}
	p.show(agent, bad)
	require.Equal(t, ecp.Running, p.look(0).Status.State)
	p.now = p.now.Add(10 * time.Second)
	bad.At = p.now
	p.show(agent, bad)
	rec = p.look(0)
	require.Equal(t, ecp.Abnormal, rec.Status.State)
	require.Equal(t, ecp.ReasonEMQXAuthFailed, rec.Status.Reason)
	require.Equal(t, ecp.False, condition(rec, ecp.CondManagementReachable).Status)
	require.Equal(t, ecp.True, condition(rec, ecp.CondAgentConnected).Status)
	require.Equal(t, ecp.Unknown, condition(rec, ecp.CondAvailable).Status,
		"that it cannot be asked says nothing of MQTT")
	agents, err := p.m.Agents.List(asSystem(), p.id)
	require.NoError(t, err)
	require.Equal(t, ecp.ReasonEMQXAuthFailed, agents[0].Reason)
	p.reports(agent, "emqx@x", "emqx@y")
	require.Equal(t, ecp.Running, p.look(0).Status.State)
}

// TestAdoptedIsLookedAtInTime: what shows by time alone is not waited for longer
// than needed.
func TestAdoptedIsLookedAtInTime(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	pass := func() time.Duration { return p.m.reconcile(context.Background(), p.id) }
	require.Equal(t, time.Minute+time.Millisecond, pass(), "for the first report")
	p.reports(agent, "emqx@x")
	require.Equal(t, 45*time.Second+time.Millisecond, pass(), "until it is stale")
	p.away(agent, false)
	require.Equal(t, 5*time.Second+time.Millisecond, pass(), "the grace")
	p.look(5 * time.Second)
	require.Equal(t, ecp.Abnormal, p.rec(p.id).Status.State)
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
	writes := p.s.Writes

	p.restart()
	p.look(0)
	p.look(10 * time.Second)
	p.reports(agent, "emqx@x")
	require.Equal(t, ecp.Running, p.look(0).Status.State)
	require.Equal(t, writes, p.s.Writes)

	p.restart()
	p.look(0)
	writes = p.s.Writes
	var rec ecp.ClusterRecord
	for range 4 { // a whole fleet may take as long
		rec = p.look(10 * time.Second)
		require.Zero(t, rec.Status.StaleFrom)
		info, err := p.m.Cluster(p.id).Get(asSystem())
		require.NoError(t, err)
		require.Contains(t, info.Unseen, "has connected since this program was started")
	}
	require.Equal(t, writes, p.s.Writes)
	rec = p.look(5 * time.Second)
	require.Equal(t, ecp.Running, rec.Status.State)
	require.Equal(t, p.now, rec.Status.StaleFrom)
	for _, kind := range []ecp.ConditionType{
		ecp.CondAgentConnected, ecp.CondAvailable, ecp.CondReady, ecp.CondHealthy,
	} {
		require.Equal(t, ecp.Unknown, condition(rec, kind).Status, kind)
	}
	info, err := p.m.Cluster(p.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", info.Version, "as it was last reported")
	require.Contains(t, info.Unseen, "has connected since this program was started")
	require.Equal(t, ecp.Running, p.look(14*time.Second).Status.State)
	rec = p.look(time.Second)
	require.Equal(t, ecp.Abnormal, rec.Status.State)
	require.Equal(t, ecp.ReasonAgentDisconnected, rec.Status.Reason)
	require.Zero(t, rec.Status.StaleFrom)
	p.reports(agent, "emqx@x")
	require.Equal(t, ecp.Running, p.look(0).Status.State)
}

// TestRegisteringStandsStillWhileUnseen: the time in which nobody can be heard does
// not count.
func TestRegisteringStandsStillWhileUnseen(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.look(40 * time.Second)
	p.now = p.now.Add(time.Hour)
	p.restart()
	require.Equal(t, ecp.Registering, p.look(0).Status.State)
	require.NotZero(t, p.rec(p.id).Status.StaleFrom)
	require.Equal(t, ecp.Registering, p.look(30*time.Second).Status.State)
	p.show(agent, ecp.AgentReport{
		At:     p.now,
		Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultTimeout, Message: "slow"}},
	})
	require.Equal(t, ecp.Registering, p.look(0).Status.State)
	p.link.unheard = "no listener"
	require.Equal(t, ecp.Registering, p.look(0).Status.State)
	require.Equal(t, ecp.Registering, p.look(time.Hour).Status.State)
	p.link.unheard = ""
	p.show(agent, ecp.AgentReport{
		At:     p.now,
		Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultTimeout, Message: "slow"}},
	})
	rec := p.look(0)
	require.Equal(t, ecp.Abnormal, rec.Status.State, "%s", rec.Status.Message)
	require.Equal(t, ecp.ReasonEMQXUnreachable, rec.Status.Reason)
}

// TestRegisteringInVain: after a minute the state says what stands in the way.
func TestRegisteringInVain(t *testing.T) {
	p := newPlant(t)
	p.agent("x")
	p.look(0)
	for range 6 {
		require.Equal(t, ecp.Registering, p.look(10*time.Second-time.Millisecond).Status.State)
	}
	rec := p.look(10 * time.Millisecond)
	require.Equal(t, ecp.Abnormal, rec.Status.State)
	require.Equal(t, ecp.ReasonAgentDisconnected, rec.Status.Reason)
}

func TestDeletingAnAdoptedCluster(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(time.Second)
	op, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)
	require.Equal(t, ecp.OpDelete, op.Kind)
	require.Equal(t, ecp.Deleting, p.rec(p.id).Status.State)
	require.Empty(t, p.s.Records[ecp.KindAgent])
	require.Empty(t, p.s.Records[ecp.KindRegistrationToken])
	require.Contains(t, p.link.all, p.id, "its connections are closed at once")
	_, err = p.m.Agents.Key(t.Context(), agent)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.Equal(t, ecp.Gone, p.look(0).Status.State)
	require.Contains(t, p.s.Records[ecp.KindTombstone], string(p.id))
	got, err := p.m.Operation(asSystem(), op.ID)
	require.NoError(t, err)
	require.Equal(t, ecp.PhaseSucceeded, got.Phase)
	require.Equal(t, []ecp.Step{{Name: "quota-released", Done: 1, Total: 1}}, got.Steps)
	require.Zero(t, p.pool().UsedClusters)
}

func (p *plant) pool() ecp.Pool { return p.s.Records[ecp.KindPool][ecp.PoolKey].Payload.(ecp.Pool) }

// TestDeletingWhileTheQuotaCannotBeGivenBack: it is said, tried again, and force
// ends it.
func TestDeletingWhileTheQuotaCannotBeGivenBack(t *testing.T) {
	for _, force := range []bool{false, true} {
		p := newPlant(t)
		pool := p.s.Records[ecp.KindPool][ecp.PoolKey]
		delete(p.s.Records[ecp.KindPool], ecp.PoolKey)
		_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
		require.Error(t, err, "nothing is booked without a pool")
		p.s.Records[ecp.KindPool][ecp.PoolKey] = pool
		op, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
		require.NoError(t, err)
		delete(p.s.Records[ecp.KindPool], ecp.PoolKey)
		rec := p.look(0)
		require.Equal(t, ecp.Abnormal, rec.Status.State)
		require.Equal(t, ecp.ReasonQuotaReleaseFailed, rec.Status.Reason)
		got, err := p.m.Operation(asSystem(), op.ID)
		require.NoError(t, err)
		require.Equal(t, ecp.PhaseRunning, got.Phase)
		require.NotEmpty(t, got.Error)
		writes := p.s.Writes
		for range 20 {
			require.Equal(t, ecp.Abnormal, p.look(10*time.Second).Status.State)
		}
		require.Equal(t, writes, p.s.Writes)
		if force {
			p.s.Records[ecp.KindPool][ecp.PoolKey] = pool
			_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{Force: true})
			require.NoError(t, err)
			delete(p.s.Records[ecp.KindPool], ecp.PoolKey)
			require.Equal(t, []ecp.State{ecp.Deleting, ecp.Gone}, p.hops(func() { p.look(0) }))
			continue
		}
		p.s.Records[ecp.KindPool][ecp.PoolKey] = pool
		require.Equal(t, []ecp.State{ecp.Deleting, ecp.Gone}, p.hops(func() { p.look(time.Minute) }))
		require.Zero(t, p.pool().UsedClusters)
	}
}

// hops are the states that the cluster passes through meanwhile, each a write.
func (p *plant) hops(fn func()) (out []ecp.State) {
	p.s.Wrote = func(puts []ecp.Record) {
		for _, r := range puts {
			if rec, ok := r.Payload.(ecp.ClusterRecord); ok {
				out = append(out, rec.Status.State)
			}
		}
	}
	defer func() { p.s.Wrote = nil }()
	fn()
	return out
}

// TestOldBookingsAreGivenBack: an earlier build has booked connections for adopted
// clusters.
func TestOldBookingsAreGivenBack(t *testing.T) {
	p := newPlant(t)
	rec := p.rec(p.id)
	rec.Spec.Adopted.Connections = 5
	require.NoError(t, p.s.Write(t.Context(), func(tx ecp.Tx) error {
		pool := p.pool()
		pool.UsedConnections = 5
		return errors.Join(ecp.Put(tx, rec, ecp.AnyVersion), ecp.Put(tx, pool, ecp.AnyVersion))
	}))
	_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Update{Patch: []byte(`{"serviceAddress":"https://x"}`)})
	require.NoError(t, err, "what is booked may stay")
	_, err = p.m.Cluster(p.id).Do(asSystem(), ecp.Update{Patch: []byte(`{"connections":4}`)})
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	_, err = p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)
	require.Equal(t, ecp.Gone, p.look(0).Status.State)
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
	for _, cmd := range []ecp.Command{ecp.Update{Name: &name, Description: &about, Patch: []byte(`{"serviceAddress":"https://x"}`)}, ecp.Transfer{
		Project: "b/p",
	}} {
		op, err := p.m.Cluster(p.id).Do(asSystem(), cmd)
		require.NoError(t, err)
		require.Zero(t, op)
		rec := p.look(0)
		require.Equal(t, ecp.Running, rec.Status.State)
		require.EqualValues(t, 1, rec.Generation)
	}
	require.Empty(t, p.link.dropped)
	require.Empty(t, p.link.all)
	agents, err := p.m.Agents.List(ecp.WithActor(t.Context(),
		ecp.Actor{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "b/p"}}}), p.id)
	require.NoError(t, err)
	require.Len(t, agents, 1)
}

// TestLikeliestAgents: those beside nodes that run come first.
func TestLikeliestAgents(t *testing.T) {
	p := newPlant(t)
	require.Empty(t, p.m.observed.LikeliestAgents(p.id))
	x, y, z := p.agent("x"), p.agent("y"), p.agent("z")
	p.show(z, ecp.AgentReport{At: p.now})
	require.Equal(t, []string{""}, p.m.observed.LikeliestAgents(p.id))
	p.show(x, ecp.AgentReport{
		At:     p.now,
		Node:   "emqx@x",
		Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultTimeout, Message: "x"}},
	})
	p.reports(y, "emqx@y")
	require.Equal(t, []string{"emqx@y", "emqx@x"}, p.m.observed.LikeliestAgents(p.id))
	p.away(y, true)
	require.Equal(t, []string{"emqx@x"}, p.m.observed.LikeliestAgents(p.id))
}
