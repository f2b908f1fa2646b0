package fleet_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// backup copies what a store holds into a new one.
func backup(t *testing.T, from ecp.Store) ecp.Store {
	t.Helper()
	to := memstore.New()
	var all []ecp.Record
	require.NoError(t, from.Read(context.Background(), func(tx ecp.Tx) error {
		all = nil
		for _, kind := range []ecp.Kind{
			ecp.KindCluster, ecp.KindTombstone, ecp.KindOperation, ecp.KindProject, ecp.KindOrg, ecp.KindImage,
			ecp.KindSize, ecp.KindPool,
		} {
			for r, err := range tx.List(ecp.Query{Kind: kind}) {
				if err != nil {
					return err
				}
				all = append(all, r)
			}
		}
		return nil
	}))
	require.NoError(t, to.Write(context.Background(), func(tx ecp.Tx) error {
		for _, r := range all {
			if err := tx.Put(r, 0); err != nil {
				return err
			}
		}
		return nil
	}))
	return to
}

// restore ends the Manager and begins another on an older store.
func (r *rig) restore(older ecp.Store) {
	r.t.Helper()
	r.stop()
	r.store = older
	r.make(older, &r.applied)
	r.run()
}

// older makes a cluster, backs its record up, changes it, and puts the backup in place.
func (r *rig) older(changes ...ecp.Command) ecp.Cluster {
	r.t.Helper()
	c, _ := r.running()
	saved := backup(r.t, r.store)
	for _, cmd := range changes {
		r.ends(r.do(c, cmd), ecp.PhaseSucceeded)
	}
	r.restore(saved)
	return r.m.Cluster(c.ID())
}

func patched(json string) ecp.Update { return ecp.Update{Patch: []byte(json)} }

func (r *rig) isOlder(c ecp.Cluster) ecp.Info {
	r.t.Helper()
	info := r.reaches(c, ecp.Abnormal)
	require.Equal(r.t, ecp.ReasonRecordOlder, info.Status.Reason)
	provisioned := ecp.ConditionOf(info.Status.Conditions, ecp.CondProvisioned)
	require.Equal(r.t, ecp.False, provisioned.Status)
	require.Equal(r.t, ecp.ReasonRecordOlder, provisioned.Reason)
	return info
}

// Whatever is asked of a cluster whose record is older than what is there, nothing
// is written before a person has decided what counts.
func TestOlderRecordWritesNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.older(patched(`{"nodes":5,"network":{"type":"NodePort"}}`))
		writes, was := r.sim.Writes(), r.found(c)
		info := r.isOlder(c)
		require.Contains(r.t, info.Status.Message, "take-over")
		require.Equal(r.t, []ecp.CommandKind{
			ecp.CommandTakeOver, ecp.CommandPutBack, ecp.CommandTransfer, ecp.CommandDelete,
		}, info.Legal())
		for _, cmd := range []ecp.Command{
			ecp.Start{}, ecp.Stop{}, ecp.Restart{}, ecp.Repair{}, ecp.Delete{}, patched(`{"connections":20}`),
		} {
			_, err := c.Do(asSystem(), cmd)
			require.ErrorIs(r.t, err, ecp.ErrConflict, "%s", cmd.Kind())
			_, err = c.Plan(asSystem(), cmd)
			require.ErrorIs(r.t, err, ecp.ErrConflict, "%s", cmd.Kind())
		}
		name := "renamed"
		r.do(c, ecp.Update{Name: &name})
		r.do(c, ecp.Transfer{Project: "default/other"})
		r.looked(20)
		require.Equal(r.t, writes, r.sim.Writes())
		require.Equal(r.t, claims(was), claims(r.found(c)))
		require.Len(r.t, r.found(c).Nodes, 5)

		r.do(c, ecp.Delete{Force: true})
		r.gone(c)
		require.Zero(r.t, r.pool().UsedConnections)
	})
}

// A command that comes before the first look makes the record's generation that
// of the objects, with another content.
func TestOlderRecordThatCaughtUp(t *testing.T) {
	for name, cmd := range map[string]ecp.Command{"update": patched(`{"connections":20}`), "stop": ecp.Stop{}, "delete": ecp.Delete{}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				saved := backup(r.t, r.store)
				r.ends(r.do(c, patched(`{"nodes":5}`)), ecp.PhaseSucceeded)
				r.stop()
				r.store = saved
				r.make(saved, &r.applied)
				c = r.m.Cluster(c.ID())
				_, err := c.Do(asSystem(), cmd)
				require.NoError(r.t, err)
				writes := r.sim.Writes()
				r.run()
				r.isOlder(c)
				r.looked(20)
				require.Equal(r.t, writes, r.sim.Writes())
			})
		})
	}
}

func TestTakeOver(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.older(patched(`{"nodes":5,"connections":30,"network":{"type":"NodePort"}}`), ecp.Restart{})
		r.isOlder(c)
		was := r.found(c)
		plan, err := c.Plan(asSystem(), ecp.TakeOver{})
		require.NoError(r.t, err)
		require.Equal(r.t, ecp.Updating, plan.To)
		for _, says := range []string{"nodes 3 becomes 5", "connections 10 becomes 30", "NodePort"} {
			require.Contains(r.t, strings.Join(plan.Notes, "\n"), says)
		}
		require.Equal(r.t, 10, r.pool().UsedConnections, "a plan books nothing")

		r.ends(r.do(c, ecp.TakeOver{}), ecp.PhaseSucceeded)
		r.settled(c)
		info := r.get(c)
		require.Equal(r.t, ecp.Running, info.Status.State)
		require.Equal(r.t, 5, info.Spec.Hosted.Nodes)
		require.Equal(r.t, ecp.NodePort, info.Spec.Hosted.Network.Type)
		require.Equal(r.t, 30, r.pool().UsedConnections)
		require.Equal(r.t, 30, info.Spec.Hosted.Connections)
		now := r.found(c)
		require.Equal(r.t, claims(was), claims(now))
		require.Equal(r.t, pods(was), pods(now), "no node is replaced")
		require.Equal(r.t, was.Endpoints, now.Endpoints)
		require.Greater(r.t, now.Generation, was.Generation)
		_, err = c.Do(asSystem(), ecp.TakeOver{})
		require.ErrorIs(r.t, err, ecp.ErrConflict, "there is nothing to take over any more")
		r.ends(r.do(c, patched(`{"nodes":4}`)), ecp.PhaseSucceeded)
	})
}

// What was stopped, or scaled by hand, after the backup: volumes stay.
func TestTakeOverKeepsVolumes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.older(patched(`{"nodes":4}`), ecp.Stop{})
		r.isOlder(c)
		was := claims(r.found(c))
		r.ends(r.do(c, ecp.TakeOver{}), ecp.PhaseSucceeded)
		require.Equal(r.t, ecp.Stopped, r.get(c).Status.State)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Equal(r.t, was, claims(r.found(c)))
		require.Len(r.t, r.found(c).Nodes, 4)
	})
}

func TestPutBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.older(patched(`{"nodes":5,"connections":30}`))
		r.isOlder(c)
		plan, err := c.Plan(asSystem(), ecp.PutBack{})
		require.NoError(r.t, err)
		says := strings.Join(plan.Notes, "\n")
		for _, want := range []string{
			"nodes 5 becomes 3", "connections 30 becomes 10", "-3, ", "-4", "volumes are deleted",
		} {
			require.Contains(r.t, says, want)
		}
		least := 5
		op := r.do(c, ecp.PutBack{})
		r.until("put back", func() bool {
			o := r.found(c)
			least = min(least, len(o.Nodes))
			for _, n := range o.Nodes {
				if n.Ordinal < 3 {
					assert.True(r.t, n.Ready || n.Reason != "", "%+v", n)
				}
			}
			got, err := r.m.Operation(asSystem(), op.ID)
			require.NoError(r.t, err)
			return got.Phase == ecp.PhaseSucceeded
		}, func() any { return r.get(c).Status })
		require.Equal(r.t, 3, least)
		o := r.found(c)
		require.Len(r.t, o.Nodes, 3)
		require.Len(r.t, o.Volumes, 3)
		require.Equal(r.t, 10, r.pool().UsedConnections)
		d := r.lastRolled()
		require.Equal(r.t, []int{5, 4, 3}, d, "one node at a time")
	})
}

// lastRolled gives the numbers of nodes that were asked for since the last time
// that their number grew or the Manager began.
func (r *rig) lastRolled() (out []int) {
	r.applied.mu.Lock()
	defer r.applied.mu.Unlock()
	for _, d := range r.applied.all {
		if n := len(out); n == 0 || out[n-1] != d.Replicas {
			if n > 0 && d.Replicas > out[n-1] {
				out = nil
			}
			out = append(out, d.Replicas)
		}
	}
	return out
}

// Nodes that left after the backup come back without what they had, which the
// plan says.
func TestPutBackMoreNodes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.older(patched(`{"nodes":2}`))
		r.isOlder(c)
		plan, err := c.Plan(asSystem(), ecp.PutBack{})
		require.NoError(r.t, err)
		require.Contains(r.t, strings.Join(plan.Notes, "\n"),
			"node 2 does not have the volume that is recorded any more")
		r.ends(r.do(c, ecp.PutBack{}), ecp.PhaseSucceeded)
		require.Len(r.t, r.found(c).Nodes, 3)
		require.Equal(r.t, ecp.Running, r.get(c).Status.State)
	})
}

// EMQX may not read what a later minor version has written.
func TestPutBackRefusesDowngrades(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID:        "emqx-ee-5.7.2",
			Reference: "emqx/emqx-enterprise:5.7.2",
			Version:   "5.7.2",
		}, "")
		require.NoError(r.t, err)
		info, _, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.7.2", 1)})
		require.NoError(r.t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		r.settled(c)
		saved := backup(r.t, r.store)
		r.ends(r.do(c, patched(`{"image":"emqx-ee-5.8.9"}`)), ecp.PhaseSucceeded)
		r.restore(saved)
		c = r.m.Cluster(info.ID)
		r.isOlder(c)
		_, err = c.Plan(asSystem(), ecp.PutBack{})
		require.ErrorIs(r.t, err, ecp.ErrUnsupported)
		r.ends(r.do(c, ecp.TakeOver{}), ecp.PhaseSucceeded)
		require.Equal(r.t, "5.8.9", r.get(c).Resolved.Image.Version)
	})
}

// The plan of any change names the volumes that it deletes of nodes that are gone.
func TestPlanNamesLeftVolumes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		require.NoError(r.t, r.sim.ScaleByHand(c.ID(), 5))
		r.until("volumes", func() bool { return len(r.found(c).Volumes) == 5 }, func() any { return r.found(c) })
		r.until("three nodes", func() bool { return len(r.found(c).Nodes) == 3 }, func() any { return r.found(c) })
		r.settled(c)
		r.looked(2)
		plan, err := c.Plan(asSystem(), patched(`{"connections":20}`))
		require.NoError(r.t, err)
		require.True(r.t, slices.ContainsFunc(plan.Notes,
			func(s string) bool { return strings.Contains(s, "volumes of nodes") }), "%q", plan.Notes)
	})
}
