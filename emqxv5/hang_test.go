package emqxv5_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// TestHangingMember: what is about healthy nodes is told within seconds, and what
// nobody tells names who hangs.
func TestHangingMember(t *testing.T) {
	const within = 5 * time.Second
	hangs := func(t *testing.T, err error) {
		t.Helper()
		refusedAs(t, err, ecp.CodeUnavailable, "", "no answer from emqx@c")
	}
	for name, do := range map[string]func(*testing.T, context.Context, ecp.Broker){
		"Describe": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			d, err := b.Describe(ctx)
			require.NoError(t, err)
			require.Equal(t, []ecp.NodeStatus{ecp.NodeRunning, ecp.NodeRunning, ecp.NodeUnknown},
				[]ecp.NodeStatus{d.Nodes[0].Status, d.Nodes[1].Status, d.Nodes[2].Status})
		},
		"Health": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			h, err := b.(ecp.HealthSource).Health(ctx)
			require.NoError(t, err)
			require.Equal(t, ecp.True, h.Available)
		},
		"Traffic": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			traffic, err := b.(ecp.Monitor).Traffic(ctx)
			require.NoError(t, err)
			require.Equal(t, 2, traffic.Connections)
			require.NotNil(t, traffic.Rates, "those of the others are told")
			require.Contains(t, traffic.RatesError, "emqx@c")
			require.NotEmpty(t, traffic.Nodes[2].Error)
		},
		"TrafficSeries": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.Monitor).TrafficSeries(ctx, time.Hour)
			hangs(t, err)
		},
		"ActiveAlarms": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.AlarmSource).ActiveAlarms(ctx)
			hangs(t, err)
		},
		"Listeners": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.ListenerManager).Listeners(ctx)
			hangs(t, err)
		},
		"StopListener": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			hangs(t, b.(ecp.ListenerManager).StopListener(ctx, "tcp:default"))
		},
		"Integrations": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.IntegrationSource).Integrations(ctx)
			hangs(t, err)
		},
		"Rules": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.IntegrationSource).Rules(ctx)
			require.NoError(t, err)
		},
		"StartEvacuation of another": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			require.NoError(t, b.(ecp.Evacuator).StartEvacuation(ctx, "emqx@b", ecp.EvacuationOrder{}))
			_, err := b.(ecp.Evacuator).EvacuationProgress(ctx, "emqx@b")
			hangs(t, err)
		},
		"EvacuationProgress of itself": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			e := b.(ecp.Evacuator)
			p, err := e.EvacuationProgress(ctx, "emqx@a")
			require.NoError(t, err)
			require.Equal(t, ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, p)
			require.NoError(t, e.StartEvacuation(ctx, "emqx@a", ecp.EvacuationOrder{}))
			p, err = e.EvacuationProgress(ctx, "emqx@a")
			require.NoError(t, err)
			require.Equal(t, ecp.EvacuationProgress{Phase: ecp.EvacuationUntold, Connections: 2, Sessions: 2}, p)
		},
		"RemoveMember": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			refusedAs(t, b.(ecp.MemberManager).RemoveMember(ctx, "emqx@c"), ecp.CodeUnavailable, "", "may be running")
		},
		"WriteMetrics of nodes": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.Metrics).WriteMetrics(ctx, io.Discard, ecp.MetricsOfNodes)
			hangs(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulated(emqxsim.ClusterConfig{License: &criticalLicense})
				b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
				require.NoError(t, err)
				defer b.Close()
				s.Node("emqx@c").Suspend()
				start := time.Now()
				do(t, t.Context(), b)
				require.LessOrEqual(t, time.Since(start), within)
			})
		})
	}
}

// TestDisabledConnector is stopped, as the broker says, and gives no reason.
func TestDisabledConnector(t *testing.T) {
	paths := emqxtest.Paths{
		connectors: emqxtest.Body(`[{"type":"http","name":"h","enable":false,"status":"stopped",` +
			`"node_status":[{"node":"emqx@a","status":"stopped"}]}]`),
		actions: emqxtest.Body(`[]`), sources: emqxtest.Body(`[]`),
	}
	all, err := open[ecp.IntegrationSource](t, paths.Before(http.NotFoundHandler())).Integrations(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Integration{{
		Kind: ecp.ConnectorIntegration, ID: "http:h", Type: "http", Name: "h", Status: ecp.IntegrationStopped,
		Nodes: []ecp.IntegrationNode{{Node: "emqx@a", Status: ecp.IntegrationStopped}},
	}}, all)
}
