package emqxsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// clock is moved by hand.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// get asks an endpoint, with its credentials.
func get(t *testing.T, e ecp.Endpoint, path string) (status int, body string) {
	t.Helper()
	res, err := try(t.Context(), e, path)
	require.NoError(t, err)
	return res.status, res.body
}

type response struct {
	status int
	body   string
}

func try(ctx context.Context, e ecp.Endpoint, path string) (response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.BaseURL+path, nil)
	if err != nil {
		return response{}, err
	}
	req.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	res, err := (&http.Client{Transport: e.Transport}).Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return response{res.StatusCode, string(b)}, err
}

// statuses reads /nodes of EMQX 5: the status of each node by name.
func statuses(t *testing.T, e ecp.Endpoint) map[string]string {
	t.Helper()
	status, body := get(t, e, "/api/v5/nodes")
	require.Equal(t, http.StatusOK, status, body)
	var nodes []struct {
		Node   string `json:"node"`
		Status string `json:"node_status"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &nodes))
	out := map[string]string{}
	for _, n := range nodes {
		out[n.Node] = n.Status
	}
	return out
}

func TestKilledNodeIsSeenStoppedAndRefuses(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	b.Kill()
	require.Equal(t, map[string]string{"emqx@a": "running", "emqx@b": "stopped"}, statuses(t, a.Endpoint()))

	_, err := try(t.Context(), b.Endpoint(), "/status")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	srv := httptest.NewServer(b.Handler())
	t.Cleanup(srv.Close)
	_, err = srv.Client().Get(srv.URL + "/status") //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, io.EOF, "a killed node closes connections unanswered")

	b.Revive()
	require.Equal(t, map[string]string{"emqx@a": "running", "emqx@b": "running"}, statuses(t, b.Endpoint()))
}

func TestNodeThatLeftIsAlone(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	b.Leave()
	require.Equal(t, map[string]string{"emqx@a": "running"}, statuses(t, a.Endpoint()))
	require.Equal(t, map[string]string{"emqx@b": "running"}, statuses(t, b.Endpoint()))
	require.Nil(t, c.Node("emqx@b"))
	require.Same(t, a, c.Node(a.Name()))
	c.Join("emqx@b")
	require.Len(t, statuses(t, a.Endpoint()), 2)
}

func TestPartitionedNodesSeeTheirOwnSide(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b, d := c.Join("emqx@a"), c.Join("emqx@b"), c.Join("emqx@d")
	c.Partition([]string{"emqx@a", "emqx@b"}, []string{"emqx@d"})
	require.Equal(t, map[string]string{"emqx@a": "running", "emqx@b": "running", "emqx@d": "stopped"},
		statuses(t, b.Endpoint()))
	require.Equal(t, map[string]string{"emqx@a": "stopped", "emqx@b": "stopped", "emqx@d": "running"},
		statuses(t, d.Endpoint()))
	c.Partition()
	require.NotContains(t, statuses(t, a.Endpoint()), "stopped")
}

// Before 4.4.24 the check needs credentials.
func TestOldAvailabilityCheckNeedsCredentials(t *testing.T) {
	e := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.19"}).Join("emqx@a").Endpoint()
	status, _ := get(t, e, "/api/v4/load_rebalance/availability_check")
	require.Equal(t, http.StatusOK, status)
	e.Credentials.Password = "wrong"
	status, body := get(t, e, "/api/v4/load_rebalance/availability_check")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, "UNAUTHORIZED", body)
}

func TestSlowNodeHonoursContext(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	n.Slow(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := try(ctx, n.Endpoint(), "/status")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	n.Slow(time.Millisecond)
	status, _ := get(t, n.Endpoint(), "/status")
	require.Equal(t, http.StatusOK, status)
}

func TestUptimeAndClientsFollowClockAndHooks(t *testing.T) {
	k := newClock()
	for version, want := range map[string][]string{
		"4.4.24": {`"uptime":"1 days, 0 hours, 2 minutes, 5 seconds"`, `"live_connections":7`, `"connections":9`},
		"4.4.14": {`"uptime":"1 days, 0 hours, 2 minutes, 5 seconds"`, `"connections":9`},
		"5.8.9":  {`"uptime":86525000`, `"live_connections":7`, `"connections":9`},
	} {
		n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Now: k.Now}).Join("emqx@a")
		n.SetClients(7, 2)
		k.advance(24*time.Hour + 125*time.Second)
		path := "/api/v" + version[:1] + "/nodes/emqx@a"
		_, body := get(t, n.Endpoint(), path)
		for _, w := range want {
			require.Contains(t, body, w)
		}
		require.Equal(t, version != "4.4.14", strings.Contains(body, "live_connections"))
		_, again := get(t, n.Endpoint(), path)
		require.Equal(t, body, again, "the same clock gives the same answers")
	}
}

func TestVersionsOfOneClusterMayDiffer(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.5", Limit: 100})
	a := c.Join("emqx@a")
	c.Join("emqx@b").SetVersion("5.8.9")
	_, body := get(t, a.Endpoint(), "/api/v5/nodes/emqx%40b")
	require.Contains(t, body, `"version":"5.8.9"`)
	_, body = get(t, a.Endpoint(), "/api/v5/license")
	require.Contains(t, body, `"max_sessions":100`)
	require.Panics(t, func() { a.SetVersion("4.4.24") })
	require.Panics(t, func() { emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "three"}) })
}

func TestStatusAsJSONByVersion(t *testing.T) {
	for version, want := range map[string]string{
		"5.8.9":  `{"app_status":"running","broker_status":"started","node_name":"emqx@a","rel_vsn":"e5.8.9"}`,
		"5.10.4": `{"app_status":"running","broker_status":"started","cluster":"emqxcl","node_name":"emqx@a"}`,
	} {
		n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version}).Join("emqx@a")
		_, body := get(t, n.Endpoint(), "/api/v5/status?format=json")
		require.Equal(t, want, body)
	}
}

func TestUnknownPathIsJSONForThoseWhoAsk(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/api/v5/nothing", nil)
	r.Header.Set("Accept", "application/json")
	n.Handler().ServeHTTP(w, r)
	require.JSONEq(t, `{"code":"NOT_FOUND","message":"Request Path Not Found"}`, w.Body.String())
	require.Equal(t, http.StatusNotFound, w.Code)
}

func TestTransportWithoutSocketGivesUpWithItsContext(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := try(ctx, n.Endpoint(), "/status")
	require.True(t, errors.Is(err, context.Canceled), err)
}
