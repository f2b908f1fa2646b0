package emqxsim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// broker4 is a kind of EMQX 4.4.
type broker4 struct {
	version string
	edition emqxsim.Edition
}

// brokers4 are those that differ in what they serve.
var brokers4 = []broker4{
	{"4.4.6", "enterprise"}, {"4.4.12", "enterprise"}, {"4.4.19", "enterprise"}, {"4.4.24", "enterprise"},
	{"4.4.6", "opensource"}, {"4.4.12", "opensource"}, {"4.4.19", "opensource"}, {"4.4.24", "opensource"},
}

func (b broker4) enterprise() bool { return b.edition == emqxsim.Enterprise }

// atLeast reports whether it is 4.4.patch or later.
func (b broker4) atLeast(patch string) bool {
	return len(b.version) > len("4.4."+patch) || len(b.version) == len("4.4."+patch) && b.version >= "4.4."+patch
}

func (b broker4) cluster(nodes ...string) *emqxsim.Cluster {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: b.version, Edition: b.edition})
	for _, n := range nodes {
		c.Join(n)
	}
	return c
}

// reply is what a listener answered.
type reply struct {
	status int
	kind   string // content type
	body   string
}

// object is the body as JSON.
func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &o), "%d %s", r.status, r.body)
	return o
}

// ask4 sends a call as admin/public; "!" before the method leaves credentials out.
func ask4(t *testing.T, h http.Handler, call string, body ...string) reply {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	method, open := strings.CutPrefix(method, "!")
	rec := ask(t, h, method, path, strings.Join(body, ""), !open)
	return reply{rec.Code, rec.Header().Get("Content-Type"), strings.TrimSpace(rec.Body.String())}
}

// TestCalls4 wants of each version and edition the calls it has, and those only.
func TestCalls4(t *testing.T) {
	recorded := map[string]any{}
	list := readRecording(t, ownRecordings, ownRecordings+"/v4/00-api-root.txt")
	for _, one := range (reply{body: list.body}).object(t)["data"].([]any) {
		o := one.(map[string]any)
		recorded[o["method"].(string)+" "+o["path"].(string)] = o
	}
	for _, b := range brokers4 {
		t.Run(b.version+" "+string(b.edition), func(t *testing.T) {
			n := b.cluster("emqx@a").Node("emqx@a")
			require.Equal(t, http.StatusUnauthorized, ask4(t, n.Handler(), "!GET /api/v4").status)
			listed := map[string]bool{}
			for _, one := range ask4(t, n.Handler(), "GET /api/v4/").object(t)["data"].([]any) {
				o := one.(map[string]any)
				call := o["method"].(string) + " " + o["path"].(string)
				listed[call] = true
				if !b.enterprise() {
					require.Equal(t, recorded[call], one, "as recorded")
				}
			}
			for call, want := range map[string]bool{
				"GET /nodes/": true, "GET /rules/": true, "GET nodes/:node/alarms": true, "GET /emqx_prometheus": true,
				"GET /apps/": false, "POST /auth": false, // on the dashboard's listener only
				"GET /license": b.enterprise(), "POST /license/upload": b.enterprise(),
				"GET /monitor/current_metrics":                b.enterprise(),
				"DELETE /cluster/force_leave/:node":           b.enterprise(),
				"GET /load_rebalance/global_status":           b.enterprise() && b.atLeast("12"),
				"POST /load_rebalance/:node/evacuation/start": b.enterprise() && b.atLeast("12"),
				"GET /load_rebalance/availability_check":      b.enterprise() && b.atLeast("12"),
			} {
				require.Equal(t, want, listed[call], call)
				method, path, _ := strings.Cut(call, " ")
				if method == http.MethodGet && !strings.Contains(path, ":") && !strings.Contains(path, "prometheus") {
					got := ask4(t, n.Handler(), "GET /api/v4/"+strings.Trim(path, "/"))
					require.Equal(t, want, got.status == http.StatusOK, "%s: %d %s", call, got.status, got.body)
				}
			}
		})
	}
}

// TestAvailability4: before 4.4.24 it wants credentials, as everything does.
func TestAvailability4(t *testing.T) {
	for _, b := range brokers4 {
		n := b.cluster("emqx@a").Node("emqx@a")
		const call = "GET /api/v4/load_rebalance/availability_check"
		with, without := http.StatusOK, http.StatusUnauthorized
		switch {
		case !b.enterprise() || !b.atLeast("12"):
			with = http.StatusNotFound
		case b.atLeast("24"):
			without = http.StatusOK
		}
		require.Equal(t, with, ask4(t, n.Handler(), call).status, b)
		require.Equal(t, without, ask4(t, n.Handler(), "!"+call).status, b)
	}
}

// TestNodes4 looks at what versions and editions tell of themselves.
func TestNodes4(t *testing.T) {
	for _, b := range brokers4 {
		c := b.cluster("emqx@a", "emqx@b")
		c.Node("emqx@b").SetClients(2, 3)
		h := c.Node("emqx@a").Handler()
		list := ask4(t, h, "GET /api/v4/nodes").object(t)["data"].([]any)
		require.Len(t, list, 2)
		other := list[0].(map[string]any) // who answers is last
		require.Equal(t, "emqx@b", other["node"])
		require.Equal(t, b.version, other["version"])
		require.EqualValues(t, 5, other["connections"])
		live, told := other["live_connections"]
		require.Equal(t, b.atLeast("19"), told, b)
		if told {
			require.EqualValues(t, 2, live)
		}
		sysdescr := ask4(t, h, "GET /api/v4/brokers").object(t)["data"].([]any)[0].(map[string]any)["sysdescr"]
		require.Equal(t, b.enterprise(), sysdescr == "EMQX Enterprise", sysdescr)
	}
}

// TestStoppedMember4: of itself a member that is down is left out; Enterprise
// may crash instead, which can be asked for.
func TestStoppedMember4(t *testing.T) {
	for _, edition := range []emqxsim.Edition{emqxsim.Enterprise, emqxsim.OpenSource} {
		c := broker4{"4.4.19", edition}.cluster("emqx@a", "emqx@b")
		c.Node("emqx@b").Kill()
		h := c.Node("emqx@a").Handler()
		require.Len(t, ask4(t, h, "GET /api/v4/nodes").object(t)["data"], 1)
		require.JSONEq(t, `{"code":0,"data":{"node":"emqx@b","error":"nodedown"}}`,
			ask4(t, h, "GET /api/v4/nodes/emqx@b").body)
		require.JSONEq(t, `{"message":"nodedown"}`, ask4(t, h, "GET /api/v4/nodes/emqx@b/stats").body)
		require.Equal(t, reply{404, "text/plain", "Not found."}, ask4(t, h, "GET /api/v4/nodes/emqx@z"))

		c.CrashOnStoppedMember(true)
		require.Equal(t, reply{500, "text/plain", "Internal Error"}, ask4(t, h, "GET /api/v4/nodes"))
		require.Len(t, ask4(t, h, "GET /api/v4/brokers").object(t)["data"], 1)
		c.Node("emqx@b").Revive()
		require.Equal(t, 200, ask4(t, h, "GET /api/v4/nodes").status)
	}
}

// TestFailures4: a business error has status 200 and one of three shapes; all
// others are text.
func TestFailures4(t *testing.T) {
	n := broker4{"4.4.24", "enterprise"}.cluster("emqx@a").Node("emqx@a")
	for _, c := range []struct {
		call, body string
		status     int
		says       string
	}{
		{"GET /api/v4/rules/nope", "", 200, `{"code":404,"message":"Not Found"}`},
		{"POST /api/v4/alarms/deactivated", `{"node":"emqx@a","name":"nope"}`, 200, `{"message":"not_found"}`},
		{"PUT /api/v4/listeners/mqtt:tcp:nope/restart", "", 200, `{"message":"not_found"}`},
		{"GET /api/v4/resource_status/nope", "", 200, `{"code":400,"message":"Resource nope Not Found"}`},
		{"POST /api/v4/load_rebalance/emqx@a/evacuation/stop", "", 200, `{"code":400,"message":"not_started"}`},
		{"POST /api/v4/rules", `{"rawsql":`, 400, "Bad Request"},
		{"POST /api/v4/rules", `[]`, 400, "Bad Request"},
		{"POST /api/v4/rules", `{}`, 500, "Internal Error"},
		{"GET /api/v4/rules?_page=x", "", 500, "Internal Error"},
		{"GET /api/v4/rules?_limit=0", "", 400, "Bad Request"},
		{"GET /api/v4/nope", "", 404, "Not found."},
		{"DELETE /api/v4/nodes", "", 404, "Not found."},
		{"GET /api/v5/nodes", "", 404, ""},
		{"GET /", "", 404, ""},
		{"!GET /api/v4/rules", "", 401, "UNAUTHORIZED"},
	} {
		got := ask4(t, n.Handler(), c.call, c.body)
		require.Equal(t, c.status, got.status, "%s: %s", c.call, got.body)
		if c.status == 200 {
			require.JSONEq(t, c.says, got.body, c.call)
			continue
		}
		require.Equal(t, c.says, got.body, c.call)
		require.NotContains(t, got.kind, "json", c.call)
	}
}

// TestEscapedIDs4: from 4.4.11 on the ids of rules and resources are decoded.
func TestEscapedIDs4(t *testing.T) {
	for version, found := range map[string]bool{"4.4.6": false, "4.4.10": false, "4.4.11": true, "4.4.24": true} {
		h := broker4{version, "enterprise"}.cluster("emqx@a").Node("emqx@a").Handler()
		require.Equal(t, 200, ask4(t, h, "POST /api/v4/rules",
			`{"id":"rule:1 a","rawsql":"select * from \"t\"","actions":[]}`).status)
		require.Equal(t, found, ask4(t, h, "GET /api/v4/rules/rule%3A1%20a").object(t)["code"] == 0.0, version)
	}
}

// TestPages4 walks a list in pages.
func TestPages4(t *testing.T) {
	h := broker4{"4.4.24", "enterprise"}.cluster("emqx@a").Node("emqx@a").Handler()
	for range 5 {
		require.Equal(t, 200, ask4(t, h, "POST /api/v4/rules", `{"rawsql":"select * from \"t\"","actions":[]}`).status)
	}
	seen := map[any]bool{}
	for page, hasNext := range map[string]bool{"1": true, "2": true, "3": false, "4": false} {
		got := ask4(t, h, "GET /api/v4/rules?_limit=2&_page="+page).object(t)
		require.Equal(t, hasNext, got["meta"].(map[string]any)["hasnext"], page)
		require.EqualValues(t, 5, got["meta"].(map[string]any)["count"])
		for _, r := range got["data"].([]any) {
			seen[r.(map[string]any)["id"]] = true
		}
	}
	require.Len(t, seen, 5)
}

// TestDoors4: two listeners, two kinds of accounts.
func TestDoors4(t *testing.T) {
	n := broker4{"4.4.24", "enterprise"}.cluster("emqx@a").Node("emqx@a")
	require.Equal(t, 404, ask4(t, n.Handler(), "GET /api/v4/apps").status)
	require.Equal(t, 404, ask4(t, n.Dashboard(), "!GET /status").status)
	require.Equal(t, 200, ask4(t, n.Handler(), "!GET /status").status)
	require.Equal(t, `{"code":0}`, ask4(t, n.Dashboard(), "PUT /api/v4/change_pwd/admin",
		`{"old_pwd":"public","new_pwd":"better"}`).body)
	require.Equal(t, 401, ask4(t, n.Dashboard(), "GET /api/v4/apps").status, "the old password")
	require.Equal(t, 200, ask4(t, n.Handler(), "GET /api/v4/nodes").status, "an application is no user")
	require.Equal(t, `{"code":0}`, ask4(t, n.Dashboard(), "!POST /api/v4/auth",
		`{"username":"admin","password":"better"}`).body)
	require.Equal(t, 404, ask4(t, n.Handler(), "POST /api/v4/auth", `{}`).status)
}

// TestPage4: what the dashboard needs to work below any prefix.
func TestPage4(t *testing.T) {
	h := broker4{"4.4.24", "enterprise"}.cluster("emqx@a").Node("emqx@a").Dashboard()
	index := ask4(t, h, "!GET /")
	require.Equal(t, "text/html", index.kind)
	require.Equal(t, index, ask4(t, h, "!GET /index.html"))
	require.NotRegexp(t, `(src|href)="/`, index.body)
	for _, name := range []string{"static/app.js", "static/app.css"} {
		require.Contains(t, index.body, `"./`+name+`"`)
		require.Equal(t, 200, ask4(t, h, "!GET /"+name).status)
	}
	script := ask4(t, h, "!GET /static/app.js")
	require.Equal(t, "application/javascript", script.kind)
	require.NotContains(t, script.body, "'/api")
	require.Contains(t, script.body, "const key = 'uK'")
	require.Equal(t, reply{404, "", ""}, ask4(t, h, "!GET /static/../../face4.go"))
	require.Equal(t, reply{404, "", ""}, ask4(t, h, "!GET /nope.js"))
	require.Equal(t, reply{404, "", ""}, ask4(t, h, "!POST /"))
}

func TestServerIdles(t *testing.T) {
	for version, want := range map[string]time.Duration{
		"4.4.6": 5 * time.Second, "4.4.23": 5 * time.Second, "4.4.24": time.Minute, "5.8.9": time.Minute,
	} {
		require.Equal(t, want, emqxsim.NewServer(version, http.NotFoundHandler()).IdleTimeout, version)
	}
}

// ask runs a handler without a socket.
func ask(t *testing.T, h http.Handler, method, path, body string, withKey bool) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if withKey {
		req.SetBasicAuth("admin", "public")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}
