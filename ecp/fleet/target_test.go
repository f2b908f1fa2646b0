package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// platforms makes a Provisioner for each kubeconfig, and counts those at work.
type platforms struct {
	sims map[ecp.Secret]*emqxsim.Provisioner

	mu       sync.Mutex
	watching map[ecp.Secret]int   // guarded by mu
	broken   map[ecp.Secret]error // guarded by mu
	closed   int                  // guarded by mu
}

func (p *platforms) factory(_ context.Context, c ecp.TargetConfig) (ecp.Provisioner, error) {
	if p.sims[c.Kubeconfig] == nil {
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Message: "it is not a kubeconfig"}
	}
	return &platform{Provisioner: p.sims[c.Kubeconfig], all: p, config: c.Kubeconfig, network: c.Network}, nil
}

func (p *platforms) at(config ecp.Secret) (watching int, broken error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watching[config], p.broken[config]
}

func (p *platforms) breakDown(config ecp.Secret, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[config] = err
}

// platform is a simulated one that can be broken.
type platform struct {
	*emqxsim.Provisioner
	all     *platforms
	config  ecp.Secret
	network ecp.TargetNetwork
}

func (p *platform) Network() ecp.TargetNetwork { return p.network }

func (p *platform) Watch(ctx context.Context, wake func(ecp.ID)) error {
	p.all.mu.Lock()
	p.all.watching[p.config]++
	p.all.mu.Unlock()
	defer func() {
		p.all.mu.Lock()
		defer p.all.mu.Unlock()
		p.all.watching[p.config]--
	}()
	return p.Provisioner.Watch(ctx, wake)
}

func (p *platform) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if _, err := p.all.at(p.config); err != nil {
		return ecp.Observation{}, err
	}
	return p.Provisioner.Observe(ctx, id)
}

func (p *platform) Close() error {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.all.closed++
	return nil
}

// withTargets runs a test with a Manager that has no target of its own.
func withTargets(t *testing.T, test func(*rig, *platforms)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platforms{
			sims:     map[ecp.Secret]*emqxsim.Provisioner{},
			watching: map[ecp.Secret]int{},
			broken:   map[ecp.Secret]error{},
		}
		for _, config := range []ecp.Secret{"west-1", "west-2"} {
			sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
			require.NoError(t, err)
			p.sims[config] = sim
		}
		r := newRig(t, memstore.New())
		defer func() { r.stop() }()
		r.withTargets(p)
		test(r, p)
	})
}

func (r *rig) withTargets(p *platforms) {
	r.t.Helper()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k", Secret: bytes.Repeat([]byte{1}, 32)})
	require.NoError(r.t, err)
	r.m, err = fleet.New(context.Background(), fleet.Config{Store: r.store, NewProvisioner: p.factory, Sealer: ring})
	require.NoError(r.t, err)
}

func (r *rig) target(name string) ecp.TargetInfo {
	r.t.Helper()
	i, err := r.m.Target(asSystem(), name)
	require.NoError(r.t, err)
	return i
}

func (r *rig) reachable(name string, want ecp.ConditionStatus) ecp.TargetInfo {
	r.t.Helper()
	r.until("target "+string(want), func() bool { return r.target(name).Health.Reachable == want },
		func() any { return r.target(name) })
	return r.target(name)
}

func TestTargetsAreAddedChangedAndRemovedWhileRunning(t *testing.T) {
	withTargets(t, func(r *rig, p *platforms) {
		r.run()
		on := spec("emqx-ee-5.8.9", 1)
		on.Hosted.Target = "west"
		request := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: on}
		_, _, err := r.m.Create(asSystem(), request)
		require.ErrorIs(t, err, ecp.ErrInvalid, "there is no such target")
		_, err = r.m.Catalog.Targets.Create(asSystem(), ecp.Target{Name: "west"}, "west-1")
		require.NoError(t, err)
		r.reachable("west", ecp.True)
		info, _, err := r.m.Create(asSystem(), request)
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		require.Equal(t, 1, r.target("west").Clusters)
		err = r.m.Catalog.Targets.Delete(asSystem(), "west", 0)
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "in use by cluster a")

		p.breakDown("west-1", &ecp.Error{
			Code:    ecp.CodeUnavailable,
			Op:      "observe cluster emqx-00000000",
			Message: "the API server does not answer",
		})
		h := r.reachable("west", ecp.False).Health
		require.Equal(t, "the API server does not answer", h.Message, "without the cluster that nobody has")
		p.breakDown("west-1", nil)
		require.True(t, r.reachable("west", ecp.True).Health.Since.After(h.Since))

		bad, second := ecp.Secret("nonsense"), ecp.Secret("west-2")
		_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west"}, &bad)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		watching, _ := p.at("west-1")
		require.Equal(t, 1, watching, "a bad kubeconfig changes nothing")
		_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west", Description: "moved"}, &second)
		require.NoError(t, err)
		r.until("the second is watched", func() bool { n, _ := p.at("west-2"); return n == 1 },
			func() any { return p.watching })
		watching, _ = p.at("west-1")
		require.Zero(t, watching, "the first has ended")
		_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west", Description: "words only"}, nil)
		require.NoError(t, err)

		r.do(c, ecp.Delete{Force: true})
		r.gone(c)
		require.NoError(t, r.m.Catalog.Targets.Delete(asSystem(), "west", 0))
		r.until("nothing is watched", func() bool { n, _ := p.at("west-2"); return n == 0 },
			func() any { return p.watching })
		_, err = r.m.Target(asSystem(), "west")
		require.ErrorIs(t, err, ecp.ErrNotFound)
	})
}

// A target whose Provisioner cannot be made is tried again, and the others
// go on.
func TestATargetThatIsNotUp(t *testing.T) {
	withTargets(t, func(r *rig, p *platforms) {
		for _, name := range []string{"west-1", "west-2"} {
			_, err := r.m.Catalog.Targets.Create(asSystem(), ecp.Target{Name: name}, ecp.Secret(name))
			require.NoError(t, err)
		}
		on := spec("emqx-ee-5.8.9", 1)
		on.Hosted.Target = "west-1"
		_, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: on})
		require.ErrorIs(t, err, ecp.ErrUnavailable, "nothing works with it yet")
		kept := p.sims["west-1"]
		delete(p.sims, "west-1")
		r.run()
		require.Contains(t, r.reachable("west-1", ecp.False).Health.Message, "not a kubeconfig")
		r.reachable("west-2", ecp.True)
		r.stop()
		p.sims["west-1"] = kept
		r.run()
		r.reachable("west-1", ecp.True)
		r.stop()
		for _, name := range []ecp.Secret{"west-1", "west-2"} {
			n, _ := p.at(name)
			require.Zero(t, n, "Run has ended everything it began")
		}
		require.NotZero(t, p.closed)
	})
}

// A target of the program's own shows its health, too.
func TestHealthOfABuiltInTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.New())
		defer func() { r.stop() }()
		require.Equal(t, ecp.Unknown, r.target("default").Health.Reachable)
		r.run()
		i := r.reachable("default", ecp.True)
		require.True(t, i.BuiltIn)
		<-time.After(time.Minute)
		require.True(t, r.target("default").Health.CheckedAt.After(i.Health.CheckedAt))
		require.Equal(t, i.Health.Since, r.target("default").Health.Since)
	})
}

// The key that a kubeconfig was sealed with is missing: the target says so,
// and nothing is lost.
func TestTargetWithoutItsKey(t *testing.T) {
	withTargets(t, func(r *rig, p *platforms) {
		_, err := r.m.Catalog.Targets.Create(asSystem(), ecp.Target{Name: "west"}, "west-1")
		require.NoError(t, err)
		other, err := ecp.NewKeyRing(ecp.Key{ID: "other", Secret: bytes.Repeat([]byte{2}, 32)})
		require.NoError(t, err)
		r.m, err = fleet.New(context.Background(),
			fleet.Config{Store: r.store, NewProvisioner: p.factory, Sealer: other})
		require.NoError(t, err)
		r.run()
		require.Contains(t, r.reachable("west", ecp.False).Health.Message, `the key "k", which is not configured`)
		r.stop()
		r.withTargets(p)
		r.run()
		r.reachable("west", ecp.True)
	})
}

// The network of a target is what its Provisioner makes clusters with, from the
// moment it is changed. Under clusters it does not change: EMQX has stored the names
// of its nodes.
func TestNetworkOfATarget(t *testing.T) {
	withTargets(t, func(r *rig, p *platforms) {
		r.run()
		six := ecp.TargetNetwork{ClusterDomain: "k8s.example", IPFamily: ecp.IPv6}
		for field, bad := range map[string]ecp.TargetNetwork{
			"network.clusterDomain":  {ClusterDomain: "K8s"},
			"network.ipFamily":       {IPFamily: "6"},
			"network.ipFamilyPolicy": {IPFamilyPolicy: "Both"},
		} {
			_, err := r.m.Catalog.Targets.Create(asSystem(), ecp.Target{Name: "west", Network: bad}, "west-1")
			require.ErrorContains(t, err, field)
		}
		_, err := r.m.Catalog.Targets.Create(asSystem(), ecp.Target{Name: "west"}, "west-1")
		require.NoError(t, err)
		r.reachable("west", ecp.True)
		_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west", Network: six}, nil)
		require.NoError(t, err)
		request := func(image string) fleet.CreateRequest {
			s := spec(image, 1)
			s.Hosted.Target = "west"
			return fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s}
		}
		r.until("it is made anew with the network", func() bool {
			_, err = r.m.PlanCreate(asSystem(), request("emqx-ee-4.4.24"))
			return errors.Is(err, ecp.ErrInvalid)
		}, func() any { return r.target("west") })
		require.ErrorContains(t, err, "over IPv4 only")
		_, _, err = r.m.Create(asSystem(), request("emqx-ee-5.8.9"))
		require.NoError(t, err)
		for _, n := range []ecp.TargetNetwork{{ClusterDomain: "k8s.example"}, {IPFamily: ecp.IPv6}, {}} {
			_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west", Network: n}, nil)
			require.ErrorIs(t, err, ecp.ErrConflict, "%+v", n)
		}
		six.IPFamilyPolicy = ecp.RequireDualStack
		_, err = r.m.Catalog.Targets.Update(asSystem(), ecp.Target{Name: "west", Network: six}, nil)
		require.NoError(t, err, "clusters that are made from now on have both")
		require.Equal(t, six, r.target("west").Network)
	})
}
