package ecpmetrics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecpmetrics"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brittleStore stops answering when it is told to.
type brittleStore struct {
	ecp.Store
	broken atomic.Bool
}

func (s *brittleStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if s.broken.Load() {
		return errors.New("disk on fire")
	}
	return s.Store.Read(ctx, fn)
}

func newManager(t *testing.T, store ecp.Store) *fleet.Manager {
	t.Helper()
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
	require.NoError(t, err)
	m, err := fleet.New(t.Context(), fleet.Config{Store: store, Provisioners: map[string]ecp.Provisioner{"default": p}})
	require.NoError(t, err)
	return m
}

func create(t *testing.T, m *fleet.Manager, mode ecp.Mode, name string, connections int) {
	t.Helper()
	r := fleet.CreateRequest{Mode: mode, Name: name,
		Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{Connections: connections}}}
	if mode == ecp.Hosted {
		r.Spec = ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: connections}}
	}
	_, _, err := m.Create(ecp.WithActor(t.Context(), ecp.System), r)
	require.NoError(t, err)
}

// register makes the metrics of a Manager in a registry that checks them.
func register(t *testing.T, m *fleet.Manager) (*prometheus.Registry, *ecpmetrics.Metrics) {
	t.Helper()
	metrics, err := ecpmetrics.New(ecpmetrics.Config{Manager: m, Retry: time.Millisecond})
	require.NoError(t, err)
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	return reg, metrics
}

// running starts what runs until the test ends.
func running(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { run(ctx) })
	t.Cleanup(func() { cancel(); group.Wait() })
}

// shows waits until the page has these lines.
func shows(t *testing.T, reg *prometheus.Registry, lines string, names ...string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for {
		err := testutil.GatherAndCompare(reg, strings.NewReader(lines), names...)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal(err)
		}
	}
}

const clustersHead = `
# HELP openecp_clusters Clusters by mode and state; every state of a mode is there.
# TYPE openecp_clusters gauge
`

// page is the clusters' metric with these that are not zero.
func page(counts map[string]int) string {
	b := clustersHead
	for _, mode := range []ecp.Mode{ecp.Adopted, ecp.Hosted} {
		for _, s := range mode.StateMachine().States() {
			b += fmt.Sprintf("openecp_clusters{mode=%q,state=%q} %d\n", mode, s, counts[string(mode)+" "+string(s)])
		}
	}
	return b
}

// The fleet is read as it is found, and followed from there.
func TestFleet(t *testing.T) {
	m := newManager(t, memstore.New())
	reg, metrics := register(t, m)
	create(t, m, ecp.Hosted, "a", 1000)
	create(t, m, ecp.Hosted, "b", 500)
	n, err := testutil.GatherAndCount(reg, "openecp_clusters")
	require.NoError(t, err)
	require.Zero(t, n, "nothing is known before Run")

	running(t, metrics.Run)
	shows(t, reg, page(map[string]int{"hosted creating": 2}), "openecp_clusters")
	create(t, m, ecp.Adopted, "c", 0)
	shows(t, reg, page(map[string]int{"hosted creating": 2, "adopted created": 1}), "openecp_clusters")
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_pool_clusters_limit Clusters that can be booked in all; +Inf where they are not limited.
# TYPE openecp_pool_clusters_limit gauge
openecp_pool_clusters_limit 1000
# HELP openecp_pool_connections_used MQTT connections that are booked.
# TYPE openecp_pool_connections_used gauge
openecp_pool_connections_used 1500
# HELP openecp_queue_depth Clusters that wait for a worker.
# TYPE openecp_queue_depth gauge
openecp_queue_depth 3
`), "openecp_pool_clusters_limit", "openecp_pool_connections_used", "openecp_queue_depth"))
}

// Operations are counted while they run and when they end; clusters go with
// their deletion, and those that cannot be seen are stale.
func TestLife(t *testing.T) {
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
	require.NoError(t, err)
	blind := &blindProvisioner{Provisioner: p}
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{"default": blind},
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
	})
	require.NoError(t, err)
	reg, metrics := register(t, m)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	info, op, err := m.Create(ctx,
		fleet.CreateRequest{Mode: ecp.Hosted, Name: "a",
			Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 1}}})
	require.NoError(t, err)
	running(t, metrics.Run)
	shows(t, reg, page(map[string]int{"hosted creating": 1}), "openecp_clusters")
	require.Equal(t, 1.0, value(t, reg, "openecp_operations", "create", "running")+
		value(t, reg, "openecp_operations", "create", "queued"))

	running(t, func(ctx context.Context) { _ = m.Run(ctx) })
	op, err = m.WaitOperation(ctx, op.ID, 20*time.Second)
	require.NoError(t, err)
	require.Equal(t, ecp.PhaseSucceeded, op.Phase)
	shows(t, reg, page(map[string]int{"hosted running": 1}), "openecp_clusters")
	eventually(t, func() bool { return value(t, reg, "openecp_operations_ended_total", "create", "succeeded") == 1 })
	require.Zero(t, value(t, reg, "openecp_operations", "create", "running"))
	n, sum := histogram(t, reg, "openecp_operation_duration_seconds", "create")
	require.Equal(t, uint64(1), n)
	require.InDelta(t, op.EndedAt.Sub(op.CreatedAt).Seconds(), sum, 0.001)

	require.Zero(t, value(t, reg, "openecp_stale_clusters", "hosted"))
	blind.shut.Store(true)
	deletion, err := m.Cluster(info.ID).Do(ctx, ecp.Delete{})
	require.NoError(t, err)
	eventually(t, func() bool { return value(t, reg, "openecp_stale_clusters", "hosted") == 1 })
	require.Equal(t, 1.0, value(t, reg, "openecp_operations", "delete", "running")+
		value(t, reg, "openecp_operations", "delete", "queued"))
	blind.shut.Store(false)
	_, err = m.WaitOperation(ctx, deletion.ID, 20*time.Second)
	require.NoError(t, err)
	shows(t, reg, page(nil), "openecp_clusters")
	eventually(t, func() bool { return value(t, reg, "openecp_operations_ended_total", "delete", "succeeded") == 1 })
	require.Zero(t, value(t, reg, "openecp_stale_clusters", "hosted"))
}

// blindProvisioner sees nothing when it is told so.
type blindProvisioner struct {
	*emqxsim.Provisioner
	shut atomic.Bool
}

func (p *blindProvisioner) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if p.shut.Load() {
		return ecp.Observation{}, &ecp.Error{Code: ecp.CodeUnavailable, Message: "the lights are out"}
	}
	return p.Provisioner.Observe(ctx, id)
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("not after 20 s")
		}
	}
}

// value gives a counter or gauge by its labels' values; 0 if it is not there.
func value(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var got []string
			for _, l := range m.GetLabel() {
				got = append(got, l.GetValue())
			}
			if f.GetName() == name && slices.Equal(got, labels) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// histogram gives count and sum of a histogram with one label.
func histogram(t *testing.T, reg *prometheus.Registry, name, label string) (uint64, float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
			}
		}
	}
	return 0, 0
}

func TestUnlimitedPoolIsInfinite(t *testing.T) {
	m, err := fleet.New(t.Context(), fleet.Config{Store: memstore.New(), Defaults: fleet.Defaults{Pool: &ecp.Pool{}}})
	require.NoError(t, err)
	reg, _ := register(t, m)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_pool_connections_limit MQTT connections that can be booked in all; +Inf where they are not limited.
# TYPE openecp_pool_connections_limit gauge
openecp_pool_connections_limit +Inf
`), "openecp_pool_connections_limit"))
}

func TestNamesAreWellFormed(t *testing.T) {
	m := newManager(t, memstore.New())
	reg, metrics := register(t, m)
	running(t, metrics.Run)
	shows(t, reg, page(nil), "openecp_clusters")
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// As many series with a hundred clusters as with none.
func TestSeriesDoNotGrowWithTheFleet(t *testing.T) {
	m := newManager(t, memstore.New())
	reg, metrics := register(t, m)
	running(t, metrics.Run)
	shows(t, reg, page(nil), "openecp_clusters")
	before, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	for i := range 100 {
		create(t, m, ecp.Hosted, fmt.Sprintf("c%d", i), 1)
	}
	shows(t, reg, page(map[string]int{"hosted creating": 100}), "openecp_clusters")
	after, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// A store that fails takes the numbers with it that it holds, not the others,
// and the fleet is read again when it is back.
func TestStoreFails(t *testing.T) {
	store := &brittleStore{Store: memstore.New()}
	m := newManager(t, store)
	reg, metrics := register(t, m)
	create(t, m, ecp.Hosted, "a", 1)
	store.broken.Store(true)
	running(t, metrics.Run)
	eventually(t, func() bool { return value(t, reg, "openecp_metrics_failures_total") > 10 })
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_passes_total Looks at a cluster with what followed from them.
# TYPE openecp_passes_total counter
openecp_passes_total 0
`), "openecp_passes_total", "openecp_clusters", "openecp_pool_clusters_used"))
	store.broken.Store(false)
	shows(t, reg, page(map[string]int{"hosted creating": 1}), "openecp_clusters")
}

// BenchmarkCollect is a scrape of a fleet of ten thousand.
func BenchmarkCollect(b *testing.B) {
	m, err := fleet.New(b.Context(), fleet.Config{Store: memstore.New(), Defaults: fleet.Defaults{Pool: &ecp.Pool{}}})
	require.NoError(b, err)
	for i := range 10_000 {
		_, _, err := m.Create(ecp.WithActor(b.Context(), ecp.System),
			fleet.CreateRequest{Mode: ecp.Adopted, Name: fmt.Sprintf("c%d", i),
				Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
		require.NoError(b, err)
	}
	metrics, err := ecpmetrics.New(ecpmetrics.Config{Manager: m})
	require.NoError(b, err)
	reg := prometheus.NewRegistry()
	require.NoError(b, reg.Register(metrics))
	ctx, cancel := context.WithCancel(b.Context())
	var group sync.WaitGroup
	group.Go(func() { metrics.Run(ctx) })
	for n := 0; n == 0; {
		n, err = testutil.GatherAndCount(reg, "openecp_clusters")
		require.NoError(b, err)
	}
	for b.Loop() {
		_, err := reg.Gather()
		require.NoError(b, err)
	}
	cancel()
	group.Wait()
}

func TestNewRefuses(t *testing.T) {
	_, err := ecpmetrics.New(ecpmetrics.Config{})
	require.ErrorContains(t, err, "Manager is missing")
}
