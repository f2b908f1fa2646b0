package ecpmetrics_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecpmetrics"
	"github.com/openecp/openecp/emqxsim"
)

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

func newManager(t *testing.T, store ecp.Store) *ecp.Manager {
	t.Helper()
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
	require.NoError(t, err)
	m, err := ecp.New(t.Context(), ecp.Config{Store: store, Provisioners: map[string]ecp.Provisioner{"default": p}})
	require.NoError(t, err)
	return m
}

func create(t *testing.T, m *ecp.Manager, mode ecp.Mode, name string, connections int) {
	t.Helper()
	r := ecp.CreateRequest{Mode: mode, Name: name, Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{Connections: connections}}}
	if mode == ecp.Hosted {
		r.Spec = ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: connections}}
	}
	_, _, err := m.Create(ecp.WithActor(t.Context(), ecp.System), r)
	require.NoError(t, err)
}

func TestFleet(t *testing.T) {
	m := newManager(t, memstore.New())
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, ecpmetrics.Register(reg, m))
	create(t, m, ecp.Hosted, "a", 1000)
	create(t, m, ecp.Hosted, "b", 500)
	create(t, m, ecp.Adopted, "c", 0)

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_clusters Clusters by mode and state; every state of a mode is there.
# TYPE openecp_clusters gauge
openecp_clusters{mode="adopted",state="abnormal"} 0
openecp_clusters{mode="adopted",state="created"} 1
openecp_clusters{mode="adopted",state="deleting"} 0
openecp_clusters{mode="adopted",state="registering"} 0
openecp_clusters{mode="adopted",state="running"} 0
openecp_clusters{mode="hosted",state="abnormal"} 0
openecp_clusters{mode="hosted",state="creating"} 2
openecp_clusters{mode="hosted",state="degraded"} 0
openecp_clusters{mode="hosted",state="nonexistent"} 0
openecp_clusters{mode="hosted",state="running"} 0
openecp_clusters{mode="hosted",state="starting"} 0
openecp_clusters{mode="hosted",state="stopped"} 0
openecp_clusters{mode="hosted",state="stopping"} 0
openecp_clusters{mode="hosted",state="syncing"} 0
openecp_clusters{mode="hosted",state="updating"} 0
# HELP openecp_pool_clusters_limit Clusters that can be booked in all; +Inf where they are not limited.
# TYPE openecp_pool_clusters_limit gauge
openecp_pool_clusters_limit 1000
# HELP openecp_pool_connections_used MQTT connections that are booked.
# TYPE openecp_pool_connections_used gauge
openecp_pool_connections_used 1500
# HELP openecp_queue_depth Clusters that wait for a worker.
# TYPE openecp_queue_depth gauge
openecp_queue_depth 3
`), "openecp_clusters", "openecp_pool_clusters_limit", "openecp_pool_connections_used", "openecp_queue_depth"))
}

func TestUnlimitedPoolIsInfinite(t *testing.T) {
	m, err := ecp.New(t.Context(), ecp.Config{Store: memstore.New(), Defaults: ecp.Defaults{Pool: &ecp.Pool{}}})
	require.NoError(t, err)
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, ecpmetrics.Register(reg, m))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_pool_connections_limit MQTT connections that can be booked in all; +Inf where they are not limited.
# TYPE openecp_pool_connections_limit gauge
openecp_pool_connections_limit +Inf
`), "openecp_pool_connections_limit"))
}

func TestNamesAreWellFormed(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, ecpmetrics.Register(reg, newManager(t, memstore.New())))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// A store that fails takes the numbers with it that it holds, not the others.
func TestStoreFails(t *testing.T) {
	store := &brittleStore{Store: memstore.New()}
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, ecpmetrics.Register(reg, newManager(t, store)))
	store.broken.Store(true)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_metrics_failures_total Reads of the store for metrics that failed; what they would have shown is left out.
# TYPE openecp_metrics_failures_total counter
openecp_metrics_failures_total 2
# HELP openecp_passes_total Looks at a cluster with what followed from them.
# TYPE openecp_passes_total counter
openecp_passes_total 0
`), "openecp_metrics_failures_total", "openecp_passes_total", "openecp_clusters", "openecp_pool_clusters_used"))
	store.broken.Store(false)
	n, err := testutil.GatherAndCount(reg, "openecp_clusters")
	require.NoError(t, err)
	require.Equal(t, len(ecp.States(ecp.Hosted))+len(ecp.States(ecp.Adopted)), n)
}

func TestTwiceIsRefused(t *testing.T) {
	m := newManager(t, memstore.New())
	reg := prometheus.NewRegistry()
	require.NoError(t, ecpmetrics.Register(reg, m))
	require.Error(t, ecpmetrics.Register(reg, m))
}
