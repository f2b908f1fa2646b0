package fleet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/stretchr/testify/require"
)

// keysReplaced checks what a repair has made of a cluster whose Secret had gone: every pod is
// another one, all nodes have the same names and volumes, and count one another.
func (r *rig) keysReplaced(c ecp.Cluster, before ecp.Observation) {
	r.t.Helper()
	r.settled(c)
	now := r.found(c)
	require.NotEmpty(r.t, now.Auth)
	require.NotEqual(r.t, before.Auth, now.Auth)
	require.Len(r.t, now.Nodes, len(before.Nodes))
	for i, n := range now.Nodes {
		require.Equal(r.t, before.Nodes[i].Name, n.Name)
		require.NotEqual(r.t, before.Nodes[i].PodUID, n.PodUID, n.Pod)
	}
	require.Equal(r.t, before.Volumes, now.Volumes, "what nodes have stored is kept")
	r.until("all are members", func() bool { return len(r.members(c)) == len(before.Nodes) },
		func() any { return r.members(c) })
	require.NotContains(r.t, r.stored(), "oldKeys")
}

// TestRepairReplacesKeys: nodes go on with the keys they have started with, and with two
// cookies there are two clusters.
func TestRepairReplacesKeys(t *testing.T) {
	for name, other := range map[string]func(*rig) ecp.Cluster{
		"5.8.9":  func(r *rig) ecp.Cluster { c, _ := r.runningOn("emqx-ee-5.8.9", 3); return c },
		"4.4.24": func(r *rig) ecp.Cluster { c, _ := r.runningOn("emqx-ee-4.4.24", 3); return c },
		"alone":  func(r *rig) ecp.Cluster { c, _ := r.runningOn("emqx-ee-5.8.9", 1); return c },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) { keysAreReplaced(r, other(r)) })
		})
	}
	t.Run("replicants", func(t *testing.T) { inReplicantBubble(t, 2, keysAreReplaced) })
}

func keysAreReplaced(r *rig, c ecp.Cluster) {
	t := r.t
	d := r.watch(c)
	connected := r.clients(c, 9)
	before := r.found(c)
	require.NoError(t, r.sim.DeleteAuth(c.ID()))
	if len(before.Nodes) > 1 {
		require.NoError(t, r.sim.DeletePod(c.ID(), 1)) // it cannot start again
	}
	require.Equal(t, ecp.ReasonSecretLost, r.reaches(c, ecp.Abnormal).Status.Reason)
	<-time.After(time.Minute)

	plan, err := c.Plan(asSystem(), ecp.Repair{})
	require.NoError(t, err)
	require.Contains(t, plan.Notes[0], "all nodes are stopped at once")
	require.Contains(t, plan.Steps, "nodes-stopped")
	require.Contains(t, plan.Notes[0], "all clients are cut")
	require.Len(t, plan.Nodes.Replaced, len(derive.OfRole(before.Nodes, ecp.RoleCore)))

	op := r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
	r.keysReplaced(c, before)
	require.Equal(t, "running abnormal updating syncing running", d.states())
	require.Equal(t, "nodes-stopped", op.Steps[0].Name)
	for _, s := range op.Steps {
		require.Equal(t, s.Total, s.Done, s.Name)
	}
	r.until("clients are back", func() bool { return connected() == 9 }, func() any { return connected() })
}

// TestKeysAreReplacedWhateverHappens: the end is the same wherever the program ends, whether or
// not it knew of the loss when the repair was asked for, and whatever is asked for meanwhile.
func TestKeysAreReplacedWhateverHappens(t *testing.T) {
	for _, x := range []struct {
		name string
		then func(r *rig, c ecp.Cluster)
	}{
		{"restarts", func(r *rig, c ecp.Cluster) {
			op := r.do(c, ecp.Repair{})
			for restarts := 0; !r.ended(op)() && restarts < 60; restarts++ {
				r.looked(1 + uint64(restarts%3))
				r.restart()
			}
			r.ends(op, ecp.PhaseSucceeded)
		}},
		{"nothing observed yet", func(r *rig, c ecp.Cluster) {
			r.stop()
			r.make(r.store, &r.applied)
			op := r.do(r.m.Cluster(c.ID()), ecp.Repair{})
			r.run()
			require.Equal(r.t, "nodes-stopped", r.ends(op, ecp.PhaseSucceeded).Steps[0].Name)
		}},
		{"lost once more", func(r *rig, c ecp.Cluster) {
			r.do(c, ecp.Repair{})
			r.until("a new Secret", func() bool { return r.found(c).Auth != "" }, func() any { return r.found(c) })
			require.NoError(r.t, r.sim.DeleteAuth(c.ID()))
		}},
		{"with a claim", func(r *rig, c ecp.Cluster) {
			require.NoError(r.t, r.sim.DeleteClaim(c.ID(), 2))
			<-time.After(time.Minute)
			r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		}},
		{"stop and start", func(r *rig, c ecp.Cluster) {
			r.do(c, ecp.Repair{})
			r.looked(1)
			r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
			require.NotContains(r.t, r.stored(), "oldKeys")
			r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		}},
		{"a stop that is cancelled", func(r *rig, c ecp.Cluster) {
			r.do(c, ecp.Repair{})
			stop := r.do(c, ecp.Stop{})
			_, err := r.m.CancelOperation(asSystem(), stop.ID)
			require.NoError(r.t, err)
		}},
		{"a change", func(r *rig, c ecp.Cluster) {
			r.do(c, ecp.Repair{})
			r.looked(1)
			r.ends(r.change(c, `{"connections":300}`), ecp.PhaseSucceeded)
		}},
		{"a machine that does not answer", func(r *rig, c ecp.Cluster) {
			require.NoError(r.t, r.sim.LoseMachine(c.ID(), 0))
			r.do(c, ecp.Repair{})
			r.until("the others start", func() bool {
				o := r.found(c)
				return len(o.Nodes) == 3 && o.Nodes[1].Ready && o.Nodes[2].Ready && !o.Nodes[0].Ready
			}, func() any { return r.found(c).Nodes })
			require.NoError(r.t, r.sim.FenceMachine(c.ID(), 0))
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				before := r.found(c)
				require.NoError(t, r.sim.DeleteAuth(c.ID()))
				r.reaches(c, ecp.Abnormal)
				x.then(r, c)
				c = r.m.Cluster(c.ID())
				r.reaches(c, ecp.Running)
				if x.name == "with a claim" {
					before.Volumes = r.found(c).Volumes
				}
				r.keysReplaced(c, before)
			})
		})
	}
}

// restart ends the program and starts it again.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.make(r.store, &r.applied)
	r.run()
}

// TestSecretIsPutBack: with what it held, nothing has to be done, whatever the object's UID is.
func TestSecretIsPutBack(t *testing.T) {
	for name, stopped := range map[string]bool{"while it runs": false, "while it is stopped": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.running()
				if stopped {
					r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
				}
				before, was := r.found(c), r.get(c).Status.State
				require.NoError(t, r.sim.DeleteAuth(c.ID()))
				r.reaches(c, ecp.Abnormal)
				require.NoError(t, r.sim.RestoreAuth(c.ID()))
				r.reaches(c, was)
				r.settled(c)
				now := r.found(c)
				require.NotEqual(t, before.Auth, now.Auth)
				require.Equal(t, before.Nodes, now.Nodes)
				require.NotContains(t, d.states(), "updating")
			})
		})
	}
}

func TestDeleteWhileKeysAreReplaced(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		require.NoError(t, r.sim.DeleteAuth(c.ID()))
		r.reaches(c, ecp.Abnormal)
		r.do(c, ecp.Repair{})
		r.looked(1)
		end := r.do(c, ecp.Delete{})
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
		r.leftover(c, end)
	})
}

// TestOldRecordStopsNobody: pods that a record says have other keys, and that have long gone,
// are no reason to stop those that run.
func TestOldRecordStopsNobody(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.stop()
		before := r.found(c)
		require.NoError(t, r.store.Write(context.Background(), func(tx ecp.Tx) error {
			rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(c.ID()))
			rec.Status.OldKeys = []string{"a pod that has gone"}
			return errors.Join(err, ecp.Put(tx, rec, ecp.AnyVersion))
		}))
		r.make(r.store, &r.applied)
		r.run()
		c = r.m.Cluster(c.ID())
		r.looked(5)
		require.Equal(t, before.Nodes, r.found(c).Nodes)
		require.NotContains(t, r.stored(), "oldKeys")
		d.stop()
	})
}
