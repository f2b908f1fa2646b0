package emqxsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// said is an answer, its body also as JSON where it is an object.
type said struct {
	status int
	header http.Header
	body   string
	o      map[string]any
}

// failing is what call needs of a test, also of a random one.
type failing interface {
	require.TestingT
	Helper()
	Context() context.Context
}

// call asks a node of EMQX 5; path is below /api/v5.
func call(t failing, n *emqxsim.Node, method, path, body string) said {
	t.Helper()
	return callAt(t, n.Endpoint(), method, path, body)
}

func callAt(t failing, e ecp.Endpoint, method, path, body string) said {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, e.BaseURL+"/api/v5"+path, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	switch {
	case e.Credentials.Username == "Bearer":
		req.Header.Set("Authorization", "Bearer "+e.Credentials.Password)
	case e.Credentials.Username != "":
		req.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := (&http.Client{Transport: e.Transport}).Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := said{status: res.StatusCode, header: res.Header, body: string(b)}
	if strings.HasPrefix(a.body, "{") {
		require.NoError(t, json.Unmarshal(b, &a.o), a.body)
	}
	return a
}

// TestEvacuation follows one from its start to its end, with clients that keep
// their sessions and such that do not.
func TestEvacuation(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000})
	a := c.Join("emqx@a")
	b := c.Join("emqx@b")
	c.AddClients(emqxsim.Clients{Name: "clean", Count: 20})
	c.AddClients(emqxsim.Clients{Name: "kept", Count: 20, Persistent: true})
	c.Disconnect("kept", 10) // all of them on a, where they stay
	require.Equal(t, emqxsim.NodeUsage{Connected: 10, Sessions: 20}, c.Usage().Nodes["emqx@a"])
	require.Equal(t, emqxsim.NodeUsage{Connected: 20, Sessions: 20}, c.Usage().Nodes["emqx@b"])

	start := `{"conn_evict_rate":4,"sess_evict_rate":5,"wait_health_check":"10s","wait_takeover":5}`
	require.Equal(t, 200, call(t, b, "POST", "/load_rebalance/emqx%40a/evacuation/start", start).status)
	again := call(t, b, "POST", "/load_rebalance/emqx%40a/evacuation/start", start)
	require.Equal(t, "error on node 'emqx@a': already_started", again.o["message"])
	require.Equal(t, 503, call(t, a, "GET", "/load_rebalance/availability_check", "").status)
	require.Equal(t, 200, call(t, b, "GET", "/load_rebalance/availability_check", "").status)

	type seen struct {
		state           string
		conns, sessions float64
	}
	look := func() seen {
		s := call(t, a, "GET", "/load_rebalance/status", "")
		stats := s.o["stats"].(map[string]any)
		return seen{s.o["state"].(string), stats["current_connected"].(float64), stats["current_sessions"].(float64)}
	}
	for _, step := range []struct {
		wait time.Duration
		want seen
	}{
		{0, seen{"waiting_health_check", 10, 20}},
		{9 * time.Second, seen{"waiting_health_check", 10, 20}},
		{time.Second, seen{"evicting_conns", 6, 20}},
		{time.Second, seen{"evicting_conns", 2, 20}},
		{time.Second, seen{"evicting_conns", 0, 20}},
		{time.Second, seen{"waiting_takeover", 0, 20}},
		{4 * time.Second, seen{"waiting_takeover", 0, 20}},
		{time.Second, seen{"evicting_sessions", 0, 5}},
		{time.Second, seen{"evicting_sessions", 0, 0}},
		{time.Second, seen{"prohibiting", 0, 0}},
		{time.Hour, seen{"prohibiting", 0, 0}},
	} {
		k.advance(step.wait)
		require.Equal(t, step.want, look(), "after %s more", step.wait)
	}
	u := c.Usage()
	require.Equal(t, emqxsim.NodeUsage{Connected: 30, Sessions: 40}, u.Nodes["emqx@b"])
	require.Zero(t, u.Lost)

	a.Restart()
	require.Equal(t, "evicting_conns", look().state, "5.x goes on with evicting after a restart")
	require.Equal(t, 503, call(t, a, "GET", "/load_rebalance/availability_check", "").status)
	require.Equal(t, 200, call(t, b, "POST", "/load_rebalance/emqx%40a/evacuation/stop", "").status)
	require.Equal(t, "disabled", call(t, a, "GET", "/load_rebalance/status", "").o["status"])
	require.Equal(t, 200, call(t, a, "GET", "/load_rebalance/availability_check", "").status)
}

// TestAloneNodeIsNotEvacuated: with nowhere to go clients are refused and
// sessions stay.
func TestAloneNodeIsNotEvacuated(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	a := c.Join("emqx@a")
	c.AddClients(emqxsim.Clients{Name: "p", Count: 3, Persistent: true})
	a.StartEvacuation(0, 0, 0, 0)
	k.advance(time.Minute)
	require.Equal(t, "evicting_sessions", call(t, a, "GET", "/load_rebalance/status", "").o["state"])
	require.Equal(t, emqxsim.NodeUsage{Sessions: 3}, c.Usage().Nodes["emqx@a"])
	require.Positive(t, c.Refused()["evacuating"])
	a.StopEvacuation()
	k.advance(time.Minute)
	require.Equal(t, 3, c.Usage().Connected)
}

func TestRebalance(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000})
	a := c.Join("emqx@a")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 30})
	require.Equal(t, 30, c.Usage().Nodes["emqx@a"].Connected)
	c.Join("emqx@b")
	c.Join("emqx@c")

	nothing := call(t, a, "POST", "/load_rebalance/emqx%40a/start", `{}`)
	require.Equal(t, "error on node 'emqx@a': nothing_to_balance", nothing.o["message"],
		"the default thresholds are high")
	body := `{"conn_evict_rate":5,"wait_health_check":2,"wait_takeover":1,"abs_conn_threshold":2,` +
		`"rel_conn_threshold":1.1}`
	require.Equal(t, 200, call(t, a, "POST", "/load_rebalance/emqx%40a/start", body).status)
	require.Equal(t, 503, call(t, a, "GET", "/load_rebalance/availability_check", "").status)
	require.Equal(t, []any{"emqx@c", "emqx@b"}, call(t, a, "GET", "/load_rebalance/status", "").o["recipients"])
	k.advance(3 * time.Second)
	require.Equal(t, "evicting_conns", call(t, a, "GET", "/load_rebalance/status", "").o["state"])
	k.advance(time.Minute)
	require.Equal(t, "disabled", call(t, a, "GET", "/load_rebalance/status", "").o["status"], "it ends by itself")
	u := c.Usage()
	require.Equal(t, 30, u.Connected)
	for name, n := range u.Nodes {
		require.InDelta(t, 10, n.Connected, 6, name) // those on their way are seen on no node
	}
}

func TestClientsComeBackThroughOtherNodes(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000})
	a := c.Join("emqx@a")
	b := c.Join("emqx@b")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 10, Persistent: true})
	b.Kill()
	require.Equal(t, 5, c.Usage().Connected)
	require.Equal(t, 5, c.Usage().Lost, "their sessions were on the node")
	k.advance(time.Second)
	require.Equal(t, emqxsim.NodeUsage{Connected: 10, Sessions: 10}, c.Usage().Nodes["emqx@a"])
	b.Revive()
	k.advance(time.Hour)
	require.Zero(t, c.Usage().Nodes["emqx@b"].Connected, "nobody goes back by himself")
	a.Kill()
	b.Kill()
	k.advance(time.Minute)
	require.Equal(t, 10, c.Usage().Waiting)
	require.Positive(t, c.Refused()["no_node"])
}

func TestListenerLimits(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000})
	a := c.Join("emqx@a")
	c.Join("emqx@b")
	c.SetListener("tcp:default", 3, true)
	c.AddClients(emqxsim.Clients{Name: "c", Count: 10})
	require.Equal(t, 6, c.Usage().Connected, "3 on each node")
	require.Equal(t, 4, c.Refused()["listener_full"])
	require.Equal(t, 200, call(t, a, "POST", "/listeners/tcp%3Adefault/stop", "").status)
	require.Zero(t, c.Usage().Connected)
	k.advance(time.Minute)
	require.Positive(t, c.Refused()["listener_stopped"])
	require.Equal(t, 200, call(t, a, "POST", "/listeners/tcp:default/start", "").status)
	k.advance(time.Minute)
	require.Equal(t, 6, c.Usage().Connected)
	changed := call(t, a, "PUT", "/listeners/tcp:default",
		`{"id":"tcp:default","type":"tcp","max_connections":"infinity"}`)
	require.Equal(t, "infinity", changed.o["max_connections"])
	k.advance(time.Minute)
	require.Equal(t, 10, c.Usage().Connected)
}

func TestMembershipCalls(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a := c.Join("emqx@a")
	b := c.Standalone("emqx@b")
	require.Len(t, statuses(t, b.Endpoint()), 1)
	require.Equal(t, "nodedown", call(t, a, "PUT", "/cluster/emqx@nowhere/invite", "").o["message"])
	require.Equal(t, "Cannot invite self", call(t, a, "PUT", "/cluster/emqx@a/invite", "").o["message"])
	require.Equal(t, 200, call(t, a, "PUT", "/cluster/emqx@b/invite", `{"timeout":15000}`).status)
	require.Len(t, statuses(t, a.Endpoint()), 2)
	require.Equal(t, "Can't leave self", call(t, a, "DELETE", "/cluster/emqx@a/force_leave", "").o["message"])
	require.Equal(t, 204, call(t, a, "DELETE", "/cluster/emqx@b/force_leave", "").status)
	require.Len(t, statuses(t, a.Endpoint()), 1)
	require.Equal(t, 200, call(t, a, "PUT", "/cluster/emqx@b/invite_async", "").status)
	require.Contains(t, call(t, a, "GET", "/cluster/invitation", "").body, `"succeed":[{"finished_at"`)
	c.Node("emqx@b").SetRole("replicant")
	c.Node("emqx@b").Kill()
	require.Len(t, statuses(t, a.Endpoint()), 1, "a replicant that is down is not listed")
}

// TestBoot: refused, then 404 on every path, then answers.
func TestBoot(t *testing.T) {
	k := newClock()
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{
		Now: k.Now, BootTime: 10 * time.Second, BootPage: time.Second,
	}).Join("emqx@a")
	_, err := try(t.Context(), n.Endpoint(), "/status")
	require.Error(t, err)
	k.advance(10 * time.Second)
	status, body := get(t, n.Endpoint(), "/api/v5/nodes")
	require.Equal(t, 404, status)
	require.Contains(t, body, "<html>")
	k.advance(time.Second)
	status, body = get(t, n.Endpoint(), "/api/v5/nodes")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"uptime":1000`)
}

// TestWhatLeftIsItsOwn: a node takes along what the cluster had, and changes
// of the one are none of the other.
func TestWhatLeftIsItsOwn(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	c.AddConnector("http", "h", map[string]any{"url": "http://sink"})
	c.AddAction("http", "x", "h")
	c.AddRule("r", `SELECT * FROM "t"`, "http:x")
	b.Leave()
	require.Equal(t, 200, call(t, b, "PUT", "/rules/r", `{"sql":"SELECT * FROM \"u\"","enable":false}`).status)
	require.Equal(t, 204, call(t, b, "PUT", "/connectors/http:h/enable/false", "").status)
	require.Equal(t, "disconnected", call(t, b, "GET", "/actions/http:x", "").o["status"])
	require.Equal(t, true, call(t, a, "GET", "/rules/r", "").o["enable"])
	require.Equal(t, "connected", call(t, a, "GET", "/actions/http:x", "").o["status"])
	require.Equal(t, 204, call(t, a, "DELETE", "/rules/r", "").status)
	require.Equal(t, 200, call(t, b, "GET", "/rules/r", "").status)
}
