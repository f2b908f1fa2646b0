package emqxv4_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const prometheus = "/api/v4/emqx_prometheus"

func TestWriteMetrics(t *testing.T) {
	told := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "type=prometheus" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s with authorization %q", r.URL, r.Header.Get("Authorization"))
		}
		recorded(t, "17-prometheus-noauth").ServeHTTP(w, r)
	})
	var b bytes.Buffer
	n, err := brokerOf[ecp.Metrics](t, site{version: "4.4.19",
		paths: emqxtest.Paths{prometheus: told}}).WriteMetrics(t.Context(), &b, ecp.MetricsOfNodes)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	require.Contains(t, b.String(), "# TYPE erlang_vm_ets_limit gauge\n")

	for _, c := range []struct {
		name   string
		answer http.Handler
		code   ecp.Code
		says   string
	}{
		{"the plugin is not loaded", recorded(t, "17-prometheus-not-loaded"), ecp.CodeUnsupported,
			"emqx_ctl plugins load emqx_prometheus"},
		{"JSON", done, ecp.CodeUnavailable, "not that of EMQX 4"},
		{"a page", answer{200, "text/html", "<html>"}, ecp.CodeUnavailable, "text/html"},
		{"it fails", emqxtest.Status(500), ecp.CodeUnavailable, "500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Reset()
			_, err := brokerOf[ecp.Metrics](t, site{version: "4.4.19",
				paths: emqxtest.Paths{prometheus: c.answer}}).WriteMetrics(t.Context(), &b, ecp.MetricsOfNode)
			refusedWith(t, err, c.code, c.says)
			require.Empty(t, b.String(), "nothing is begun")
		})
	}
	failed := errors.New("disk full")
	_, err = brokerOf[ecp.Metrics](t, site{version: "4.4.19",
		paths: emqxtest.Paths{prometheus: told}}).WriteMetrics(t.Context(), writer{failed}, ecp.MetricsOfNode)
	require.ErrorIs(t, err, failed)
}

// writer fails.
type writer struct{ err error }

// Write writes nothing.
func (w writer) Write([]byte) (int, error) { return 0, w.err }

// TestLoadMetrics: the plugin is loaded on the node that answers, and may be there already.
func TestLoadMetrics(t *testing.T) {
	const load = "/api/v4/nodes/emqx@a/plugins/emqx_prometheus/load"
	for _, c := range []struct {
		name  string
		paths emqxtest.Paths
		code  ecp.Code // empty means it is loaded
		says  string
	}{
		{"it is loaded", emqxtest.Paths{load: recorded(t, "17-prometheus-load")}, "", ""},
		{"it was loaded", emqxtest.Paths{load: recorded(t, "17-plugin-load-again")}, "", ""},
		{"it is not there", nil, ecp.CodeUnsupported, "emqx_ctl plugins load emqx_prometheus"},
		{"it does not start", emqxtest.Paths{load: answer{200, "application/json",
			`{"message":"parse_config_file_failed"}`}}, ecp.CodeUnavailable, "parse_config_file_failed"},
		{"no node is named", emqxtest.Paths{"/status": emqxtest.Status(200)}, ecp.CodeUnavailable, "name of its node"},
		{"it fails", emqxtest.Paths{load: emqxtest.Status(500)}, ecp.CodeUnavailable, "500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := brokerOf[ecp.MetricsLoader](t, site{version: "4.4.19", paths: c.paths}).LoadMetrics(t.Context())
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			refusedWith(t, err, c.code, c.says)
		})
	}
}
