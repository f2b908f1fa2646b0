package emqxsim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestSuspendedMember: whoever asks about all waits for it, whoever asks about
// one does not, and after two minutes it counts as stopped.
func TestSuspendedMember(t *testing.T) {
	const forever = 10 * time.Second
	for _, c := range []struct {
		version, path string
		status        int // 0 = the caller gives up
		after         time.Duration
	}{
		{"5.8.9", "/api/v5/nodes", 200, 7500 * time.Millisecond},
		{"5.8.9", "/api/v5/nodes/emqx@b", 200, 0},
		{"5.8.9", "/api/v5/nodes/emqx@b/stats", 200, 0},
		{"5.8.9", "/api/v5/nodes/emqx@c", 0, forever},
		{"5.8.9", "/api/v5/nodes/emqx@c/metrics", 0, forever},
		{"5.8.9", "/api/v5/cluster", 200, 0},
		{"5.8.9", "/api/v5/listeners", 0, forever},
		{"5.8.9", "/api/v5/listeners/tcp:default", 200, 0},
		{"5.8.9", "/api/v5/alarms", 0, forever},
		{"5.8.9", "/api/v5/load_rebalance/global_status", 0, forever},
		{"5.8.9", "/api/v5/load_rebalance/status", 0, forever},
		{"5.8.9", "/api/v5/load_rebalance/availability_check", 200, 0},
		{"5.8.9", "/api/v5/monitor", 500, 5 * time.Second},
		{"5.8.9", "/api/v5/monitor_current/nodes/emqx@a", 200, 0},
		{"5.8.9", "/api/v5/rules", 200, 0},
		{"5.8.9", "/api/v5/prometheus/stats?mode=all_nodes_unaggregated", 0, forever},
		{"5.8.9", "/api/v5/prometheus/stats?mode=node", 200, 0},
		{"4.4.24", "/api/v4/nodes", 0, forever},
		{"4.4.24", "/api/v4/nodes/emqx@b", 200, 0},
		{"4.4.24", "/api/v4/nodes/emqx@c/listeners", 0, forever},
		{"4.4.24", "/api/v4/alarms/activated", 0, forever},
		{"4.4.24", "/api/v4/license", 200, 0},
	} {
		t.Run(c.version+" "+c.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: c.version})
				for _, name := range []string{"emqx@a", "emqx@b", "emqx@c"} {
					s.Join(name)
				}
				s.Node("emqx@c").Suspend()
				ask := func() (int, time.Duration) {
					ctx, cancel := context.WithTimeout(t.Context(), forever)
					defer cancel()
					start := time.Now()
					w := httptest.NewRecorder()
					w.Code = 0
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, c.path, nil)
					r.SetBasicAuth("admin", "public")
					s.Node("emqx@a").Handler().ServeHTTP(w, r)
					if ctx.Err() != nil {
						return 0, time.Since(start)
					}
					return w.Code, time.Since(start)
				}
				status, took := ask()
				require.Equal(t, c.status, status)
				require.Equal(t, c.after, took)
				<-time.After(2 * time.Minute) // of synctest's clock
				_, took = ask()
				require.Zero(t, took, "it is counted as stopped")
				s.Node("emqx@c").Resume()
				status, took = ask()
				require.Equal(t, 200, status)
				require.Zero(t, took)
			})
		})
	}
}

// TestSuspendedMemberAnswersNothing itself, and goes on where it was.
func TestSuspendedMemberAnswersNothing(t *testing.T) {
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := s.Join("emqx@a"), s.Join("emqx@b")
	b.SetClients(3, 0)
	b.Suspend()
	s.AddClients(emqxsim.Clients{Name: "c", Count: 4})
	require.Equal(t, emqxsim.NodeUsage{Connected: 4, Sessions: 4}, s.Usage().Nodes["emqx@a"], "it takes no new ones")
	require.Equal(t, emqxsim.NodeUsage{Connected: 3, Sessions: 3}, s.Usage().Nodes["emqx@b"], "and keeps those it has")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/status", nil))
	require.Empty(t, w.Body.String())
	b.Resume()
	require.Equal(t, 200, call(t, a, "GET", "/listeners", "").status)
	require.Equal(t, 200, call(t, b, "GET", "/nodes", "").status)
}

// TestListenersAsBrokersHaveThem: what hid faults of adapters.
func TestListenersAsBrokersHaveThem(t *testing.T) {
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := s.Join("emqx@a"), s.Join("emqx@b")
	for path, want := range map[string]int{"/listeners/nope:x": 400, "/listeners/xx": 400, "/listeners/tcp:nope": 404} {
		got := call(t, a, "GET", path, "")
		require.Equal(t, want, got.status, path)
		require.Equal(t, map[int]string{400: "BAD_REQUEST", 404: "BAD_LISTENER_ID"}[want], got.o["code"], path)
	}
	require.Equal(t, 400, call(t, a, "PUT", "/listeners/ws:default", `{}`).status)

	b.KeepListeners(true)
	require.Equal(t, 200, call(t, a, "PUT", "/listeners/tcp:default",
		`{"id":"tcp:default","type":"tcp","max_connections":5000000000}`).status)
	require.EqualValues(t, int64(5000000000), call(t, a, "GET", "/listeners/tcp:default", "").o["max_connections"])
	s.AddClients(emqxsim.Clients{Name: "c", Count: 2})
	limit := func(node int) any {
		var list []struct {
			Nodes []struct {
				Status map[string]any `json:"status"`
			} `json:"node_status"`
		}
		require.NoError(t, json.Unmarshal([]byte(call(t, a, "GET", "/listeners", "").body), &list))
		return list[1].Nodes[node].Status["max_connections"]
	}
	require.EqualValues(t, int64(5000000000), limit(0))
	require.Equal(t, "infinity", limit(1), "it kept what it had")
	b.KeepListeners(false)
	b.Restart()
	require.EqualValues(t, int64(5000000000), limit(1), "a restart reads the new one")
}

// TestDisabledConnectorIsStopped, without a reason.
func TestDisabledConnectorIsStopped(t *testing.T) {
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a := s.Join("emqx@a")
	s.AddConnector("http", "h1", map[string]any{"url": "http://10.9.9.9:1"})
	require.Equal(t, 204, call(t, a, "PUT", "/connectors/http:h1/enable/false", "").status)
	o := call(t, a, "GET", "/connectors/http:h1", "").o
	require.Equal(t, "stopped", o["status"])
	require.NotContains(t, o, "status_reason")
}

// TestWaitingNodeTakesClients: load balancers are told that it does not, and who
// connects all the same is let in.
func TestWaitingNodeTakesClients(t *testing.T) {
	k := newClock()
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	a := s.Join("emqx@a")
	a.StartEvacuation(1, 1, 5*time.Second, time.Second)
	require.Equal(t, 503, call(t, a, "GET", "/load_rebalance/availability_check", "").status)
	s.AddClients(emqxsim.Clients{Name: "c", Count: 2})
	require.Equal(t, 2, s.Usage().Nodes["emqx@a"].Connected)
	k.advance(5 * time.Second)
	s.AddClients(emqxsim.Clients{Name: "d", Count: 2})
	require.Equal(t, 1, s.Usage().Nodes["emqx@a"].Connected, "one was cut, and none is let in any more")
}
