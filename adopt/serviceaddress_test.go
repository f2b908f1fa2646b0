package adopt_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/stretchr/testify/require"
)

// TestNobodyDialsTheServiceAddress: it is for people's browsers. Whatever is asked
// of the cluster, with an agent and without, nothing here connects to it.
func TestNobodyDialsTheServiceAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var dialled atomic.Int32
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-accepting
	})
	s := startedCluster(t, "5.8.9", 1)
	address := "http://" + listener.Addr().String()
	_, err = s.manager.Cluster(s.id).Do(s.as(), ecp.Update{Patch: []byte(`{"serviceAddress":"` + address + `"}`)})
	require.NoError(t, err)
	ask := func() {
		t.Helper()
		way, err := s.manager.Access.OpenDashboard(s.as(), s.id, "")
		require.NoError(t, err)
		require.Equal(t, access.DashboardWay{Via: access.ViaServiceAddress, Address: address}, way)
		_, _ = s.manager.Access.OpenDashboard(s.as(), s.id, access.ViaAgent)
		for _, way := range []func() (ecp.Endpoint, error){
			func() (ecp.Endpoint, error) { return s.manager.Access.DashboardEndpoint(s.as(), s.id, "") },
			func() (ecp.Endpoint, error) { return s.manager.Access.Endpoint(s.as(), ecp.RightWrite, s.id, "") },
		} {
			e, err := way()
			require.NotContains(t, e.BaseURL+e.DashboardURL, listener.Addr().String())
			require.True(t, err == nil || ecp.CodeOf(err) == ecp.CodeUnavailable, "%v", err)
		}
		_ = s.status(s.id)
		_, _ = s.manager.Monitor.Traffic(s.as(), s.id)
		_, _ = s.manager.Monitor.TrafficSeries(s.as(), s.id, time.Hour)
		_, _ = s.manager.Monitor.ActiveAlarms(s.as(), s.id)
		_, _ = s.manager.Monitor.Rules(s.as(), s.id)
		_, _ = s.manager.Monitor.Integrations(s.as(), s.id)
		_, _ = s.manager.Monitor.WriteMetrics(s.as(), s.id, io.Discard, "")
		_, _ = s.manager.Logs.Read(s.as(), s.id, ecp.LogQuery{})
	}
	ask()
	require.NoError(t, s.agents[0].stop())
	s.until(s.id, ecp.Abnormal, "")
	ask()
	s.restart()
	s.stays(s.id, ecp.Abnormal, 300*time.Millisecond)
	ask()
	require.Zero(t, dialled.Load())
}
