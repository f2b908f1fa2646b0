package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call runs the program and gives what it printed.
func call(t *testing.T, user, password string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	env := map[string]string{"EMQX_USERNAME": user, "EMQX_PASSWORD": password}
	status = run(t.Context(), append([]string{"--timeout", "5s"}, args...), func(k string) string { return env[k] },
		&out, &errs)
	return status, out.String(), errs.String()
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// busy is a cluster of three nodes, one of them stopped, with clients, a rule
// and a connector that has lost its server.
func busy(version, edition string) *emqxsim.Node {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Edition: emqxsim.Edition(edition)})
	n := c.Join("emqx@10.0.0.1")
	c.Join("emqx@10.0.0.2").SetClients(2, 1)
	c.Join("emqx@10.0.0.3").Kill()
	c.AddConnector("http", "c1", map[string]any{"url": "http://10.0.0.9"})
	c.AddAction("http", "a1", "c1")
	c.AddRule("r1", `SELECT * FROM "t/#"`, "http:a1")
	c.SetConnectorFault("http:c1", "", "Connection refused")
	return n
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		name, version, edition string
		dashboard              bool
		want                   []string
	}{
		{"5.8", "5.8.9", "enterprise", false, []string{
			"EMQX      5.8.9 enterprise", "emqx@10.0.0.1 runs and takes clients", "2 connected, 3 sessions",
			"trial of Evaluation", "25 connections",
			"emqx@10.0.0.2  running  core  5.8.9", "emqx@10.0.0.3  stopped", "tcp:default", "connector:http:c1", "r1",
			"http:a1", "1 of kind connector, 0 of them connected", "disconnected  Connection refused",
		}},
		{"4.4", "4.4.24", "enterprise", false,
			[]string{"EMQX      4.4.24 enterprise", "2 connected, 3 sessions", "mqtt:tcp:external", "10 connections"}},
		{"4.4 by the dashboard's port", "4.4.24", "enterprise", true, []string{
			"EMQX      4.4.24 enterprise", "2 connected, 3 sessions",
			"asked     does not say whether it runs (it has no page /status",
		}},
		{"open source", "4.4.19", "opensource", false,
			[]string{"no: found open-source EMQX 4.4.19; needed EMQX Enterprise 4.4.6 or later",
				"2 connected, 3 sessions", "NOT THERE", "license"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := busy(c.version, c.edition)
			h := n.Handler()
			if c.dashboard {
				h = n.Dashboard()
			}
			status, out, errs := call(t, "admin", "public", serve(t, h))
			require.Zero(t, status, "%s%s", out, errs)
			require.Empty(t, errs)
			for _, want := range c.want {
				require.Contains(t, out, want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	status, out, errs := call(t, "admin", "public", "--json", serve(t, busy("5.8.9", "enterprise").Handler()))
	require.Zero(t, status, errs)
	var r report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, "5.8.9", r.Version)
	require.Len(t, r.Nodes, 3)
	require.Equal(t, 2, r.Traffic.Connections)
	require.Len(t, r.Rules, 1)
	require.Len(t, r.Integrations, 2)
	require.NotEmpty(t, r.Alarms)
	require.Empty(t, r.Unanswered)
}

// TestArguments: flags may follow the URL, which may be in the environment.
func TestArguments(t *testing.T) {
	url := serve(t, busy("5.8.9", "enterprise").Handler())
	status, out, errs := call(t, "admin", "public", url, "--json")
	require.Zero(t, status, errs)
	require.True(t, json.Valid([]byte(out)), out)
	status, _, errs = call(t, "admin", "public", url, "--wide")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "wide")
	status, _, errs = call(t, "admin", "public", "--help")
	require.Zero(t, status)
	require.Contains(t, errs, "usage")

	var text, words strings.Builder
	env := map[string]string{"EMQX_URL": url, "EMQX_USERNAME": "admin", "EMQX_PASSWORD": "public"}
	require.Zero(t, run(t.Context(), nil, func(k string) string { return env[k] }, &text, &words), words.String())
	require.Contains(t, text.String(), "EMQX      5.8.9 enterprise")
}

// TestNothingThere: that there is no alarm, rule or connector is told, and is
// not the same as no answer.
func TestNothingThere(t *testing.T) {
	for _, version := range []string{"4.4.24", "5.8.9"} {
		c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
		broker := c.Join("emqx@10.0.0.1").Handler()
		url := serve(t, broker)
		status, out, errs := call(t, "admin", "public", url)
		require.Zero(t, status, errs)
		for _, want := range []string{"alarms    0\n", "rules     0, 0 of them running\n", "outside   0\n"} {
			require.Contains(t, out, want)
		}
		_, out, _ = call(t, "admin", "public", "--json", url)
		for _, want := range []string{`"alarms": []`, `"rules": []`, `"integrations": []`} {
			require.Contains(t, out, want)
		}

		url = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "alarms") {
				http.Error(w, "Internal Error", http.StatusInternalServerError)
				return
			}
			broker.ServeHTTP(w, r)
		}))
		_, out, _ = call(t, "admin", "public", url)
		require.NotContains(t, out, "alarms    0")
		require.Contains(t, out, "rules     0")
		_, out, _ = call(t, "admin", "public", "--json", url)
		require.NotContains(t, out, `"alarms": null`)
		require.NotContains(t, out, `"alarms": []`)
	}
}

// TestWhatGoesWrong: what is known is printed, and one line says what to do.
func TestWhatGoesWrong(t *testing.T) {
	n := busy("5.8.9", "enterprise")
	broker := serve(t, n.Handler())
	notes := filepath.Join(t.TempDir(), "notes.pem")
	require.NoError(t, os.WriteFile(notes, []byte("no certificate"), 0o600))
	for _, c := range []struct {
		name           string
		user, password string
		args           []string
		status         int
		out, errs      string
	}{
		{"no credentials", "", "", []string{broker}, 1, "EMQX   5.8.9", "set EMQX_USERNAME and EMQX_PASSWORD"},
		{"wrong credentials", "admin", "guessed-9d1", []string{broker}, 1, "runs and takes clients", "401"},
		{"no EMQX", "admin", "public", []string{serve(t, http.NotFoundHandler())}, 1, "", "found no EMQX"},
		{"a redirect", "admin", "public",
			[]string{serve(t, http.RedirectHandler("https://10.1.2.3:18084/", http.StatusMovedPermanently))}, 1, "",
			"redirects elsewhere"},
		{"a redirect without credentials", "", "",
			[]string{serve(t, http.RedirectHandler("https://10.1.2.3:18084/", http.StatusFound))}, 1, "",
			"redirects elsewhere"},
		{"nobody there", "admin", "public", []string{"http://127.0.0.1:1"}, 1, "", "connection refused"},
		{"no URL", "admin", "public", nil, 2, "", "usage"},
		{"no scheme", "admin", "public", []string{"10.1.2.3:18083"}, 2, "", "baseURL"},
		{"two URLs", "admin", "public", []string{broker, broker}, 2, "", "usage"},
		{"a flag of another program", "admin", "public", []string{"--wide", broker}, 2, "", "wide"},
		{"a file without certificates", "admin", "public", []string{"--ca-file", notes, broker}, 2, "",
			"holds no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, out, errs := call(t, c.user, c.password, c.args...)
			require.Equal(t, c.status, status, "%s%s", out, errs)
			require.Contains(t, out, c.out)
			require.Contains(t, errs, c.errs)
			require.NotContains(t, out+errs, "guessed-9d1")
		})
	}
}

// TestPartUnanswered: what one call refuses does not keep back the rest.
func TestPartUnanswered(t *testing.T) {
	inner := busy("5.8.9", "enterprise").Handler()
	status, out, _ := call(t, "admin", "public",
		serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v5/rules" {
				http.Error(w, "Internal Error", http.StatusInternalServerError)
				return
			}
			inner.ServeHTTP(w, r)
		})))
	require.Equal(t, 1, status)
	require.Contains(t, out, "NOT ANSWERED")
	require.Contains(t, out, "rules")
	require.Contains(t, out, "connector:http:c1")
}

// TestWordsOfOthers: a client id in an alarm's name neither breaks the table nor
// reaches the terminal as an order.
func TestWordsOfOthers(t *testing.T) {
	inner := busy("5.8.9", "enterprise").Handler()
	_, out, _ := call(t, "admin", "public", serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v5/alarms" {
			inner.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(
			[]byte(
				`{"data":[{"node":"n","name":"conn_congestion/a\u001b[2J\tb\u009bc","message":"x\ny"}],"meta":{"hasnext":false}}`))
	})))
	require.Contains(t, out, "conn_congestion/a [2J b c")
	require.Contains(t, out, "x y")
	require.NotContains(t, out, "0001-01-01")
}

func TestCertificates(t *testing.T) {
	s := httptest.NewTLSServer(busy("5.8.9", "enterprise").Handler())
	t.Cleanup(s.Close)
	status, _, errs := call(t, "admin", "public", s.URL)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "not trusted")
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pemOf(s), 0o600))
	status, out, errs := call(t, "admin", "public", "--ca-file", file, s.URL)
	require.Zero(t, status, errs)
	require.Contains(t, out, "5.8.9")
}

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// TestHangingMember: what is known of the others is there within the time of one
// question and a little more, and what nobody tells names who hangs.
func TestHangingMember(t *testing.T) {
	for version, says := range map[string][]string{
		"5.8.9": {"emqx@10.0.0.1  running", "emqx@10.0.0.2  unknown", "runs and takes clients",
			"no answer from emqx@10.0.0.2", "NOT ANSWERED"},
		// nobody names the others
		"4.4.24": {"4.4.24 enterprise", "emqx@10.0.0.1 runs", "10 connections", "NOT ANSWERED", "nodes", "alarms"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
			n := c.Join("emqx@10.0.0.1")
			c.Join("emqx@10.0.0.2").Suspend()
			ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
			defer cancel()
			start := time.Now()
			r, err := inspect(ctx, n.Endpoint(), emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{}))
			require.Less(t, time.Since(start), 12*time.Second)
			require.NoError(t, err)
			var out strings.Builder
			require.NoError(t, r.print(&out))
			for _, s := range says {
				require.Contains(t, out.String(), s, version)
			}
		})
	}
}
