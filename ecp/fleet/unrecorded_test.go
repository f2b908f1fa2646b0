package fleet_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// lost makes a cluster that no record knows: the database is older than it.
func (r *rig) lost(change func(c ecp.Cluster)) ecp.ID {
	r.t.Helper()
	r.running()
	saved := backup(r.t, r.store)
	info, _, err := r.m.Create(asSystem(),
		fleet.CreateRequest{Mode: ecp.Hosted, Name: "b", Spec: spec("emqx-ee-5.8.9", 2)})
	require.NoError(r.t, err)
	c := r.m.Cluster(info.ID)
	r.reaches(c, ecp.Running)
	r.settled(c)
	if change != nil {
		change(c)
	}
	r.restore(saved)
	return info.ID
}

func (r *rig) unrecorded() []fleet.UnrecordedCluster {
	r.t.Helper()
	list, err := r.m.Unrecorded(asSystem())
	require.NoError(r.t, err)
	return list
}

func TestUnrecordedIsTakenOver(t *testing.T) {
	inBubble(t, func(r *rig) {
		id := r.lost(func(c ecp.Cluster) { r.ends(r.do(c, patched(`{"connections":40}`)), ecp.PhaseSucceeded) })
		list := r.unrecorded()
		require.Len(r.t, list, 1)
		require.Equal(r.t, id, list[0].ID)
		require.Equal(r.t, "b", list[0].Name)
		require.Equal(r.t, "default/default", list[0].Project)
		require.True(r.t, list[0].Manifest)
		require.Nil(r.t, list[0].Tombstone)
		r.until("counted", func() bool { return r.m.Stats().Unrecorded == 1 }, func() any { return r.m.Stats() })
		was, err := r.sim.Observe(asSystem(), id)
		require.NoError(r.t, err)

		plan, err := r.m.PlanTakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: id})
		require.NoError(r.t, err)
		require.Contains(r.t, strings.Join(plan.Notes, "\n"), "40 connections are booked")
		require.Equal(r.t, 10, r.pool().UsedConnections, "a plan books nothing")
		_, _, err = r.m.TakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: id, Name: "a"})
		require.ErrorIs(r.t, err, ecp.ErrExists)

		info, op, err := r.m.TakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: id})
		require.NoError(r.t, err)
		require.Equal(r.t, id, info.ID)
		r.ends(op, ecp.PhaseSucceeded)
		c := r.m.Cluster(id)
		r.settled(c)
		require.Equal(r.t, claims(was), claims(r.found(c)))
		require.Equal(r.t, pods(was), pods(r.found(c)), "no node is replaced")
		require.Equal(r.t, 50, r.pool().UsedConnections)
		require.Equal(r.t, 2, r.pool().UsedClusters)
		require.Empty(r.t, r.unrecorded())
		require.Zero(r.t, r.m.Stats().Unrecorded)
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		require.Equal(r.t, 10, r.pool().UsedConnections)
	})
}

func TestUnrecordedIsRemovedByNameOnly(t *testing.T) {
	inBubble(t, func(r *rig) {
		id := r.lost(nil)
		writes := r.sim.Writes()
		r.looked(30)
		require.Equal(r.t, writes, r.sim.Writes(), "it is left alone")
		require.ErrorIs(r.t, r.m.RemoveUnrecorded(asSystem(), id, "", "c"), ecp.ErrInvalid)
		someone := ecp.WithActor(context.Background(),
			ecp.Actor{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "default"}}})
		require.ErrorIs(r.t, r.m.RemoveUnrecorded(someone, id, "", "b"), ecp.ErrDenied)
		_, err := r.m.Unrecorded(someone)
		require.ErrorIs(r.t, err, ecp.ErrDenied)
		require.Len(r.t, r.unrecorded(), 1)

		require.NoError(r.t, r.m.RemoveUnrecorded(asSystem(), id, "", "b"))
		r.until("removed", func() bool { return len(r.unrecorded()) == 0 }, func() any { return r.unrecorded() })
		require.ErrorIs(r.t, r.m.RemoveUnrecorded(asSystem(), id, "", "b"), ecp.ErrNotFound)
	})
}

// A cluster that was deleted, and is there again: its tombstone is told of.
func TestUnrecordedWithTombstone(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		d := r.lastApplied()
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		r.gone(c)
		d.Create, d.Replicas = true, 3
		require.NoError(r.t, r.sim.Apply(asSystem(), d))
		list := r.unrecorded()
		require.Len(r.t, list, 1)
		require.NotNil(r.t, list[0].Tombstone)
		plan, err := r.m.PlanTakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: c.ID()})
		require.NoError(r.t, err)
		require.Contains(r.t, strings.Join(plan.Notes, "\n"), "it was deleted at")
		_, op, err := r.m.TakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: c.ID()})
		require.NoError(r.t, err)
		r.ends(op, ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		r.gone(c)
	})
}

// Values of settings are not kept with the objects: whoever takes over gives them.
func TestUnrecordedSettings(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		r.run()
		saved := backup(r.t, r.store)
		s := spec("emqx-ee-5.8.9", 1)
		s.Hosted.Config = map[string]string{"mqtt.max_packet_size": "2MB", "exhook.phrase": "hush"}
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "b", Spec: s})
		require.NoError(r.t, err)
		r.settled(r.m.Cluster(info.ID))
		require.NotContains(r.t, r.found(r.m.Cluster(info.ID)).Manifest, "hush")
		r.restore(saved)
		require.Equal(r.t, []string{"exhook.phrase"}, r.unrecorded()[0].Settings)
		_, _, err = r.m.TakeOverUnrecorded(asSystem(), fleet.TakeOverRequest{ID: info.ID})
		require.ErrorIs(r.t, err, ecp.ErrConflict)
		_, op, err := r.m.TakeOverUnrecorded(asSystem(),
			fleet.TakeOverRequest{ID: info.ID, Config: map[string]string{"exhook.phrase": "hush"}})
		require.NoError(r.t, err)
		r.ends(op, ecp.PhaseSucceeded)
		require.Equal(r.t, map[string]string{"mqtt.max_packet_size": "2MB", "exhook.phrase": "hush"},
			r.appliedSettings())
	})
}
