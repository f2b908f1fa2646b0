package fleet_test

import (
	"encoding/json"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// TestOnlyAsPlanned: a command that depends on a plan is carried out while the plan is
// the same, and refused with nothing done where the world has moved.
func TestOnlyAsPlanned(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.1", 3)
		more := ecp.Update{Patch: json.RawMessage(`{"nodes":5,"connections":20}`)}
		plan, err := c.Plan(asSystem(), more)
		require.NoError(t, err)
		require.Equal(t, []int{3, 4}, plan.Nodes.Added)
		require.Equal(t, 20, plan.Quota.Will)
		require.NotZero(t, plan.Quota.Was)
		again, err := c.Plan(asSystem(), more)
		require.NoError(t, err)
		require.Equal(t, plan, again)

		for name, other := range map[string]ecp.Command{
			"other nodes": ecp.Update{Patch: json.RawMessage(`{"nodes":4,"connections":20}`)},
			"other kind":  ecp.Restart{},
			"a setting":   ecp.Update{Patch: json.RawMessage(`{"nodes":5,"connections":20,"config":{"mqtt.max_packet_size":"2MB"}}`)},
		} {
			before := r.get(c)
			_, err := c.Do(ecp.WithPlan(asSystem(), plan.Hash), other)
			require.ErrorIs(t, err, ecp.ErrPrecondition, name)
			require.Equal(t, before, r.get(c), name)
		}
		name := "renamed"
		require.Zero(t, r.do(c, ecp.Update{Name: &name}))
		_, err = c.Do(ecp.WithPlan(asSystem(), plan.Hash), more)
		require.ErrorIs(t, err, ecp.ErrPrecondition, "the record has changed")

		plan, err = c.Plan(asSystem(), more)
		require.NoError(t, err)
		op, err := c.Do(ecp.WithPlan(asSystem(), plan.Hash), more)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		require.Len(t, r.get(c).Nodes, 5)
	})
}

// TestCreatedAsPlanned: what the catalog says is part of a plan.
func TestCreatedAsPlanned(t *testing.T) {
	inBubble(t, func(r *rig) {
		ask := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
			Nodes: 1, Connections: 10, Network: ecp.Network{Type: ecp.ClusterIP},
		}}}
		plan, err := r.m.PlanCreate(asSystem(), ask)
		require.NoError(t, err)
		require.Equal(t, []int{0}, plan.Nodes.Added)
		ask.Spec.Hosted.Nodes = 2
		_, _, err = r.m.Create(ecp.WithPlan(asSystem(), plan.Hash), ask)
		require.ErrorIs(t, err, ecp.ErrPrecondition)
		require.Zero(t, r.pool().UsedClusters)
		ask.Spec.Hosted.Nodes = 1
		_, _, err = r.m.Create(ecp.WithPlan(asSystem(), plan.Hash), ask)
		require.NoError(t, err)
	})
}
