package emqxv5_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var login = ecp.Credentials{Username: "testkey", Password: "testsecret-0123456789"}

// memory gives hundredths of GiB, as the recordings have them ("23.54G"), in
// bytes, rounded as the adapter rounds.
func memory(hundredths int64) int64 { return (hundredths<<30 + 50) / 100 }

func running(name string, millis, connections, sessions int, used int64) ecp.BrokerNode {
	return ecp.BrokerNode{Name: name, Status: ecp.NodeRunning, Role: "core", Version: "5.8.9",
		Uptime:      time.Duration(millis) * time.Millisecond,
		Connections: connections, Sessions: sessions, MemoryUsed: memory(used), MemoryTotal: memory(2354)}
}

var threeNodes = ecp.Description{
	Version: "5.8.9", Edition: "enterprise", Connections: 2, Limit: 25,
	Nodes: []ecp.BrokerNode{
		running("emqx@127.0.0.1", 197537, 2, 2, 168),
		running("emqx@127.0.0.2", 70652, 0, 0, 168),
		running("emqx@127.0.0.3", 54682, 0, 0, 168),
	},
}

func TestDescribe(t *testing.T) {
	stopped := ecp.BrokerNode{Name: "emqx@127.0.0.3", Status: ecp.NodeStopped, Role: "core"}
	for _, c := range []struct {
		name string
		h    http.Handler
		want ecp.Description
	}{
		{"one node", replay(t, "one"), ecp.Description{Version: "5.8.9", Edition: "enterprise", Connections: 2,
			Limit: 25,
			Nodes: []ecp.BrokerNode{running("emqx@127.0.0.1", 17510, 2, 3, 140)}}},
		{"three nodes", replay(t, "three"), threeNodes},
		{"one of three is stopped", replay(t, "stopped"), ecp.Description{Version: "5.8.9", Edition: "enterprise",
			Connections: 16, Limit: 25,
			Nodes: []ecp.BrokerNode{running("emqx@127.0.0.1", 278564, 16, 16, 161),
				running("emqx@127.0.0.2", 151679, 0, 0,
					161), stopped}}},
		{"no such call as the license", emqxtest.Paths{license: emqxtest.Recorded(t,
			"testdata/answers/03-404-unknown-path.txt")}.Before(replay(t, "three")), withLimit(threeNodes, 0)},
		{"the key may not read the license", emqxtest.Paths{license: emqxtest.Recorded(t,
			"testdata/answers/35-apikey-publisher-get-403.txt")}.Before(replay(t, "three")), withLimit(threeNodes, 0)},
		{"the license has no limit", emqxtest.Paths{license: emqxtest.Body(`{"max_sessions":"infinity",` +
			`"max_connections":"infinity"}`)}.Before(replay(t, "three")), withLimit(threeNodes, 0)},
		{"the license is of before 5.8.5",
			emqxtest.Paths{license: emqxtest.Body(`{"max_connections":100}`)}.Before(replay(t,
				"three")), withLimit(threeNodes, 100)},
		{"content type is misspelt, as in 5.6.1", emqxtest.WithContentType(replay(t, "three"), "applicatin/json"),
			threeNodes},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := describe(t, c.h)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := inside[ecp.Broker](t, emqxtest.Paths{license: emqxtest.Hang{}}.Before(replay(t, "three")))
		got, err := b.Describe(t.Context())
		require.NoError(t, err, "the license does not come")
		require.Equal(t, withLimit(threeNodes, 0), got)
	})
}

// TestDescribeInPart: a member that hangs holds up the list of all; the others are
// described all the same, and it is said of which there is no telling. A broker
// that is slow as a whole has all of the time.
func TestDescribeInPart(t *testing.T) {
	one := func(name string) http.Handler {
		return emqxtest.Body(`{"node":"` + name +
			`","node_status":"running","role":"core","version":"5.8.9","edition":"Enterprise","connections":3,` +
			`"live_connections":2}`)
	}
	parts := emqxtest.Paths{
		cluster:           emqxtest.Body(`{"name":"emqxcl","nodes":["emqx@b","emqx@a","emqx@c"],"self":"emqx@a"}`),
		nodes + "/emqx@a": one("emqx@a"), nodes + "/emqx@b": emqxtest.Hang{}, nodes + "/emqx@c": one("emqx@c"),
	}.Before(http.NotFoundHandler())
	is := func(name string) ecp.BrokerNode {
		return ecp.BrokerNode{
			Name: name, Status: ecp.NodeRunning, Role: "core", Version: "5.8.9", Connections: 2, Sessions: 3,
		}
	}
	for name, all := range map[string]http.Handler{"hangs": emqxtest.Hang{}, "crashes": emqxtest.Refusal(500,
		`{"code":"INTERNAL_ERROR","message":"x"}`)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := emqxtest.Paths{nodes: all}.Before(parts)
				d, err := inside[ecp.Broker](t, h).Describe(t.Context())
				require.NoError(t, err)
				require.Equal(t, ecp.Description{Version: "5.8.9", Edition: "enterprise", Connections: 4,
					Nodes: []ecp.BrokerNode{
						is("emqx@a"), {Name: "emqx@b", Status: ecp.NodeUnknown, Error: "the node that was asked " +
							"gets no answer from it"},
						is("emqx@c"),
					}}, d)
				found, err := ecp.Detect(t.Context(), emqxtest.Inside(h, login), emqxv5.New(emqxv5.Config{}))
				require.NoError(t, err)
				require.Equal(t, ecp.Detection{Major: 5, Version: "5.8.9", Edition: "enterprise", Authenticated: true},
					found)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait, cancel := context.WithTimeout(r.Context(), 7*time.Second)
			defer cancel()
			<-wait.Done()
			version("5.8.9", "Enterprise").ServeHTTP(w, r)
		})
		d, err := inside[ecp.Broker](t, slow).Describe(t.Context())
		require.NoError(t, err)
		require.Len(t, d.Nodes, 1)
		_, err = inside[ecp.Broker](t, emqxtest.Hang{}).Describe(t.Context())
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ErrorContains(t, err, "no answer in time")
	})
}

// TestMixedVersions: the version is that of the node that answers, asked for
// only where it matters, and the earliest where that does not help.
func TestMixedVersions(t *testing.T) {
	list := emqxtest.Body(`[{"node":"b","node_status":"running","role":"core","version":"5.10.0"},
		{"node":"a","node_status":"running","role":"core","version":"5.8.9"},
		{"node":"c","node_status":"stopped","role":"core","version":"5.6.0"},
		{"node":"d","node_status":"wedged","role":"replicant"},
		{"node":"e","error":"timeout"}]`)
	for self, want := range map[string]string{`{"self":"b"}`: "5.10.0", `{"self":"a"}`: "5.8.9",
		`{"self":"x"}`: "5.8.9",
		`{`:            "5.8.9"} {
		d, err := describe(t, emqxtest.Paths{nodes: list, cluster: emqxtest.Body(self)}.Before(http.NotFoundHandler()))
		require.NoError(t, err)
		require.Equal(t, want, d.Version, self)
		require.Equal(t, []ecp.BrokerNode{
			{Name: "a", Status: ecp.NodeRunning, Role: "core", Version: "5.8.9"},
			{Name: "b", Status: ecp.NodeRunning, Role: "core", Version: "5.10.0"},
			{Name: "c", Status: ecp.NodeStopped, Role: "core", Version: "5.6.0"},
			{Name: "d", Status: ecp.NodeUnknown, Role: "replicant", Error: `the broker gives its status as "wedged"`},
			{Name: "e", Status: ecp.NodeUnknown, Error: "timeout"},
		}, d.Nodes)
	}
}

func TestErrors(t *testing.T) {
	answer := func(name string) http.Handler { return emqxtest.Recorded(t, filepath.Join("testdata/answers", name)) }
	for _, c := range []struct {
		name string
		h    http.Handler
		code ecp.Code
		says []string
	}{
		{"no credentials", answer("01-nodes-noauth-401.txt"), ecp.CodeDenied,
			[]string{"EMQX 5", "401", "AUTHORIZATION_HEADER_ERROR", "check API key and secret"}},
		{"key without rights", answer("35-apikey-publisher-get-403.txt"), ecp.CodeDenied,
			[]string{"403", "UNAUTHORIZED_ROLE", "/api/v5/nodes", "viewer"}},
		{"EMQX 4, dashboard's port",
			emqxtest.Paths{"/api/v4/nodes": answer("00-nodes-noauth.txt")}.Before(answer("22-v5-nodes-on-v4.txt")),
			ecp.CodeUnsupported, []string{"an EMQX 4 answers there"}},
		{"something else", http.NotFoundHandler(), ecp.CodeUnsupported,
			[]string{"404", "check the port and the version"}},
		{"still starting", answer("03-404-unknown-path.txt"), ecp.CodeUnavailable, []string{"still starting"}},
		{"a page", emqxtest.WithContentType(emqxtest.Body("<html>"), "text/html; charset=utf-8"), ecp.CodeUnavailable,
			[]string{"text/html", "proxy"}},
		{"JSON that is said to be text", emqxtest.WithContentType(replay(t, "three"), "text/plain"),
			ecp.CodeUnavailable,
			[]string{"text/plain", "proxy"}},
		{"no member", emqxtest.Body("[]"), ecp.CodeUnavailable, []string{"not that of EMQX 5"}},
		{"a member without a name", emqxtest.Body(`[{"node_status":"running"}]`), ecp.CodeUnavailable,
			[]string{"not that of EMQX 5"}},
		{"17 MiB", emqxtest.Body("[" + strings.Repeat(" ", 17<<20) + "]"), ecp.CodeUnavailable,
			[]string{"longer than it may be"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := describe(t, c.h)
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
			require.Less(t, len(err.Error()), 500)
		})
	}
}

// TestOnItsWayUp: a broker that is not there yet is asked again.
func TestOnItsWayUp(t *testing.T) {
	for status, want := range map[int]ecp.Code{
		http.StatusBadGateway: "", http.StatusServiceUnavailable: "",
		http.StatusGatewayTimeout: "", http.StatusInternalServerError: ecp.CodeUnavailable,
	} {
		asked := 0
		healthy := replay(t, "three")
		d, err := describe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked < 3 {
				w.WriteHeader(status)
				return
			}
			healthy.ServeHTTP(w, r)
		}))
		require.Equal(t, want, ecp.CodeOf(err), "status %d: %v", status, err)
		if err == nil {
			require.Equal(t, threeNodes, d)
		}
	}
}

// TestLogIsSilentOnCredentials: what was left out is logged, with its reason,
// without credentials.
func TestLogIsSilentOnCredentials(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Header.Get("Authorization")+login.Password, http.StatusInternalServerError)
	})
	b, err := emqxv5.New(emqxv5.Config{Logger: logger}).Open(emqxtest.Serve(t,
		emqxtest.Paths{license: echo}.Before(replay(t, "one")), login))
	require.NoError(t, err)
	defer b.Close()
	_, err = b.Describe(t.Context())
	require.NoError(t, err)
	require.Contains(t, log.String(), "its license")
	require.NotContains(t, log.String(), login.Password)
	require.NotContains(t, log.String(), "dGVzdGtle", "base64 of the credentials")
}

func describe(t *testing.T, h http.Handler) (ecp.Description, error) {
	t.Helper()
	return emqxtest.Describe(t, patient, emqxtest.Serve(t, h, login))
}

func replay(t *testing.T, folder string) http.Handler {
	return emqxtest.Replay(t, login, filepath.Join("testdata", folder))
}

func withLimit(d ecp.Description, limit int) ecp.Description {
	d.Limit = limit
	return d
}

const (
	nodes   = "/api/v5/nodes"
	license = "/api/v5/license"
	cluster = "/api/v5/cluster"
)
