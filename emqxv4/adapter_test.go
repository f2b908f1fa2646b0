package emqxv4_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatience is that of an adapter that meets many far sides which never end.
const impatience = 500 * time.Millisecond

// mostLoaded is how long a call may take here: with the race detector on a
// loaded machine, 16 MiB take a while.
const mostLoaded = 45 * time.Second

var login = ecp.Credentials{Username: "admin", Password: "public"}

// running is a node of the recordings, of whose memory only the used part
// differs: 23.54 GiB in all.
func running(name string, uptime time.Duration, connections, sessions int, used float64) ecp.BrokerNode {
	const gib = 1 << 30
	return ecp.BrokerNode{
		Name: name, Status: ecp.NodeRunning, Role: "core", Version: "4.4.19", Uptime: uptime,
		Connections: connections, Sessions: sessions, MemoryUsed: int64(used*gib + 0.5), MemoryTotal: 25275882537,
	}
}

var (
	first  = running("emqx@127.0.0.4", 4*time.Minute+28*time.Second, 0, 0, 1.06)
	second = running("emqx@127.0.0.5", 5*time.Second, 0, 0, 1.06)
	alone  = running("emqx@127.0.0.4", time.Minute+46*time.Second, 2, 3, 1.35)
)

func described(edition string, limit int, nodes ...ecp.BrokerNode) ecp.Description {
	d := ecp.Description{Version: "4.4.19", Edition: edition, Limit: limit, Nodes: nodes}
	for _, n := range nodes {
		d.Connections += n.Connections
	}
	return d
}

// recordedCluster answers as two nodes did, and as one did where two were not
// asked; it takes the credentials of then.
func recordedCluster(t *testing.T) http.Handler {
	return emqxtest.Paths{
		"/status": recordedAs(t, "one/00-status-page-noauth"), prometheus: recorded(t, "17-prometheus-noauth"),
	}.Before(locked(emqxtest.Paths{
		metrics: recorded(t, "cluster-01-metrics"), listeners: recorded(t, "cluster-01-listeners"),
		activated: recorded(t, "30-alarms-activated-one"), deactivated: recorded(t, "30-alarms-deactivated"),
		rules: recorded(t, "13-rules-with-resource"), resources: recorded(t, "13-resources"), resources +
			"/resource:w1": recorded(t, "13-resource"),
	}.Before(replay(t, "two"))))
}

func recordedAs(t *testing.T, name string) http.Handler {
	return emqxtest.Recorded(t, "testdata/"+name+".txt")
}

// TestAgainstRecordings runs the suite against two nodes as recorded.
func TestAgainstRecordings(t *testing.T) {
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv4.New(emqxv4.Config{}), Impatient: emqxv4.New(emqxv4.Config{Timeout: impatience}),
		Bound:    mostLoaded,
		Recorded: true,
		Open:     func(t *testing.T) ecp.Endpoint { return emqxtest.Serve(t, recordedCluster(t), login) },
		Want:     described("opensource", 0, first, second),
		Detector: &ecptest.WantDetector{Detection: ecp.Detection{
			Major: 4, Version: "4.4.19", Edition: "opensource", Authenticated: true,
		}, Unmanageable: true},
		Monitor: &ecptest.WantMonitor{Traffic: ecp.Traffic{Retained: 4, Totals: ecp.MessageTotals{
			Received: 8, Sent: 14, Dropped: 1,
		}}},
		Alarms: &ecptest.WantAlarms{
			Active: []ecp.Alarm{{Name: "test_alarm", Nodes: []string{"emqx@127.0.0.4"}, Since: raisedAt}},
			History: []ecp.Alarm{{Name: "test_alarm", Nodes: []string{"emqx@127.0.0.4"}, Since: raisedAt,
				Until: clearedAt}}},
		Integrations: &ecptest.WantIntegrations{Rules: []ecp.Rule{
			{ID: "rule:r1"}, {ID: "rule:r2", Actions: []string{"resource:w1"}},
		},
			Integrations: []ecp.Integration{{ID: "resource:w1", Type: "web_hook"}}},
		Metrics: &ecptest.WantMetrics{Series: []string{"erlang_vm_ets_limit"}},
		Health:  &ecp.Health{Node: "emqx@127.0.0.4", Running: true, Available: ecp.Unknown},
		Unsupported: append([]string{"ConnectionLimit", "TrafficSeries", "License", "SetLicense", "InviteMember",
			"RemoveMember",
			"StartEvacuation", "EvacuationProgress", "StopEvacuation"}, never...),
	})
}

func TestDescribe(t *testing.T) {
	loaded := emqxtest.Body(`{"code":0,"data":{"max_connections":10000,"expiry_at":"2027-01-31 23:59:59"}}`)
	one, two := replay(t, "one"), replay(t, "two")
	for _, c := range []struct {
		name string
		h    http.Handler
		want ecp.Description
	}{
		{"one node", one, described("opensource", 0, alone)},
		{"two nodes", two, described("opensource", 0, first, second)},
		{"a killed member is not listed", replay(t, "stopped"),
			described("opensource", 0, running("emqx@127.0.0.4", 4*time.Minute+32*time.Second, 0, 0, 994.95/1024))},
		{"with a license", emqxtest.Paths{license: loaded}.Before(one), described("enterprise", 10000, alone)},
		{"the license may not be read", emqxtest.Paths{license: emqxtest.Status(http.StatusForbidden)}.Before(one),
			described("", 0, alone)},
		{"the license is no number",
			emqxtest.Paths{license: emqxtest.Body(`{"code":0,"data":{"max_connections":"many"}}`)}.Before(one),
			described("enterprise", 0, alone)},
		{"the license call fails its own way", emqxtest.Paths{license: emqxtest.Body(`{"message":"no"}`)}.Before(one),
			described("", 0, alone)},
		{"the license is of a page's type",
			emqxtest.Paths{license: answer{200, "text/html", string(loaded)}}.Before(one),
			described("", 0, alone)},
		{"enterprise without the call", emqxtest.Paths{brokers: emqxtest.Body(`{"code":0,"data":[{"sysdescr":"EMQX ` +
			`Enterprise"}]}`)}.Before(one), described("enterprise", 0, alone)},
		{"neither says the edition",
			emqxtest.Paths{brokers: emqxtest.Body(`{"code":0,"data":[{"sysdescr":"EMQ"}]}`)}.Before(one),
			described("", 0, alone)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := describe(t, c.h)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		got, err := inside[ecp.Broker](t, emqxtest.Paths{license: emqxtest.Hang{}}.Before(one)).Describe(t.Context())
		require.NoError(t, err, "the license does not come")
		require.Equal(t, described("", 0, alone), got)
	})
}

// TestNodesCrash: /nodes itself may answer 500 while a member is stopped.
func TestNodesCrash(t *testing.T) {
	d, err := describe(t, emqxtest.Paths{nodes: emqxtest.Status(http.StatusInternalServerError)}.Before(replay(t,
		"one")))
	require.NoError(t, err)
	want := alone
	want.MemoryUsed, want.MemoryTotal = 0, 0
	require.Equal(t, described("opensource", 0, want), d, "connections and sessions come from /stats")

	_, err = describe(t, emqxtest.Paths{
		nodes:   emqxtest.Status(http.StatusInternalServerError),
		brokers: emqxtest.Status(http.StatusInternalServerError),
	}.Before(replay(t, "one")))
	require.Equal(t, ecp.CodeUnavailable, ecp.CodeOf(err), "%v", err)
}

// TestMembersThatAreDown: in each form in which the major may say so.
func TestMembersThatAreDown(t *testing.T) {
	d, err := describe(t, emqxtest.Paths{nodes: emqxtest.Body(`{"code":0,"data":[
		{"node":"e","error":"timeout"},
		{"node":"d","error":"nodedown"},
		{"name":"c","node_status":"Stopped"},
		{"node":"b","node_status":"Running","version":"4.4.24","connections":4,"live_connections":3,` +
		`"memory_used":1024,"memory_total":"1.50K"},
		{"node":"a","node_status":"Running","version":"4.4.19","connections":"4","uptime":"forever"}]}`),
		self: emqxtest.Body("Node b is started\nemqx is running")}.Before(replay(t, "one")))
	require.NoError(t, err)
	require.Equal(t, ecp.Description{Version: "4.4.24", Edition: "opensource", Connections: 7, Nodes: []ecp.BrokerNode{
		{Name: "a", Status: ecp.NodeRunning, Role: "core", Version: "4.4.19", Connections: 4, Sessions: 4},
		{Name: "b", Status: ecp.NodeRunning, Role: "core", Version: "4.4.24", Connections: 3, Sessions: 4,
			MemoryUsed:  1024,
			MemoryTotal: 1536},
		{Name: "c", Status: ecp.NodeStopped, Role: "core"},
		{Name: "d", Status: ecp.NodeStopped, Role: "core"},
		{Name: "e", Status: ecp.NodeUnknown, Role: "core", Error: "timeout"},
	}}, d)
}

// TestConnectionsBefore4419: the members' list then lacks live_connections;
// the counters have them since 4.4.15.
func TestConnectionsBefore4419(t *testing.T) {
	list := emqxtest.Body(`{"code":0,"data":[{"node":"a","node_status":"Running","version":"4.4.16","connections":9}]}`)
	for counters, want := range map[http.Handler]int{
		emqxtest.Body(`{"code":0,"data":[{"node":"a","stats":{"connections.count":9,"live_connections.count":7}}]}`): 7,
		emqxtest.Body(`{"code":0,"data":[{"node":"a","live_connections.count":6}]}`):                                 6,
		emqxtest.Body(`{"code":0,"data":[{"node":"a","stats":{"connections.count":9}}]}`):                            9,
		emqxtest.Body(`{"code":0,"data":{}}`):                                                                        9,
		emqxtest.Status(http.StatusBadGateway):                                                                       9,
	} {
		d, err := describe(t, emqxtest.Paths{nodes: list, stats: counters}.Before(replay(t, "one")))
		require.NoError(t, err)
		require.Equal(t, want, d.Nodes[0].Connections, "%v", counters)
		require.Equal(t, 9, d.Nodes[0].Sessions)
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
		{"no credentials", answer("00-nodes-noauth.txt"), ecp.CodeDenied,
			[]string{"EMQX 4", "401", "check AppID and AppSecret"}},
		{"EMQX 5", emqxtest.Paths{"/api/v5/nodes": answer("01-nodes-noauth-401.txt")}.Before(http.NotFoundHandler()),
			ecp.CodeUnsupported, []string{"an EMQX 5 or later answers there"}},
		{"no such call", answer("01-404-path.txt"), ecp.CodeUnsupported,
			[]string{"404", "check the port and the version"}},
		{"no code", answer("02-stats-node-down.txt"), ecp.CodeUnavailable, []string{"nodedown"}},
		{"an object for a list", answer("02-node-down.txt"), ecp.CodeUnavailable, []string{"not that of EMQX 4"}},
		{"code is a number", emqxtest.Body(`{"code":101,"message":"bad rpc"}`), ecp.CodeUnavailable,
			[]string{"bad rpc, code 101"}},
		{"code is a word", emqxtest.Body(`{"code":"ERROR1","message":"bad rpc"}`), ecp.CodeUnavailable,
			[]string{"bad rpc, code ERROR1"}},
		{"code is a string that reads 0", emqxtest.Body(`{"code":"0","data":[{"node":"a"}]}`), ecp.CodeUnavailable,
			[]string{"code 0"}},
		{"code is empty", emqxtest.Body(`{"code":"","data":[{"node":"a"}]}`), ecp.CodeUnavailable,
			[]string{"code empty"}},
		{"code is null", emqxtest.Body(`{"code":null,"data":[{"node":"a"}]}`), ecp.CodeUnavailable, []string{"code"}},
		{"a refused login with 200", emqxtest.Body(`{"code":103,"message":"bad username_or_password"}`), ecp.CodeDenied,
			[]string{"check AppID and AppSecret"}},
		{"no data", emqxtest.Body(`{"code":0}`), ecp.CodeUnavailable, []string{"not that of EMQX 4"}},
		{"no member", emqxtest.Body(`{"code":0,"data":[]}`), ecp.CodeUnavailable, []string{"not that of EMQX 4"}},
		{"a member without a name", emqxtest.Body(`{"code":0,"data":[{"node_status":"Running"}]}`), ecp.CodeUnavailable,
			[]string{"not that of EMQX 4"}},
		{"bad request", emqxtest.Status(http.StatusBadRequest), ecp.CodeInternal, []string{"400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := describe(t, c.h)
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
		})
	}
}

func describe(t *testing.T, h http.Handler) (ecp.Description, error) {
	t.Helper()
	return emqxtest.Describe(t, emqxv4.New(patient), emqxtest.Serve(t, h, login))
}

func replay(t *testing.T, folder string) http.Handler {
	return emqxtest.Replay(t, login, filepath.Join("testdata", folder))
}

const (
	nodes   = "/api/v4/nodes"
	brokers = "/api/v4/brokers"
	stats   = "/api/v4/stats"
	license = "/api/v4/license"
	self    = "/status"
)
