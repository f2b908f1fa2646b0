package fleet_test

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// volumes gives how large volumes are, and what is said of them.
func (r *rig) volumes(c ecp.Cluster) (capacities []string) {
	r.t.Helper()
	for _, v := range r.get(c).Volumes {
		require.Equal(r.t, r.get(c).Resolved.Size.Storage.Size, v.Wanted)
		capacities = append(capacities, v.Capacity)
	}
	return capacities
}

// A larger volume of a size is given to every node, those of later ones, too.
func TestVolumesGrow(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		require.Equal(t, []string{"10Gi", "10Gi", "10Gi"}, r.volumes(c))
		plan, err := c.Plan(asSystem(), patched(`{"size":"2C4G"}`))
		require.NoError(t, err)
		require.Contains(t, plan.Notes[0], "volumes grow from 10Gi to 20Gi")
		op := r.change(c, `{"size":"2C4G","nodes":4}`)
		r.until("that volumes are small is told", func() bool {
			is := ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondProvisioned)
			return is.Reason == ecp.ReasonVolumePending && strings.Contains(is.Message, "it has 10Gi and grows to 20Gi")
		}, func() any { return r.get(c).Status.Conditions })
		r.ends(op, ecp.PhaseSucceeded)
		r.settled(c)
		require.Equal(t, []string{"20Gi", "20Gi", "20Gi", "20Gi"}, r.volumes(c))

		plan, err = c.Plan(asSystem(), patched(`{"size":"1C1G"}`))
		require.NoError(t, err)
		require.Contains(t, plan.Notes[0], "volumes stay as large as they are")
		r.ends(r.change(c, `{"size":"1C1G"}`), ecp.PhaseSucceeded)
		r.settled(c)
		require.Equal(t, []string{"20Gi", "20Gi", "20Gi", "20Gi"}, r.volumes(c))
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		require.Len(t, r.volumes(c), 4, "of a cluster that is stopped, too")
	})
}

// Volumes that cannot grow are told before, and hold up nothing else.
func TestVolumesThatCannotGrow(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := r.asked()
		c, _ := r.running()
		require.NoError(t, r.sim.FixVolumes(c.ID(), true))
		r.refusedBefore(c, patched(`{"size":"2C4G"}`), "spec.size", "does not let volumes grow")

		check := unasked{Provisioner: r.sim}.Check // the class was changed meanwhile
		p.first.Store(&check)
		r.ends(r.change(c, `{"size":"2C4G"}`), ecp.PhaseSucceeded)
		p.first.Store(nil)
		for _, another := range []string{`{"nodes":4}`, `{"nodes":2}`} {
			st := r.get(c).Status
			require.Equal(t, ecp.Running, st.State)
			require.Equal(t, ecp.ReasonVolumePending, ecp.ConditionOf(st.Conditions, ecp.CondSettled).Reason)
			require.Contains(t, r.get(c).Volumes[0].Pending, "it has 10Gi of 20Gi: ")
			r.ends(r.change(c, another), ecp.PhaseSucceeded)
		}
		require.NoError(t, r.sim.FixVolumes(c.ID(), false))
		r.settled(c)
		require.Equal(t, []string{"20Gi", "20Gi"}, r.volumes(c))
	})
}

// No volume changes its storage class.
func TestNoSizeOfAnotherClass(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, s := range []ecp.Size{{Name: "slow"}, {Name: "fast"}} {
			s.CPU, s.Memory = ecp.Resource{Request: "1", Limit: "1"}, ecp.Resource{Request: "1Gi", Limit: "1Gi"}
			s.Storage = ecp.Storage{Class: s.Name, Size: "10Gi"}
			_, err := r.m.Catalog.Sizes.Create(asSystem(), s, "")
			require.NoError(t, err)
		}
		c, _ := r.running()
		r.ends(r.change(c, `{"size":"slow"}`), ecp.PhaseSucceeded) // it is for the platform to say
		r.refusedBefore(c, patched(`{"size":"fast"}`), "spec.size", `those of this cluster are of "slow"`)
	})
}

func TestLargerThan(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"20Gi", "10Gi", true}, {
		"10Gi", "20Gi", false,
	}, {"10Gi", "10Gi", false}, {"1Gi", "1024Mi", false}, {"1Gi", "1G", true}, {"1Gi", "", false}, {"", "1Gi", false}} {
		require.Equal(t, c.want, ecp.Storage{Size: c.a}.LargerThan(c.b), c)
	}
}
