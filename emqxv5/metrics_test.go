package emqxv5_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

func TestWriteMetrics(t *testing.T) {
	var requests emqxtest.Requests
	b := open[ecp.Metrics](t, requests.Record(replay(t, "one")))
	for scope, series := range map[ecp.MetricsScope]string{
		ecp.MetricsOfNode:  "\nemqx_connections_count 3\n",
		ecp.MetricsOfNodes: "\nemqx_connections_count{node=\"emqx@127.0.0.1\"} 3\n",
	} {
		var out strings.Builder
		n, err := b.WriteMetrics(t.Context(), &out, scope)
		require.NoError(t, err)
		require.EqualValues(t, out.Len(), n)
		require.Contains(t, out.String(), series)
	}
	require.ElementsMatch(t, []string{
		"GET /api/v5/prometheus/stats?mode=node", "GET /api/v5/prometheus/stats?mode=all_nodes_unaggregated",
	}, requests.Sent())
	_, err := b.WriteMetrics(t.Context(), &strings.Builder{}, "all")
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

// TestWriteMetricsBegins only an exposition.
func TestWriteMetricsBegins(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Handler
		code ecp.Code
		says string
	}{
		{"JSON", answer(t, "31-prometheus-stats-json"), ecp.CodeUnavailable, "not that of EMQX 5"},
		{"a page", emqxtest.WithContentType(emqxtest.Body("<html>"), "text/html"), ecp.CodeUnavailable, "login page"},
		{"asks for credentials", answer(t, "01-nodes-bad-secret-401"), ecp.CodeDenied, "check API key"},
		{"hangs", emqxtest.Status(500), ecp.CodeUnavailable, "500"},
	} {
		var out strings.Builder
		n, err := open[ecp.Metrics](t, c.h).WriteMetrics(t.Context(), &out, ecp.MetricsOfNode)
		refusedAs(t, err, c.code, "", c.says)
		require.Zero(t, n)
		require.Empty(t, out.String())
	}
}

// TestWriteMetricsInPart: what ends early is an error, and how much was written
// is said.
func TestWriteMetricsInPart(t *testing.T) {
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("emqx_x 1\n"))
	})
	var out strings.Builder
	n, err := open[ecp.Metrics](t, half).WriteMetrics(t.Context(), &out, ecp.MetricsOfNode)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.EqualValues(t, len("emqx_x 1\n"), n)
	_, err = open[ecp.Metrics](t, replay(t, "one")).WriteMetrics(t.Context(), failing{}, ecp.MetricsOfNode)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("gone") }
