package emqxsim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// row is one call and what its answer has.
type row struct {
	method, path, body string
	status             int
	says               string // "" = nothing at all
}

func checkRows(t *testing.T, n *emqxsim.Node, rows []row) {
	t.Helper()
	for _, c := range rows {
		a := call(t, n, c.method, c.path, c.body)
		require.Equal(t, c.status, a.status, "%s %s %s: %s", c.method, c.path, c.body, a.body)
		require.Contains(t, a.body, c.says, "%s %s", c.method, c.path)
		if c.says == "" {
			require.Empty(t, a.body, "%s %s", c.method, c.path)
		}
	}
}

func TestConnectorCalls(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	checkRows(t, n, []row{
		{"POST", "/connectors", `{"type":"http","name":"h"}`, 400, `root.url`},
		{"POST", "/connectors", `{"type":"nonesuch","name":"h"}`, 400, "unknown connector type"},
		{"POST", "/connectors", `{"type":"http","name":"h","url":"http://127.0.0.1:9",` +
			`"headers":{"authorization":"Bearer x"}}`, 201, `"authorization":"******"`},
		{"POST", "/connectors", `{"type":"http","name":"h","url":"http://x"}`, 400, "ALREADY_EXISTS"},
		{"POST", "/connectors_probe", `{"type":"http","name":"h","url":"http://127.0.0.1:9"}`, 400, "TEST_FAILED"},
		{"POST", "/connectors_probe", `{"type":"http","name":"h","url":"http://x"}`, 204, ""},
		{"POST", "/connectors/http:h/start", "", 400, "Connection refused"},
		{"POST", "/actions", `{"type":"http","name":"a","connector":"zzz"}`, 400, "connector_not_found_or_wrong_type"},
		{"POST", "/actions", `{"type":"http","name":"a","connector":"h","parameters":{"path":"/x"}}`, 201,
			`"error":"Resource not operational"`},
		{"PUT", "/connectors/http:h/enable/perhaps", "", 400, "boolean()"},
		{"PUT", "/connectors/http:h/enable/false", "", 204, ""},
		{"POST", "/connectors/http:h/start", "", 400, "not enabled"},
		{"POST", "/rules", `{"id":"r","sql":"SELECT * FROM \"t\"","actions":["http:a"]}`, 201, `"http:a"`},
		{"GET", "/actions_summary", "", 200, `"rules":["r"]`},
		{"DELETE", "/actions/http:a", "", 400, "Cannot delete action while active rules are depending on it"},
		{"DELETE", "/connectors/http:h", "", 400, "active channels"},
		{"DELETE", "/rules/r", "", 204, ""},
		{"DELETE", "/actions/http%3Aa", "", 204, ""},
		{"DELETE", "/connectors/http%3Ah", "", 204, ""},
		{"GET", "/actions/http:nope", "", 404, "bridge named 'nope' of type http does not exist"},
		{"GET", "/connectors", "", 200, "[]"},
	})
}

func TestListenerCalls(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	n := c.Join("emqx@a")
	c.Join("emqx@b")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 4})
	checkRows(t, n, []row{
		{"GET", "/listeners?type=tcp", "", 200,
			`"number":2,"status":{"current_connections":4,"max_connections":"infinity","running":true}`},
		{"POST", "/listeners", `{"type":"tcp","name":"extra","bind":"0.0.0.0:11883","max_connections":5}`, 200,
			`"id":"tcp:extra"`},
		{"POST", "/listeners", `{"type":"tcp","name":"extra","bind":"0.0.0.0:11883"}`, 400, "Already Exist"},
		{"POST", "/listeners", `{"type":"carrier","name":"pigeon","bind":"1"}`, 400, "validation_error"},
		{"GET", "/listeners_status", "", 200, `"ids":["tcp:default","tcp:extra"]`},
		{"PUT", "/listeners/tcp:extra", `{"id":"tcp:extra","type":"tcp","acceptors":0}`, 400, "pos_integer()"},
		{"PUT", "/listeners/tcp:extra", `{"id":"tcp:extra","type":"tcp","enable":false}`, 200, `"running":false`},
		{"POST", "/listeners/tcp:extra/blow", "", 404, "<html>"},
		{"DELETE", "/listeners/tcp:extra", "", 204, ""},
		{"GET", "/listeners/tcp:extra", "", 404, "BAD_LISTENER_ID"},
	})
	require.Equal(t, 4, c.Usage().Connected)
}

// TestClientCalls: pages, filters and kicks of clients that are counted only.
func TestClientCalls(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000})
	n := c.Join("emqx@a")
	c.Join("emqx@b")
	c.AddClients(emqxsim.Clients{Name: "dev/x", Count: 150, Persistent: true, Subscribe: []string{"all", "own/%c"}})
	c.Disconnect("dev/x", 10)
	checkRows(t, n, []row{
		{"GET", "/clients?limit=100&fields=clientid", "", 200,
			`"meta":{"count":150,"hasnext":true,"limit":100,"page":1}`},
		{"GET", "/clients?limit=100&page=2&fields=clientid", "", 200, `"hasnext":false`},
		{"GET", "/clients?conn_state=disconnected&fields=clientid", "", 200, `"count":10`},
		{"GET", "/clients?node=emqx@b&fields=clientid", "", 200, `"count":75`},
		{"GET", "/clients?like_clientid=x-149&fields=clientid", "", 200, `"data":[{"clientid":"dev/x-149"}]`},
		{"GET", "/clients?page=0&limit=abc", "", 400,
			`"{\"value\":0,\"reason\":{\"expected\":\"pos_integer()\"},\"path\":\"page\",` +
				`\"kind\":\"validation_error\"}"`},
		{"GET", "/clients/dev%2Fx-7", "", 200, `"clientid":"dev/x-7"`},
		{"GET", "/clients/dev%2Fx-07", "", 404, "CLIENTID_NOT_FOUND"},
		{"GET", "/clients/dev%2Fx-150", "", 404, "CLIENTID_NOT_FOUND"},
		{"GET", "/clients/dev%2Fx-7/subscriptions", "", 200, `"topic":"own/dev/x-7"`},
		{"GET", "/subscriptions?limit=1", "", 200, `"count":300`},
		{"GET", "/topics?limit=1", "", 200, `"count":152`},
		{"DELETE", "/clients/dev%2Fx-7", "", 204, ""},
		{"DELETE", "/clients/nobody", "", 404, "CLIENTID_NOT_FOUND"},
		{"POST", "/clients/kickout/bulk", `["dev/x-8","nobody"]`, 204, ""},
	})
	require.Equal(t, 148, c.Usage().Sessions, "two were kicked")
	k.advance(time.Second)
	require.Equal(t, 150, c.Usage().Sessions, "kicked clients come back")
}

func TestAlarmHooks(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	n := c.Join("emqx@a")
	c.Join("emqx@b")
	active := func() string { return call(t, n, "GET", "/alarms", "").body }
	n.RaiseAlarm("runq_overload", "VM is overloaded", map[string]any{"node": "emqx@a"})
	require.Contains(t, active(), "VM is overloaded")
	n.ClearAlarm("runq_overload")
	require.NotContains(t, active(), "runq_overload")
	c.Partition([]string{"emqx@a"}, []string{"emqx@b"})
	require.Contains(t, active(), "Partition occurs at node emqx@b")
	c.Partition()
	require.NotContains(t, active(), "artition")
	require.Contains(t, call(t, n, "GET", "/alarms?activated=false&limit=1", "").body, `"hasnext":true`)
	require.Equal(t, 400, call(t, n, "GET", "/alarms?activated=perhaps", "").status)
}

// TestConfigCalls: JSON or HOCON by what is accepted; what was put is merged.
func TestConfigCalls(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	checkRows(t, n, []row{
		{"GET", "/configs/log", "", 200, `"path":"${EMQX_LOG_DIR}/emqx.log"`},
		{"PUT", "/configs/log", `{"console":{"level":"debug"}}`, 200, `"level":"debug"`},
		{"PUT", "/configs/log", `{"console":{"enable":true}}`, 200, `"enable":true,"formatter":"text","level":"debug"`},
		{"GET", "/configs", "", 200, `"sysmon"`},
		{"GET", "/nodes", "", 200, `"log_path":"/opt/emqx/log"`},
		{"PUT", "/configs/log", `{"file":{"default":{"enable":false}}}`, 200, `"rotation_size":"50MB"`},
		{"GET", "/nodes", "", 200, `not logging to file`},
		{"GET", "/configs/nonesuch", "", 404, "Request Path Not Found"},
	})
	for accept, want := range map[string]string{
		"text/plain": "cluster {\n", "*/*": "cluster {\n", "image/png": "INVALID_ACCEPT",
	} {
		r := httptest.NewRequest(http.MethodGet, "/api/v5/configs", nil)
		r.SetBasicAuth("admin", "public")
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, r)
		require.Contains(t, w.Body.String(), want, accept)
	}
}

// TestDashboardPage: everything in it is relative, so that it works behind a
// proxy with a prefix.
func TestDashboardPage(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	for path, want := range map[string]string{
		"/": `src="./static/app.js"`, "/static/app.js": `'api/v5/'`, "/static/app.css": "form {",
	} {
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, 200, w.Code, path)
		require.Contains(t, w.Body.String(), want)
		require.NotRegexp(t, `(src|href)="/|['"]/(api|static)`, w.Body.String(), "no absolute paths in %s", path)
		if strings.HasSuffix(path, "js") {
			require.Contains(t, w.Body.String(), `'uKV5'`)
		}
	}
}

func TestBodiesAreChecked(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	const start = "/load_rebalance/emqx@a/evacuation/start"
	checkRows(t, n, []row{
		{"POST", start, `{"conn_evict_rate":0}`, 400,
			`{\"value\":0,\"reason\":{\"expected\":\"pos_integer()\"},\"path\":\"root.conn_evict_rate\",` +
				`\"kind\":\"validation_error\"}`},
		{"POST", start, `{"wait_takeover":"soon"}`, 400, "validation_error"},
		{"POST", start, `{"nonesuch":1}`, 400, "unknown_fields"},
		{"POST", start, `{"migrate_to":["emqx@z"]}`, 400, `Invalid nodes: [\u003c\u003c\"emqx@z\"\u003e\u003e]`},
		{"POST", start, `[`, 400, "Invalid json message received"},
		{"POST", "/load_rebalance/emqx@z/evacuation/start", `{}`, 404, "Node not found: emqx@z"},
		{"POST", start, "", 200, "{}"},
		{"POST", start, "", 400, "already_started"},
		{"POST", "/load_rebalance/emqx@a/start", "", 400, "eviction_agent_busy"},
		{"POST", "/login", `{"username":"admin"}`, 400, `\"path\":\"password\"`},
	})
	r := httptest.NewRequest(http.MethodPost, "/api/v5/rules", strings.NewReader("<x/>"))
	r.Header.Set("Content-Type", "text/xml")
	r.SetBasicAuth("admin", "public")
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusUnsupportedMediaType, w.Code)
}
