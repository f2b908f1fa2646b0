package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// rig is a whole Manager on a store and simulated clusters. It lives in a
// synctest bubble: minutes pass in no time, and nothing may be left running.
type rig struct {
	t     *testing.T
	store ecp.Store
	sim   *emqxsim.Provisioner
	m     *fleet.Manager
	stop  func() // ends Run and waits for it

	applied appliedTo
	sealer  ecp.Sealer // nil = the Manager keeps no secrets
}

// appliedTo records which clusters were ever applied.
type appliedTo struct {
	*emqxsim.Provisioner
	mu  sync.Mutex
	ids []ecp.ID      // guarded by mu
	all []ecp.Desired // guarded by mu
}

func (a *appliedTo) Apply(ctx context.Context, d ecp.Desired) error {
	a.mu.Lock()
	if !slices.Contains(a.ids, d.ID) {
		a.ids = append(a.ids, d.ID)
	}
	a.all = append(a.all, d)
	a.mu.Unlock()
	return a.Provisioner.Apply(ctx, d)
}

func asSystem() context.Context { return ecp.WithActor(context.Background(), ecp.System) }

// inBubble runs a test with a rig whose Manager does not run yet.
func inBubble(t *testing.T, test func(*rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.New())
		defer func() { r.stop() }()
		test(r)
	})
}

func newRig(t *testing.T, store ecp.Store) *rig {
	t.Helper()
	return newRigOn(t, store, emqxsim.ProvisionerConfig{})
}

// newRigOn is as newRig, on a platform that behaves as told.
func newRigOn(t *testing.T, store ecp.Store, platform emqxsim.ProvisionerConfig) *rig {
	t.Helper()
	sim, err := emqxsim.NewProvisioner(platform)
	require.NoError(t, err)
	r := &rig{t: t, store: store, sim: sim, stop: func() {}}
	r.applied.Provisioner = sim
	r.make(store, &r.applied)
	return r
}

// make replaces the Manager; it does not run yet.
func (r *rig) make(store ecp.Store, p ecp.Provisioner) {
	r.t.Helper()
	m, err := r.manager(store, p)
	require.NoError(r.t, err)
	r.m = m
}

func (r *rig) manager(store ecp.Store, p ecp.Provisioner) (*fleet.Manager, error) {
	return r.managerWith(store, p, ecp.Timings{})
}

func (r *rig) managerWith(store ecp.Store, p ecp.Provisioner, timings ecp.Timings) (*fleet.Manager, error) {
	return fleet.New(context.Background(), fleet.Config{
		Timings:      timings,
		Store:        store,
		Provisioners: map[string]ecp.Provisioner{"default": p},
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		Sealer:       r.sealer,
		Defaults: fleet.Defaults{
			Projects: []string{"default/default", "default/other"},
			Pool:     &ecp.Pool{Connections: 1000, Clusters: 40},
		},
	})
}

func (r *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	m, ended := r.m, make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	return r
}

func spec(image string, nodes int) ecp.Spec {
	return ecp.Spec{Hosted: &ecp.HostedSpec{Image: image, Nodes: nodes, Connections: 10}}
}

// create asks for a cluster of three nodes of EMQX 5.
func (r *rig) create(name string) (ecp.Cluster, ecp.Operation) {
	r.t.Helper()
	info, op, err := r.m.Create(asSystem(),
		fleet.CreateRequest{Mode: ecp.Hosted, Name: name, Spec: spec("emqx-ee-5.8.9", 3)})
	require.NoError(r.t, err)
	return r.m.Cluster(info.ID), op
}

// running gives a cluster that runs, and the record of its states since then.
func (r *rig) running() (ecp.Cluster, *diary) {
	r.t.Helper()
	r.run()
	c, _ := r.create("a")
	r.reaches(c, ecp.Running)
	r.settled(c)
	return c, r.watch(c)
}

func (r *rig) do(c ecp.Cluster, cmd ecp.Command) ecp.Operation {
	r.t.Helper()
	op, err := c.Do(asSystem(), cmd)
	require.NoError(r.t, err)
	return op
}

func (r *rig) get(c ecp.Cluster) ecp.Info {
	r.t.Helper()
	info, err := c.Get(asSystem())
	require.NoError(r.t, err)
	return info
}

// found is what is really there of a cluster.
func (r *rig) found(c ecp.Cluster) ecp.Observation {
	r.t.Helper()
	o, err := r.sim.Observe(context.Background(), c.ID())
	require.NoError(r.t, err)
	return o
}

func (r *rig) pool() ecp.Pool {
	r.t.Helper()
	p, err := r.m.Pool(asSystem())
	require.NoError(r.t, err)
	return p
}

// until waits for something, half an hour of the bubble's time at most.
func (r *rig) until(what string, holds func() bool, saw func() any) {
	r.t.Helper()
	for range 36_000 {
		if holds() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	require.FailNow(r.t, "never: "+what, "last seen: %+v", saw())
}

// reaches waits for a state.
func (r *rig) reaches(c ecp.Cluster, s ecp.State) ecp.Info {
	r.t.Helper()
	var info ecp.Info
	r.until("state "+string(s), func() bool { info = r.get(c); return info.Status.State == s },
		func() any { return info.Status })
	return info
}

// settled waits until nothing is left to do.
func (r *rig) settled(c ecp.Cluster) {
	r.t.Helper()
	r.until("settled", func() bool {
		st := r.get(c)
		settled := ecp.ConditionOf(st.Status.Conditions, ecp.CondSettled)
		return settled.Status == ecp.True && settled.Generation == st.Generation
	}, func() any { return r.get(c).Status })
}

// gone waits until there is no cluster any more.
func (r *rig) gone(c ecp.Cluster) {
	r.t.Helper()
	r.until("gone", func() bool { _, err := c.Get(asSystem()); return errors.Is(err, ecp.ErrNotFound) },
		func() any { return r.get(c).Status })
}

// ends waits for an operation to end.
func (r *rig) ends(op ecp.Operation, want ecp.Phase) ecp.Operation {
	r.t.Helper()
	got, err := r.m.WaitOperation(asSystem(), op.ID, time.Hour)
	require.NoError(r.t, err)
	require.Equal(r.t, want, got.Phase, "%s: %s", got.Kind, got.Error)
	return got
}

// looked waits until the Manager has looked n times more.
func (r *rig) looked(n uint64) {
	r.t.Helper()
	from := r.m.Stats().Passes
	r.until("looks", func() bool { return r.m.Stats().Passes >= from+n }, func() any { return r.m.Stats() })
}

// diary is what a watcher of one cluster was told.
type diary struct {
	t    *testing.T
	stop func()

	mu      sync.Mutex
	changes []ecp.Change // guarded by mu
	err     error        // guarded by mu; how the watch ended
}

func (r *rig) watch(c ecp.Cluster) *diary {
	d := &diary{t: r.t}
	ctx, cancel := context.WithCancel(asSystem())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for change, err := range c.Watch(ctx) {
			d.mu.Lock()
			if err == nil {
				d.changes = append(d.changes, change)
			} else {
				d.err = err
			}
			d.mu.Unlock()
		}
	}()
	d.stop = func() { cancel(); <-ended }
	r.t.Cleanup(d.stop)
	synctest.Wait()
	return d
}

// states lists the states the cluster was shown in, each once in a row.
func (d *diary) states() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, c := range d.changes {
		rec, ok := c.Payload.(ecp.ClusterRecord)
		if s := string(rec.Status.State); ok && (len(out) == 0 || out[len(out)-1] != s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// claims names what must survive: the Secret and every claim.
func claims(o ecp.Observation) string {
	out := "auth " + o.Auth
	for _, v := range o.Volumes {
		out += fmt.Sprintf(", %s %s", v.Name, v.UID)
	}
	return out
}
