package fleet_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// named is a simulated platform that can be told from others.
type named struct {
	*emqxsim.Provisioner
	mu sync.Mutex
	id string // guarded by mu, as is err
	// err is answered instead; nil = none.
	err error
}

func (n *named) Identity(context.Context) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id, n.err
}

func (n *named) is(id string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id, n.err = id, err
}

// onNamed runs a test with a cluster that runs on a platform named one.
func onNamed(t *testing.T, test func(r *rig, p *named, c ecp.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.New())
		defer func() { r.stop() }()
		p := &named{Provisioner: r.sim, id: "one"}
		r.make(r.store, p)
		c, _ := r.running()
		test(r, p, c)
	})
}

// writeNothing lets time go by in which nothing may be written, neither to the
// platform nor of the cluster's state.
func (r *rig) writeNothing(c ecp.Cluster) {
	r.t.Helper()
	writes, state := r.sim.Writes(), r.get(c).Status.State
	<-time.After(time.Hour)
	synctest.Wait()
	require.Equal(r.t, writes, r.sim.Writes(), "nothing is written")
	require.Equal(r.t, state, r.get(c).Status.State, "nothing is believed")
}

// A daemon that is led to another platform is refused at its start, and where it
// goes on, it takes no cluster for lost. It goes on as soon as somebody says that
// this is the platform from now on, or it is led back.
func TestAnotherPlatform(t *testing.T) {
	onNamed(t, func(r *rig, p *named, c ecp.Cluster) {
		t := r.t
		r.stop()
		// What is seen of the cluster on the other platform is that it is not there.
		other, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
		require.NoError(t, err)
		strange := &named{Provisioner: other, id: "two"}
		r.make(r.store, strange)
		c = r.m.Cluster(c.ID())
		err = r.m.CheckPlatforms(t.Context())
		require.ErrorIs(t, err, ecp.ErrConflict)
		for _, says := range []string{"(two)", "(one, known since", "moved or rebuilt"} {
			require.Contains(t, err.Error(), says)
		}

		r.run()
		r.until("it is known", func() bool { return r.m.Leases()["default"].OtherPlatform },
			func() any { return r.m.Leases() })
		r.do(c, ecp.Update{Patch: []byte(`{"nodes":2}`)})
		r.writeNothing(c)
		require.Contains(t, r.get(c).Unseen, "leads to another platform (two)")
		require.False(t, r.get(c).Status.StaleFrom.IsZero())
		target, err := r.m.Target(asSystem(), "default")
		require.NoError(t, err)
		require.True(t, target.Health.Lease.OtherPlatform)
		_, err = r.m.Unrecorded(asSystem())
		require.ErrorIs(t, err, ecp.ErrUnavailable)

		_, err = r.m.AcceptPlatform(asSystem(), "default", "three")
		require.ErrorIs(t, err, ecp.ErrInvalid)
		require.ErrorContains(t, err, "two")
		_, err = r.m.AcceptPlatform(as("ann", ecp.RoleOrgAdmin, "default", ""), "default", "two")
		require.ErrorIs(t, err, ecp.ErrDenied)
		_, err = r.m.AcceptPlatform(asSystem(), "none", "two")
		require.ErrorIs(t, err, ecp.ErrNotFound)
		_, err = r.m.AcceptPlatform(asSystem(), "default", "two")
		require.NoError(t, err)
		r.until("it is looked for there", func() bool { return r.get(c).Status.Reason == ecp.ReasonDataLost },
			func() any { return r.get(c).Status })
		r.do(c, ecp.Repair{})
		r.reaches(c, ecp.Running)
		require.Len(t, r.get(c).Nodes, 2, "it is made anew where it is from now on")

		r.stop()
		r.make(r.store, p)
		require.ErrorIs(t, r.m.CheckPlatforms(t.Context()), ecp.ErrConflict, "the old one is the other one now")
		r.run()
		r.until("it is noticed", func() bool { return r.m.Leases()["default"].OtherPlatform },
			func() any { return r.m.Leases() })
		r.stop() // it ends all the same
		p.is("", &ecp.Error{Code: ecp.CodeUnavailable, Message: "refused"})
		r.make(r.store, p)
		r.run()
		<-time.After(time.Minute)
		r.stop()
		r.make(r.store, strange)
		require.NoError(t, r.m.CheckPlatforms(t.Context()))
	})
}

// What is behind an address may become another platform while the program runs.
func TestPlatformChangesMeanwhile(t *testing.T) {
	onNamed(t, func(r *rig, p *named, c ecp.Cluster) {
		p.is("two", nil)
		r.until("it is noticed", func() bool { return r.m.Leases()["default"].OtherPlatform },
			func() any { return r.m.Leases() })
		r.do(c, ecp.Stop{})
		r.writeNothing(c)
		p.is("one", nil)
		r.reaches(c, ecp.Stopped)
	})
}

// A platform that does not answer is neither the right one nor another; one that
// may not say who it is, is worked with.
func TestPlatformsThatDoNotSay(t *testing.T) {
	onNamed(t, func(r *rig, p *named, c ecp.Cluster) {
		t := r.t
		p.is("", &ecp.Error{Code: ecp.CodeUnavailable, Message: "refused"})
		r.do(c, ecp.Stop{})
		r.reaches(c, ecp.Stopped) // it was known a moment ago
		r.stop()

		r.make(r.store, p)
		c = r.m.Cluster(c.ID())
		require.NoError(t, r.m.CheckPlatforms(t.Context()))
		r.run()
		r.do(c, ecp.Start{})
		r.writeNothing(c)
		require.Contains(t, r.get(c).Unseen, "not known yet")
		p.is("", &ecp.Error{Code: ecp.CodeUnsupported, Message: "no right"})
		r.reaches(c, ecp.Running)
	})
}

// A target on which nothing is takes another platform without asking.
func TestEmptyTargetTakesAnyPlatform(t *testing.T) {
	onNamed(t, func(r *rig, _ *named, c ecp.Cluster) {
		t := r.t
		r.do(c, ecp.Delete{})
		r.gone(c)
		r.stop()
		r.make(r.store, &named{Provisioner: r.sim, id: "two"})
		require.NoError(t, r.m.CheckPlatforms(t.Context()))
		r.run()
		again, _ := r.create("b")
		r.reaches(again, ecp.Running)
	})
}
