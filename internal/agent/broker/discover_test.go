package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/home"
	"github.com/stretchr/testify/require"
)

// files writes files below a root.
func files(t *testing.T, all map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range all {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

// TestDiscover: each source in its order, and what is told of it.
func TestDiscover(t *testing.T) {
	for _, c := range []struct {
		name, version string
		given, file   broker.Settings
		env           map[string]string
		prompt        *broker.Settings
		files         map[string]string
		user, key     string // what is found
		code          ecp.Code
		says          string
	}{
		{name: "the defaults", version: "5.8.9", user: "admin", says: "the user that EMQX comes with"},
		{name: "the defaults of 4", version: "4.4.24", user: "admin", says: "the user that EMQX comes with"},
		{name: "flags", version: "5.8.9", given: broker.Settings{Username: "op", Password: "pass-word-1"}, user: "op",
			says: "the flags"},
		{name: "flags refused are not replaced", version: "5.8.9",
			given: broker.Settings{Username: "op",
				Password: "canary-x"}, user: "op", code: ecp.CodeDenied, says: "register"},
		{name: "flags before the file", version: "5.8.9", given: broker.Settings{Username: "op",
			Password: "pass-word-1"},
			file: broker.Settings{Username: "admin", Password: "canary-x"}, user: "op", says: "the flags"},
		{name: "the file", version: "5.8.9", file: broker.Settings{Username: "op", Password: "pass-word-1"},
			env: map[string]string{"EMQXEE_AGENT_EMQX_DASHBOARD_USERNAME": "no",
				"EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD": "canary-x"}, user: "op", says: "broker.json"},
		{name: "the environment", version: "5.8.9", env: map[string]string{"EMQXEE_AGENT_EMQX_API_KEY": "key-77",
			"EMQXEE_AGENT_EMQX_API_SECRET": "secret-77"}, key: "key-77", says: "environment"},
		{name: "EMQX's environment", version: "5.8.9",
			env: map[string]string{"EMQX_DASHBOARD__DEFAULT_USERNAME": `"op"`,
				"EMQX_DASHBOARD__DEFAULT_PASSWORD": `"pass-word-1"`}, user: "op", says: "EMQX's environment"},
		{name: "EMQX's environment of 4", version: "4.4.24",
			env: map[string]string{"EMQX_MANAGEMENT__DEFAULT_APPLICATION__ID": "key-77",
				"EMQX_MANAGEMENT__DEFAULT_APPLICATION__SECRET": "secret-77"}, key: "key-77",
			says: "default application"},
		{name: "a person", version: "5.8.9", prompt: &broker.Settings{Username: "op", Password: "pass-word-1"},
			user: "op",
			says: "what was typed"},
		{name: "a person who says nothing", version: "5.8.9", prompt: &broker.Settings{}, user: "admin",
			says: "comes with"},
		{name: "EMQX's keys", version: "5.8.9", files: map[string]string{
			"opt/emqx/etc/emqx.conf": "dashboard { listeners.http.bind = 1 }\napi_key {\n  bootstrap_file = " +
				"\"${EMQX_ETC_DIR}/keys\"\n}",
			"opt/emqx/etc/keys": "\nview:x:viewer\nkey-77:secret-77:administrator\n"}, key: "key-77",
			says: "a key of"},
		{name: "EMQX's user, what was set at run time below the file", version: "5.8.9", files: map[string]string{
			"var/lib/emqx/configs/cluster.hocon": "dashboard {default_password = \"canary-x\"}",
			"etc/emqx/emqx.conf": "dashboard {\n default_username : op, default_password = pass-word-1 # " +
				"so\n}"}, user: "op", says: "default user"},
		{name: "4's files", version: "4.4.24", files: map[string]string{
			"etc/emqx/plugins/emqx_dashboard.conf": "## x\ndashboard.default_user.login = " +
				"op\ndashboard.default_user.password = pass-word-1\n"}, user: "op", says: "default user"},
		{name: "4's applications", version: "4.4.24", files: map[string]string{
			"opt/emqx/etc/plugins/emqx_management.conf": "management.bootstrap_apps_file = etc/apps\n",
			"opt/emqx/etc/apps":                         "key-77:secret-77\n"}, key: "key-77", says: "a key of"},
		{name: "a file of keys that is not there", version: "5.8.9",
			files: map[string]string{"opt/emqx/etc/emqx.conf": `api_key.bootstrap_file = "/gone"`}, user: "admin",
			says: "cannot be used"},
		{name: "open source", version: "5.8.9-ce", code: ecp.CodeUnsupported, says: "needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			version, ce := strings.CutSuffix(c.version, "-ce")
			config := emqxsim.ClusterConfig{Version: version, Username: "key-77", Password: "secret-77"}
			if ce {
				config.Edition = emqxsim.OpenSource
			}
			r := start(t, config)
			r.cluster.AddUser("op", "pass-word-1", "administrator")
			dir := home.Dir(t.TempDir())
			_, err := dir.Prepare()
			require.NoError(t, err)
			if c.file.HasCredentials() {
				require.NoError(t, broker.Save(dir, c.file))
			}
			d := broker.DiscoverConfig{Given: r.settings(c.given), Home: dir, Getenv: func(n string) string {
				return c.env[n]
			},
				Root: files(t, c.files)}
			if c.prompt != nil {
				d.Prompt = func(context.Context, broker.Settings) (broker.Settings, error) { return *c.prompt, nil }
			}
			s, tried, err := broker.Discover(t.Context(), d)
			all := strings.Join(tried, "\n")
			if err != nil {
				all += "\n" + err.Error()
			}
			require.Equal(t, c.code, ecp.CodeOf(err), all)
			require.Contains(t, all, c.says)
			require.Equal(t, c.user, s.Username, all)
			require.Equal(t, c.key, s.APIKey, all)
			for _, secret := range []string{"canary", "pass-word-1", "secret-77"} {
				require.NotContains(t, all, secret)
			}
		})
	}
}

// TestDiscoverTriesOnce: the user EMQX comes with is tried once, and guesses that were
// refused are not kept.
func TestDiscoverTriesOnce(t *testing.T) {
	r := start(t, emqxsim.ClusterConfig{Version: "5.10.1", Username: "key-77"})
	r.cluster.AddUser("admin", "other-word-1", "administrator")
	root := files(t, map[string]string{"opt/emqx/etc/emqx.conf": `dashboard.default_password = public`})
	s, tried, err := broker.Discover(t.Context(), broker.DiscoverConfig{Given: r.settings(broker.Settings{}),
		Root: root})
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.ErrorContains(t, err, "emqxee-agent register")
	require.Equal(t, 1, r.dashboard.count("/api/v5/login"), tried)
	require.False(t, s.HasCredentials())
}

// TestDiscoverFindsPorts: where EMQX listens is read where nobody says it.
func TestDiscoverFindsPorts(t *testing.T) {
	r := start(t, emqxsim.ClusterConfig{})
	root := files(t, map[string]string{"opt/emqx/etc/emqx.conf": "dashboard.listeners.http { bind = \"" +
		strings.TrimPrefix(r.dashboard.URL, "http://") + "\" }"})
	s, tried, err := broker.Discover(t.Context(), broker.DiscoverConfig{Root: root})
	require.NoError(t, err, tried)
	require.Equal(t, r.dashboard.URL, s.DashboardURL)
}

// TestDiscoverEnds: a person who gives up ends it, and so does a broker that is away.
func TestDiscoverEnds(t *testing.T) {
	stop := errors.New("stop")
	_, _, err := broker.Discover(t.Context(), broker.DiscoverConfig{Root: t.TempDir(),
		Prompt: func(context.Context, broker.Settings) (broker.Settings, error) { return broker.Settings{}, stop }})
	require.ErrorIs(t, err, stop)
	r := start(t, emqxsim.ClusterConfig{})
	r.dashboard.Close()
	r.api.Close()
	s, _, err := broker.Discover(t.Context(), broker.DiscoverConfig{Given: r.settings(broker.Settings{}),
		Root: t.TempDir()})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.False(t, s.HasCredentials())
	require.Equal(t, r.dashboard.URL, s.DashboardURL)
}

// TestCheck: the way step by step, and which step fails.
func TestCheck(t *testing.T) {
	r := start(t, emqxsim.ClusterConfig{Version: "4.4.24"})
	steps := broker.Check(t.Context(), r.settings(user))
	require.Len(t, steps, 4)
	for _, s := range steps {
		require.True(t, s.OK, "%+v", s)
	}
	steps = broker.Check(t.Context(), r.settings(broker.Settings{Username: "admin", Password: "canary"}))
	require.Equal(t, "broker login", steps[2].Name)
	require.False(t, steps[2].OK)
	require.Contains(t, steps[2].Hint, "emqxee-agent register")
	require.NotContains(t, steps[2].Err, "canary")
	r.dashboard.Close()
	r.api.Close()
	steps = broker.Check(t.Context(), r.settings(user))
	require.False(t, steps[0].OK)
	require.Contains(t, steps[0].Err, "refuses the connection")
	require.Len(t, broker.Check(t.Context(), broker.Settings{DashboardURL: "ftp://x"}), 1)
}

// TestSettings: what is wrong is named by its flag, without what was given.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		s    broker.Settings
		says string
	}{
		{broker.Settings{DashboardURL: "http://u:canary@h"}, "--emqx-dashboard-url"},
		{broker.Settings{DashboardURL: "http://h/canary"}, "--emqx-dashboard-url"},
		{broker.Settings{APIURL: "canary"}, "--emqx-api-url"},
		{broker.Settings{APIURL: "http://h:canary"}, "--emqx-api-url"},
		{broker.Settings{APIURL: "http://h:99999"}, "--emqx-api-url"},
		{broker.Settings{Username: "a:canary", Password: "x"}, "--emqx-dashboard-username"},
		{broker.Settings{Username: "a"}, "without its password"},
		{broker.Settings{Password: "canary"}, "without --emqx-dashboard-username"},
		{broker.Settings{APIKey: "a", APISecret: "cana\nry"}, "control character"},
		{broker.Settings{LogDir: "canary"}, "--emqx-log-collection-dir"},
	} {
		err := c.s.Check()
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "canary")
	}
	dir := home.Dir(t.TempDir())
	_, err := dir.Prepare()
	require.NoError(t, err)
	_, err = broker.Load(dir)
	require.True(t, broker.IsMissing(err))
	s := broker.Settings{Username: "a", Password: "canary", LogCollection: true}
	require.NoError(t, broker.Save(dir, s))
	require.NoError(t, os.Chmod(dir.Broker(), 0o644))
	got, err := broker.Load(dir)
	require.NoError(t, err)
	require.Equal(t, s, got)
	info, err := os.Stat(dir.Broker())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.WriteFile(dir.Broker(), []byte(`{"password":"canary`), 0o600))
	_, err = broker.Load(dir)
	require.ErrorContains(t, err, "not the JSON")
	require.NotContains(t, err.Error(), "canary")
}
