package broker_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"encoding/pem"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/stretchr/testify/require"
)

var user = broker.Settings{Username: "admin", Password: "public"}

// TestLogins: both majors, by each kind of credentials.
func TestLogins(t *testing.T) {
	for _, c := range []struct {
		name, version string
		settings      broker.Settings
		code          ecp.Code
		using         string // the beginning of it
	}{
		{"5 by user", "5.8.9", user, "", `dashboard user "admin" at`},
		{"5 by key", "5.8.9", broker.Settings{APIKey: "key-77", APISecret: "secret-77"}, "", "API key at"},
		{"5 by a key in the user's place", "5.8.9", broker.Settings{Username: "key-77", Password: "secret-77"}, "",
			"API key at"},
		{"5 by user where the key is none", "5.8.9", broker.Settings{APIKey: "key-78", APISecret: "x",
			Username: "admin",
			Password: "public"}, "", `dashboard user "admin" at`},
		{"5 refused", "5.8.9", broker.Settings{Username: "admin", Password: "canary-1"}, ecp.CodeDenied, ""},
		{"5 key refused", "5.8.9", broker.Settings{APIKey: "key-78", APISecret: "canary-2"}, ecp.CodeDenied, ""},
		{"6 by user", "6.0.2", user, "", `dashboard user "admin" at`},
		{"4 by user", "4.4.24", user, "", `dashboard user "admin" at`},
		{"4 by application", "4.4.24", broker.Settings{APIKey: "key-77", APISecret: "secret-77"}, "", "application at"},
		{"4 by an application in the user's place", "4.4.24", broker.Settings{Username: "key-77",
			Password: "secret-77"}, "",
			"application at"},
		{"4 refused", "4.4.24", broker.Settings{Username: "admin", Password: "canary-3"}, ecp.CodeDenied, ""},
		{"nothing", "5.8.9", broker.Settings{}, ecp.CodeDenied, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, emqxsim.ClusterConfig{Version: c.version, Username: "key-77", Password: "secret-77"})
			a := open(t, r.settings(c.settings), nil)
			d, err := a.Detect(t.Context())
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			if c.code != "" {
				require.ErrorContains(t, err, "emqxee-agent register")
				require.NotContains(t, err.Error(), "canary")
				return
			}
			require.Equal(t, c.version, d.Version)
			require.Contains(t, a.Using(), c.using)
			b, _, err := a.Open(t.Context(), time.Minute)
			require.NoError(t, err)
			defer b.Close()
			described, err := b.Describe(t.Context())
			require.NoError(t, err)
			require.Len(t, described.Nodes, 1)
			health, err := b.(ecp.HealthSource).Health(t.Context())
			require.NoError(t, err)
			require.Equal(t, "emqx@10.0.0.1", health.Node, "4.4 tells it on its management port only")
		})
	}
}

// TestEditionsAndVersions: what cannot be managed is said so, with what was found.
func TestEditionsAndVersions(t *testing.T) {
	for _, c := range []struct {
		config  emqxsim.ClusterConfig
		says    string
		edition string
	}{
		{emqxsim.ClusterConfig{Version: "5.8.9", Edition: emqxsim.OpenSource}, "5.8.9", ecp.EditionOpenSource},
		{emqxsim.ClusterConfig{Version: "4.4.19", Edition: emqxsim.OpenSource}, "4.4.19", ecp.EditionOpenSource},
		{emqxsim.ClusterConfig{Version: "5.5.1"}, "5.5.1", ecp.EditionEnterprise},
		{emqxsim.ClusterConfig{Version: "4.4.5"}, "4.4.5", ecp.EditionEnterprise},
	} {
		t.Run(string(c.config.Edition)+c.config.Version, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.config)
			_, err := open(t, r.settings(user), nil).Detect(t.Context())
			require.ErrorIs(t, err, ecp.ErrUnsupported)
			require.ErrorContains(t, err, "found")
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.edition, broker.FoundIn(err).Edition)
		})
	}
}

// TestRefusedOnce: whoever asks, a refusal costs one login in five minutes.
func TestRefusedOnce(t *testing.T) {
	for _, version := range []string{"5.10.1", "4.4.24"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			r := start(t, emqxsim.ClusterConfig{Version: version})
			r.cluster.AddUser("op", "right-one-1", "administrator")
			a := open(t, r.settings(broker.Settings{Username: "op", Password: "wrong-one-1"}), c.now)
			ask := func() error {
				_, err := a.Detect(t.Context())
				return err
			}
			require.ErrorIs(t, ask(), ecp.ErrDenied)
			logins := func() int { return r.dashboard.count("/api/v5/login") + wrongs(r.dashboard) }
			first := logins()
			require.Positive(t, first)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { require.ErrorIs(t, ask(), ecp.ErrDenied) })
			}
			wg.Wait()
			require.Equal(t, first, logins(), "the refusal is answered from memory")
			require.False(t, a.Refused().IsZero())
			require.Equal(t, 5*time.Minute, a.TryAgainAt().Sub(a.Refused()))

			r.cluster.AddUser("op", "wrong-one-1", "administrator") // mended at EMQX
			require.ErrorIs(t, ask(), ecp.ErrDenied)
			c.forward(5 * time.Minute)
			require.NoError(t, ask(), "it is tried again, and no lock was run into")
			require.True(t, a.Refused().IsZero())
		})
	}
}

// wrongs counts requests that carried a name and a password.
func wrongs(c *counted) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if name, _, ok := r.BasicAuth(); ok && name == "op" {
			n++
		}
	}
	return n
}

// TestLockedUser: EMQX's own words reach the person.
func TestLockedUser(t *testing.T) {
	c := newClock()
	r := start(t, emqxsim.ClusterConfig{Version: "5.10.1", Now: c.now})
	r.cluster.AddUser("op", "right-one-1", "administrator")
	for range 5 {
		_, err := open(t, r.settings(broker.Settings{Username: "op", Password: "wrong"}), c.now).Detect(t.Context())
		require.ErrorIs(t, err, ecp.ErrDenied)
	}
	a := open(t, r.settings(broker.Settings{Username: "op", Password: "right-one-1"}), c.now)
	_, err := a.Detect(t.Context())
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.ErrorContains(t, err, "locked")
	c.forward(10 * time.Minute)
	_, err = a.Detect(t.Context())
	require.NoError(t, err)
}

// TestLoginsEnd: a token that has ended costs a new login, and no failure; one login
// serves everybody.
func TestLoginsEnd(t *testing.T) {
	r := start(t, emqxsim.ClusterConfig{})
	a := open(t, r.settings(user), nil)
	api := a.API()
	get := func() int {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v5/nodes", http.NoBody))
		return w.Code
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { require.Equal(t, http.StatusOK, get()) })
	}
	wg.Wait()
	require.Equal(t, 1, r.dashboard.count("/api/v5/login"))
	r.cluster.EndLogins()
	require.Equal(t, http.StatusOK, get())
	require.Equal(t, 2, r.dashboard.count("/api/v5/login"))
	a.Close(t.Context())
	require.Equal(t, 1, r.dashboard.count("/api/v5/logout"), "a login is not left behind")
}

// TestTLS: EMQX's own certificate is taken on loopback, and elsewhere only by a CA.
func TestTLS(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	s := serve(t, c.Join("emqx@10.0.0.1").Dashboard(), (*httptest.Server).StartTLS)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
		0o600))
	for name, set := range map[string]broker.Settings{"loopback": {}, "CA": {CAFile: ca}, "any": {SkipVerify: true}} {
		set.DashboardURL, set.Username, set.Password = s.URL, "admin", "public"
		_, err := open(t, set, nil).Detect(t.Context())
		require.NoError(t, err, name)
	}
	plain := user
	plain.DashboardURL = "http" + s.URL[len("https"):]
	_, err := open(t, plain, nil).Detect(t.Context())
	require.Error(t, err)
	_, err = broker.New(broker.Config{Settings: broker.Settings{CAFile: ca + "x"}})
	require.ErrorContains(t, err, "certificates for EMQX")
}

// TestAway: nobody there, something else there, one that hangs: words and bounds.
func TestAway(t *testing.T) {
	// of a service that is not in use any more; a port that was free may be taken by now
	const gone = "http://127.0.0.1:1"
	other := serve(t, http.NotFoundHandler(), (*httptest.Server).Start)
	hangs := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		(*httptest.Server).Start)
	for name, c := range map[string]struct {
		url  string
		code ecp.Code
		says string
	}{
		"gone":  {gone, ecp.CodeUnavailable, "refused"},
		"other": {other.URL, ecp.CodeUnsupported, "found no EMQX"},
		"hangs": {hangs.URL, ecp.CodeUnavailable, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := user
			s.DashboardURL, s.APIURL = c.url, c.url
			began := time.Now()
			_, err := open(t, s, nil).Detect(t.Context())
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Less(t, time.Since(began), 20*time.Second)
		})
	}
}

// TestAnotherMajor: where an EMQX of another major takes the place of the one that
// was found, each way to log in is tried again, the user first.
func TestAnotherMajor(t *testing.T) {
	node := func(version string) http.Handler {
		return emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version}).Join("emqx@10.0.0.1").Dashboard()
	}
	var there atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there.Load().(http.HandlerFunc)(w, r)
	}))
	defer s.Close()
	a, err := broker.New(broker.Config{Settings: broker.Settings{DashboardURL: s.URL, Username: "admin",
		Password: "public"}})
	require.NoError(t, err)
	defer a.Close(t.Context())
	for _, version := range []string{"5.8.9", "4.4.24", "5.8.9"} {
		there.Store(http.HandlerFunc(node(version).ServeHTTP))
		a.Forget()
		d, err := a.Detect(t.Context())
		require.NoError(t, err)
		require.Equal(t, version, d.Version)
		require.Contains(t, a.Using(), `dashboard user "admin"`, version)
	}
}
