package emqxv4_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/stretchr/testify/require"
)

// TestHangingMember: where the names of the nodes are known, those that are
// healthy are told of within seconds; what nobody tells names who hangs.
func TestHangingMember(t *testing.T) {
	const within = 5 * time.Second
	hangs := func(t *testing.T, err error) {
		t.Helper()
		refusedWith(t, err, ecp.CodeUnavailable, "no answer from emqx@c")
	}
	for name, do := range map[string]func(*testing.T, context.Context, ecp.Broker){
		"Describe": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			d, err := b.Describe(ctx)
			require.NoError(t, err)
			require.Len(t, d.Nodes, 3)
			require.Equal(t, []ecp.NodeStatus{ecp.NodeRunning, ecp.NodeRunning, ecp.NodeUnknown},
				[]ecp.NodeStatus{d.Nodes[0].Status, d.Nodes[1].Status, d.Nodes[2].Status})
			require.Equal(t, "4.4.24", d.Version)
		},
		"Traffic": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			traffic, err := b.(ecp.Monitor).Traffic(ctx)
			require.NoError(t, err)
			require.Equal(t, 2, traffic.Connections)
			require.Contains(t, traffic.RatesError, "emqx@c")
			require.NotEmpty(t, traffic.Nodes[2].Error)
		},
		"ActiveAlarms": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.AlarmSource).ActiveAlarms(ctx)
			hangs(t, err)
		},
		"Listeners": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			all, err := b.(ecp.ListenerManager).Listeners(ctx)
			require.NoError(t, err)
			require.Len(t, all, 5)
			require.Equal(t, ecp.Unknown, all[1].Running)
			require.Len(t, all[1].Nodes, 3)
			require.Equal(t, "emqx@c", all[1].Nodes[2].Node)
			require.NotEmpty(t, all[1].Nodes[2].Error)
		},
		"Rules": func(t *testing.T, ctx context.Context, b ecp.Broker) {
			_, err := b.(ecp.IntegrationSource).Rules(ctx)
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
			refusedWith(t, b.(ecp.MemberManager).RemoveMember(ctx, "emqx@c"), ecp.CodeUnavailable, "may be running")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24"})
				for _, name := range []string{"emqx@a", "emqx@b", "emqx@c"} {
					s.Join(name)
				}
				s.Node("emqx@a").SetClients(2, 0)
				e := s.Node("emqx@a").Endpoint()
				e.Nodes = []string{"emqx@a", "emqx@b", "emqx@c"}
				b, err := emqxv4.New(emqxv4.Config{}).Open(e)
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

// TestHangingMemberNobodyNamed: the node that answers is not taken for the only
// member.
func TestHangingMemberNobodyNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24"})
		s.Join("emqx@a")
		s.Join("emqx@b").Suspend()
		b, err := emqxv4.New(emqxv4.Config{}).Open(s.Node("emqx@a").Endpoint())
		require.NoError(t, err)
		defer b.Close()
		_, err = b.Describe(t.Context())
		refusedWith(t, err, ecp.CodeUnavailable, "no answer in time")
	})
}
