package emqxsim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestFaults: each kind once, through a socket and without.
func TestFaults(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	n := c.Join("emqx@a")
	right := call(t, n, "GET", "/cluster", "").body
	for _, f := range []struct {
		name  string
		fault emqxsim.Fault
		check func(t *testing.T, res *http.Response, body string, err error)
	}{
		{"status", emqxsim.Fault{Status: 500, Body: "oops"}, func(t *testing.T, res *http.Response, body string,
			_ error) {
			require.Equal(t, 500, res.StatusCode)
			require.Equal(t, "oops", body)
		}},
		{"content type", emqxsim.Fault{ContentType: "text/html"}, func(t *testing.T, res *http.Response, body string,
			_ error) {
			require.Equal(t, "text/html", res.Header.Get("Content-Type"))
			require.Equal(t, right, body)
		}},
		{"size", emqxsim.Fault{Size: 1 << 20}, func(t *testing.T, _ *http.Response, body string, _ error) {
			require.Len(t, body, 1<<20)
			require.JSONEq(t, right, body)
		}},
		{"half", emqxsim.Fault{Half: true}, func(t *testing.T, res *http.Response, body string, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, right[:len(right)/2], body)
		}},
		{"latency", emqxsim.Fault{Latency: time.Millisecond}, func(t *testing.T, _ *http.Response, body string,
			_ error) {
			require.Equal(t, right, body)
		}},
		{"hang", emqxsim.Fault{Hang: true}, func(t *testing.T, _ *http.Response, _ string, err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}},
		{"refuse", emqxsim.Fault{Refuse: true}, func(t *testing.T, _ *http.Response, _ string, err error) {
			require.Error(t, err)
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			defer c.AddFault(f.fault)()
			srv := httptest.NewServer(n.Handler())
			t.Cleanup(srv.Close)
			for url, client := range map[string]*http.Client{
				srv.URL: srv.Client(), n.Endpoint().BaseURL: {Transport: n.Endpoint().Transport},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				if f.fault.Hang {
					ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
				}
				res, body, err := askURL(ctx, client, url+"/api/v5/cluster") //nolint:bodyclose // it is closed there
				cancel()
				f.check(t, res, body, err)
			}
		})
	}
	require.Equal(t, right, call(t, n, "GET", "/cluster", "").body, "they end with their removal")
}

func askURL(ctx context.Context, client *http.Client, url string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	req.SetBasicAuth("admin", "public")
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// TestFaultsApplyWhereAndWhenTheyAreMeantTo by node, method, path, times and
// the clock.
func TestFaultsApplyWhereAndWhenTheyAreMeantTo(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	status := func(n *emqxsim.Node, method, path string) int { return call(t, n, method, path, "").status }

	remove := c.AddFault(emqxsim.Fault{Node: "emqx@a", Method: "GET", Path: "/api/v5/nodes**", Status: 502, Times: 2})
	require.Equal(t, 200, status(b, "GET", "/nodes"))
	require.Equal(t, 405, status(a, "DELETE", "/nodes"))
	require.Equal(t, 200, status(a, "GET", "/cluster"))
	require.Equal(t, 502, status(a, "GET", "/nodes"))
	require.Equal(t, 502, status(a, "GET", "/nodes/emqx@a"))
	require.Equal(t, 200, status(a, "GET", "/nodes"), "twice was meant")
	remove()

	defer c.AddFault(emqxsim.Fault{Node: "emqx@b", Refuse: true, Up: 10 * time.Second, Down: 5 * time.Second})()
	for range 3 {
		require.Equal(t, 200, status(b, "GET", "/nodes"))
		k.advance(10 * time.Second)
		_, err := try(t.Context(), b.Endpoint(), "/status")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		k.advance(5 * time.Second)
	}
}

// TestFaultLeavesTheClusterAlone: what an HTTP client suffers the nodes do not.
func TestFaultLeavesTheClusterAlone(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	c.AddFault(emqxsim.Fault{Node: "emqx@b", Refuse: true})
	require.Equal(t, "running", statuses(t, a.Endpoint())[b.Name()])
	require.False(t, strings.Contains(call(t, a, "GET", "/alarms", "").body, "partition"))
}
