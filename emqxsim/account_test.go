package emqxsim_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// loginAs gives an endpoint with a token.
func loginAs(t *testing.T, n *emqxsim.Node, user, password string) ecp.Endpoint {
	t.Helper()
	a := call(t, n, "POST", "/login", `{"username":"`+user+`","password":"`+password+`"}`)
	require.Equal(t, 200, a.status, a.body)
	e := n.Endpoint()
	e.Credentials = ecp.Credentials{Username: "Bearer", Password: a.o["token"].(string)}
	return e
}

// TestTokensSlide: an hour after its last use a token ends.
func TestTokensSlide(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	n := c.Join("emqx@a")
	e := loginAs(t, n, "admin", "public")
	for range 3 {
		k.advance(59 * time.Minute)
		require.Equal(t, 200, callAt(t, e, "GET", "/nodes", "").status)
	}
	k.advance(time.Hour)
	ended := callAt(t, e, "GET", "/nodes", "")
	require.Equal(t, 401, ended.status)
	require.Equal(t, "TOKEN_TIME_OUT", ended.o["code"])
	e = loginAs(t, n, "admin", "public")
	require.Equal(t, 204, callAt(t, e, "POST", "/logout", `{"username":"admin"}`).status)
	require.Equal(t, "BAD_TOKEN", callAt(t, e, "GET", "/nodes", "").o["code"])
	e = loginAs(t, n, "admin", "public")
	c.EndLogins()
	require.Equal(t, "BAD_TOKEN", callAt(t, e, "GET", "/nodes", "").o["code"])
}

// TestLoginLocks from 5.9 on, after five failures, for ten minutes.
func TestLoginLocks(t *testing.T) {
	for version, code := range map[string]string{"5.8.9": "BAD_USERNAME_OR_PWD", "5.9.0": "LOGIN_LOCKED"} {
		k := newClock()
		n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Now: k.Now}).Join("emqx@a")
		for range 5 {
			require.Equal(t, "BAD_USERNAME_OR_PWD",
				call(t, n, "POST", "/login", `{"username":"admin","password":"wrong"}`).o["code"])
		}
		require.Equal(t, code, call(t, n, "POST", "/login", `{"username":"admin","password":"wrong"}`).o["code"],
			version)
		k.advance(10 * time.Minute)
		loginAs(t, n, "admin", "public")
	}
}

// TestWhatKeysMayDo by role, state and scope.
func TestWhatKeysMayDo(t *testing.T) {
	k := newClock()
	for _, c := range []struct {
		name, version string
		key           emqxsim.APIKey
		method, path  string
		status        int
		code          string
	}{
		{"administrator", "5.8.9", emqxsim.APIKey{}, "DELETE", "/alarms", 204, ""},
		{"viewer looks", "5.8.9", emqxsim.APIKey{Role: "viewer"}, "GET", "/nodes", 200, ""},
		{"viewer changes", "5.8.9", emqxsim.APIKey{Role: "viewer"}, "DELETE", "/alarms", 403, "UNAUTHORIZED_ROLE"},
		{"publisher looks", "5.8.9", emqxsim.APIKey{Role: "publisher"}, "GET", "/nodes", 403, "UNAUTHORIZED_ROLE"},
		{"disabled", "5.8.9", emqxsim.APIKey{Disabled: true}, "GET", "/nodes", 401, "BAD_API_KEY_OR_SECRET"},
		{"expired", "5.8.9", emqxsim.APIKey{Expires: k.now}, "GET", "/nodes", 401, "BAD_API_KEY_OR_SECRET"},
		{"keys", "5.8.9", emqxsim.APIKey{}, "GET", "/api_key", 401, "API_KEY_NOT_ALLOW"},
		{"users", "5.8.9", emqxsim.APIKey{}, "GET", "/users", 401, "API_KEY_NOT_ALLOW"},
		{"in scope", "5.10.4", emqxsim.APIKey{Scopes: []string{"license"}}, "GET", "/license", 200, ""},
		{"out of scope", "5.10.4", emqxsim.APIKey{Scopes: []string{"license"}}, "GET", "/nodes", 403,
			"UNAUTHORIZED_ROLE"},
		{"before there were scopes", "5.10.3", emqxsim.APIKey{Scopes: []string{}}, "GET", "/nodes", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: c.version, Now: k.Now})
			c.key.Name, c.key.Key, c.key.Secret = "k", "id", "secret"
			sim.AddAPIKey(c.key)
			e := sim.Join("emqx@a").Endpoint()
			e.Credentials = ecp.Credentials{Username: "id", Password: "secret"}
			a := callAt(t, e, c.method, c.path, "")
			require.Equal(t, c.status, a.status, a.body)
			if c.code != "" {
				require.Equal(t, c.code, a.o["code"])
			}
		})
	}
}

// TestKeysAreMade by those who logged in, and work at once.
func TestKeysAreMade(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	e := loginAs(t, n, "admin", "public")
	made := callAt(t, e, "POST", "/api_key",
		`{"name":"k1","desc":"","enable":true,"role":"viewer","expired_at":"infinity"}`)
	require.Equal(t, 200, made.status, made.body)
	own := n.Endpoint()
	own.Credentials = ecp.Credentials{Username: made.o["api_key"].(string), Password: made.o["api_secret"].(string)}
	require.Equal(t, 200, callAt(t, own, "GET", "/nodes", "").status)
	require.Equal(t, 403, callAt(t, own, "DELETE", "/alarms", "").status)
	require.NotContains(t, callAt(t, e, "GET", "/api_key", "").body, "api_secret", "told once")
	require.Equal(t, "name_already_existed", callAt(t, e, "POST", "/api_key", `{"name":"k1","desc":""}`).o["message"])
	require.Equal(t, 500, callAt(t, e, "POST", "/api_key", `{"name":"k2"}`).status, "a broker crashes without desc")
	require.Equal(t, false, callAt(t, e, "PUT", "/api_key/k1", `{"enable":false}`).o["enable"])
	require.Equal(t, 401, callAt(t, own, "GET", "/nodes", "").status)
	require.Equal(t, 204, callAt(t, e, "DELETE", "/api_key/k1", "").status)
	require.Equal(t, 404, callAt(t, e, "DELETE", "/api_key/k1", "").status)
}

func TestViewersOnlyLook(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	c.AddUser("v", "Viewer_pass1", "viewer")
	n := c.Join("emqx@a")
	e := loginAs(t, n, "v", "Viewer_pass1")
	require.Equal(t, 200, callAt(t, e, "GET", "/nodes", "").status)
	require.Equal(t, 403, callAt(t, e, "DELETE", "/alarms", "").status)
	require.Equal(t, 204, callAt(t, e, "POST", "/logout", `{"username":"v"}`).status)
}
