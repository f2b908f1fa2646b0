package fleet_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// hungPlatform is a platform that takes calls and answers none while hung, as a Kubernetes behind
// a broken load balancer does.
type hungPlatform struct {
	*emqxsim.Provisioner
	hung atomic.Bool
}

// requestTime is how long a request of k8sprovisioner may take.
const requestTime = 20 * time.Second

func (h *hungPlatform) wait(ctx context.Context) error {
	if !h.hung.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	<-ctx.Done()
	return ecp.NewError(ecp.CodeUnavailable, "ask Kubernetes", "it does not answer")
}

func (h *hungPlatform) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := h.wait(ctx); err != nil {
		return ecp.Observation{}, err
	}
	return h.Provisioner.Observe(ctx, id)
}

func (h *hungPlatform) Apply(ctx context.Context, d ecp.Desired) error {
	if err := h.wait(ctx); err != nil {
		return err
	}
	return h.Provisioner.Apply(ctx, d)
}

// BenchmarkHungTarget makes clusters on one of three targets, alone and while another does
// not answer for its 400 clusters; the budget of the ratio is 1.2. The clusters are made
// in turns, so that what else the machine does meets both.
func BenchmarkHungTarget(b *testing.B) {
	const clusters, made = 400, 20
	alone, beside := newThreeTargets(b, 0), newThreeTargets(b, clusters)
	beside.hung.hung.Store(true)
	<-time.After(2 * requestTime) // every worker that can be held up is
	for b.Loop() {
		var took [2]time.Duration
		for i := range made {
			for j, f := range []*threeTargets{alone, beside} {
				took[j] += f.create(b, fmt.Sprint("new ", i))
			}
		}
		b.ReportMetric(float64(took[0].Milliseconds())/made, "ms-alone")
		b.ReportMetric(float64(took[1].Milliseconds())/made, "ms-beside-hung")
		b.ReportMetric(float64(took[1])/float64(took[0]), "x-alone")
	}
	b.ReportMetric(0, "ns/op")
}

// threeTargets is a running Manager.
type threeTargets struct {
	m        *fleet.Manager
	hung     *hungPlatform
	clusters []ecp.ID // on the target that can hang
}

func newThreeTargets(b *testing.B, clusters int) *threeTargets {
	b.Helper()
	f := &threeTargets{}
	targets := map[string]ecp.Provisioner{}
	for _, name := range []string{"default", "second", "third"} {
		sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
		require.NoError(b, err)
		targets[name] = sim
		if name == "third" {
			f.hung = &hungPlatform{Provisioner: sim}
			targets[name] = f.hung
		}
	}
	var err error
	f.m, err = fleet.New(b.Context(), fleet.Config{Store: memstore.New(), Provisioners: targets,
		Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})}})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- f.m.Run(ctx) }()
	b.Cleanup(func() { cancel(); require.NoError(b, <-done) })
	for i := range clusters {
		f.clusters = append(f.clusters, f.ask(b, fmt.Sprint("hung ", i), "third"))
	}
	for _, id := range f.clusters {
		f.runs(b, id)
	}
	return f
}

func (f *threeTargets) ask(b *testing.B, name, target string) ecp.ID {
	b.Helper()
	s := spec("emqx-ee-5.8.9", 1)
	s.Hosted.Target = target
	info, _, err := f.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: name, Spec: s})
	require.NoError(b, err)
	return info.ID
}

// create makes a cluster on a target that answers, and returns how long that took.
func (f *threeTargets) create(b *testing.B, name string) time.Duration {
	b.Helper()
	began := time.Now()
	f.runs(b, f.ask(b, name, "second"))
	return time.Since(began)
}

func (f *threeTargets) runs(b *testing.B, id ecp.ID) {
	b.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := f.m.Cluster(id).Get(asSystem())
		require.NoError(b, err)
		if info.Status.State == ecp.Running {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("%s is %s: %s", id, info.Status.State, info.Status.Message)
		}
	}
}
