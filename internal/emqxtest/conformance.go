package emqxtest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
)

// The simulated clusters that adapters are held against have three members, of
// which the first answers, and a node beside them that is none.
const (
	answering = "emqx@a"
	evacuable = "emqx@b"
	killable  = "emqx@c"
	stranger  = "emqx@d"
)

// licensed is the licence of those clusters; it takes a limit at run time where
// the version does.
var licensed = emqxsim.License{Customer: "Simulated Customer", CustomerType: emqxsim.BusinessCriticalCustomer, Limit: 1000}

// another is a licence to load.
var another = emqxsim.License{Customer: "Another Customer", CustomerType: emqxsim.LargeCustomer, Limit: 2000}

// cluster makes one with something of everything.
func cluster(t *testing.T, version string, license *emqxsim.License) *emqxsim.Cluster {
	t.Helper()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Username: "key-77", Password: "secret-88", License: license})
	for _, name := range []string{answering, evacuable, killable} {
		c.Join(name)
	}
	c.Standalone(stranger)
	c.Node(answering).SetClients(2, 0)
	c.Node(killable).SetClients(1, 4)
	for _, name := range []string{evacuable, answering} {
		c.Node(name).RaiseAlarm("too_many_processes", "99% process usage", map[string]any{"usage": "99%"})
	}
	c.Node(answering).RaiseAlarm("over_again", "it was", nil)
	c.Node(answering).ClearAlarm("over_again")
	kind := map[bool]string{true: "web_hook", false: "http"}[major(version) == 4]
	c.AddConnector(kind, "h1", map[string]any{"url": "http://10.9.9.9:1"})
	if major(version) == 5 {
		c.AddAction(kind, "a1", "h1")
	}
	c.AddRule("r1", `SELECT * FROM "t/#"`)
	if major(version) == 4 {
		loadMetrics(t, c.Node(answering))
	}
	return c
}

// loadMetrics loads the plugin without which EMQX 4 has no metrics.
func loadMetrics(t *testing.T, n *emqxsim.Node) {
	t.Helper()
	e := n.Endpoint()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, e.BaseURL+"/api/v4/nodes/"+n.Name()+"/plugins/emqx_prometheus/load", nil)
	r.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	n.Handler().ServeHTTP(httptest.NewRecorder(), r)
}

func major(version string) int {
	v, _ := ecp.ParseVersion(version)
	return v.Major
}

// LittleRead is how much of one answer an adapter should read that is to be the
// Frugal one of the suite. That the real bound holds is seen on recordings.
const LittleRead = 1 << 20

// Conformance is the suite for an adapter, which the caller adds, on simulated
// clusters of a version: each case has one of its own. Without a licence it is
// the one that EMQX comes with.
func Conformance(version string, loaded bool) ecptest.AdapterSuite {
	license := &licensed
	if !loaded {
		license = nil
	}
	open := func(change ...func(*emqxsim.Cluster)) func(*testing.T) ecp.Endpoint {
		return func(t *testing.T) ecp.Endpoint {
			c := cluster(t, version, license)
			e := c.Node(answering).Endpoint()
			for _, ch := range change {
				ch(c)
			}
			return e
		}
	}
	s := ecptest.AdapterSuite{
		Bound: time.Minute, Open: open(), Want: wanted(version, loaded),
		Detector: &ecptest.WantDetector{Detection: ecp.Detection{Major: major(version), Version: version, Edition: ecp.EditionEnterprise, Authenticated: true}},
		Limiter:  limiter(version, loaded),
		Monitor: &ecptest.WantMonitor{Traffic: ecp.Traffic{Connections: 3 + countedAway(version), Sessions: 7, Nodes: []ecp.NodeTraffic{
			{Node: answering, Connections: 2}, {Node: evacuable}, {Node: killable, Connections: 1 + countedAway(version), Sessions: 5}}}},
		Alarms:       &ecptest.WantAlarms{Active: []ecp.Alarm{{Name: "too_many_processes", Nodes: []string{answering, evacuable}}}, History: []ecp.Alarm{{Name: "over_again", Nodes: []string{answering}}}},
		Integrations: &ecptest.WantIntegrations{Rules: []ecp.Rule{{ID: "r1", Topics: []string{"t/#"}, Running: true}}},
		Evacuator: &ecptest.WantEvacuator{Node: evacuable, OpenHanging: func(t *testing.T) ecp.Endpoint {
			c := cluster(t, version, license)
			c.Node(killable).Suspend()
			return c.Node(evacuable).Endpoint()
		}},
		Members: &ecptest.WantMembers{Self: answering, Stopped: killable, Stranger: stranger, Open: open(func(c *emqxsim.Cluster) { c.Node(killable).Kill() })},
		Listeners: &ecptest.WantListeners{
			ID:      map[int]string{4: "mqtt:tcp:external", 5: "tcp:default"}[major(version)],
			Lagging: evacuable, OpenLagging: open(func(c *emqxsim.Cluster) { c.Node(evacuable).KeepListeners(true) }),
		},
		License: &ecptest.WantLicense{License: ecp.License{BuiltIn: !loaded}, Refused: "no-licence-51c0-at-all"},
		Metrics: &ecptest.WantMetrics{Series: []string{"emqx_connections_count"}},
		Health:  &ecp.Health{Running: true, Node: answering},
		Faults:  faults(open),
	}
	if major(version) == 5 {
		s.Settings = &ecptest.WantSettings{InForce: map[string]any{"mqtt": map[string]any{"max_inflight": 32, "max_packet_size": "1MB"}}}
	}
	if loaded {
		s.License.License.Customer = licensed.Customer
	}
	s.License.Key = emqxsim.LicenseKey(another)
	if major(version) == 4 {
		s.License.Key = emqxsim.LicenseFile(another)
	}
	return s
}

func wanted(version string, loaded bool) ecp.Description {
	_, d := Simulated(version)
	d.Limit = inForce(version, loaded)
	d.Connections += countedAway(version)
	d.Nodes[2].Connections += countedAway(version)
	return d
}

// countedAway are the clients that are away and counted as connected: before
// 4.4.15 no broker tells the difference.
func countedAway(version string) int {
	v, _ := ecp.ParseVersion(version)
	if v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 15}) {
		return 4
	}
	return 0
}

// inForce is the limit of those clusters. A licence that takes one at run time
// has that of the trial until one is set.
func inForce(version string, loaded bool) int {
	switch {
	case loaded && !takesLimit(version):
		return licensed.Limit
	case major(version) == 4:
		return 10
	}
	return 25
}

func takesLimit(version string) bool {
	v, _ := ecp.ParseVersion(version)
	return !v.Before(ecp.Version{Major: 5, Minor: 7})
}

func limiter(version string, loaded bool) *ecptest.WantLimiter {
	v, _ := ecp.ParseVersion(version)
	return &ecptest.WantLimiter{
		Limit: ecp.ConnectionLimit{
			Settable: takesLimit(version) && loaded, InForce: inForce(version, loaded),
			Sessions: !v.Before(ecp.Version{Major: 5, Minor: 8, Patch: 5}),
		},
		Set: 20, Most: licensed.Limit, Dropped: takesLimit(version) && !loaded,
	}
}

// asks are the methods that cannot do without an answer.
var asks = []string{
	"Describe", "ConnectionLimit", "Traffic", "TrafficSeries", "ActiveAlarms", "AlarmHistory", "Rules", "Integrations",
	"EvacuationProgress", "Listeners", "License", "Settings", "WriteMetrics", "WriteMetrics of nodes", "Detect",
}

// faults are the simulator's hooks, each as a way in which a cluster is unwell.
func faults(open func(change ...func(*emqxsim.Cluster)) func(*testing.T) ecp.Endpoint) []ecptest.AdapterFault {
	away := []ecp.Code{ecp.CodeUnavailable}
	always := func(f emqxsim.Fault) func(*testing.T) ecp.Endpoint {
		return open(func(c *emqxsim.Cluster) { c.AddFault(f) })
	}
	onNode := func(change func(*emqxsim.Node)) func(*testing.T) ecp.Endpoint {
		return open(func(c *emqxsim.Cluster) { change(c.Node(evacuable)) })
	}
	but := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(asks), func(a string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(a, n) })
		})
	}
	return []ecptest.AdapterFault{
		{Name: "answers late", Open: always(emqxsim.Fault{Latency: 20 * time.Millisecond})},
		{Name: "hangs", Open: always(emqxsim.Fault{Hang: true}), Codes: away, Fails: append(but(), "Health")},
		{Name: "refuses connections", Open: always(emqxsim.Fault{Refuse: true}), Codes: away, Fails: append(but(), "Health")},
		{Name: "fails", Open: always(emqxsim.Fault{Status: http.StatusInternalServerError, Body: "x"}), Fails: but()},
		{Name: "is overloaded", Open: always(emqxsim.Fault{Status: http.StatusServiceUnavailable}), Fails: but()},
		{Name: "answers by half", Open: always(emqxsim.Fault{Half: true}), Fails: but()},
		{Name: "answers by half once", Open: always(emqxsim.Fault{Half: true, Times: 1})},
		{Name: "has the wrong type", Open: always(emqxsim.Fault{ContentType: "text/html"}), Fails: but()},
		{Name: "answers too much", Open: always(emqxsim.Fault{Size: 2 * LittleRead}), Much: true, Fails: but("WriteMetrics")},
		{Name: "comes and goes", Open: always(emqxsim.Fault{Up: 20 * time.Millisecond, Down: 20 * time.Millisecond, Refuse: true}), Codes: away},
		{Name: "is down on a member", Open: onNode((*emqxsim.Node).Kill)},
		{Name: "is down on a member, and crashes", Open: open(func(c *emqxsim.Cluster) {
			c.CrashOnStoppedMember(true)
			c.Node(killable).Kill()
		})},
		{Name: "hangs on a member", Open: onNode((*emqxsim.Node).Suspend), Codes: away},
		{Name: "is slow on a member", Open: onNode(func(n *emqxsim.Node) { n.Slow(time.Second) })},
		{Name: "is cut in two", Open: open(func(c *emqxsim.Cluster) { c.Partition([]string{answering}) })},
		{Name: "has just started a member", Open: onNode((*emqxsim.Node).Restart)},
	}
}
