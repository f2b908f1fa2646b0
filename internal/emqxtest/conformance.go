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

// The simulated clusters for the suite have three members, of which the first answers, and
// one more node that is no member.
const (
	answering = "emqx@a"
	evacuated = "emqx@b"
	stoppable = "emqx@c"
	stranger  = "emqx@d"
)

// licensed is the license of those clusters. Its limit can be set at run time if the
// version allows that.
var licensed = emqxsim.License{
	Customer: "Simulated Customer", CustomerType: emqxsim.BusinessCriticalCustomer, Limit: 1000,
}

// otherLicense is a license to load.
var otherLicense = emqxsim.License{Customer: "Another Customer", CustomerType: emqxsim.LargeCustomer, Limit: 2000}

// User is a user of the dashboard of those clusters.
var User = ecp.Credentials{Username: "fleet", Password: "Fleet_pass-1", Kind: ecp.CredentialUser}

// Cluster returns one of those clusters. If license is nil, it has the one that EMQX comes with.
func Cluster(t *testing.T, version string, edition emqxsim.Edition, license *emqxsim.License) *emqxsim.Cluster {
	t.Helper()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{
		Version: version, Edition: edition, Username: "key-77", Password: "secret-88", License: license,
	})
	c.AddUser(User.Username, User.Password, "administrator")
	for _, name := range []string{answering, evacuated, stoppable} {
		c.Join(name)
	}
	c.Standalone(stranger)
	c.Node(answering).SetClients(2, 0)
	c.Node(stoppable).SetClients(1, 4)
	for _, name := range []string{evacuated, answering} {
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
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, e.BaseURL+"/api/v4/nodes/"+n.Name()+
		"/plugins/emqx_prometheus/load", nil)
	r.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	n.Handler().ServeHTTP(httptest.NewRecorder(), r)
}

// major returns the major version of the adapter, which is 5 for later versions, too.
func major(version string) int {
	v, _ := ecp.ParseVersion(version)
	return min(v.Major, 5)
}

// FrugalAnswer is the limit on one answer for the suite's Frugal adapter. The default limit
// is tested with recordings.
const FrugalAnswer = 128 << 10

// Conformance returns the suite for an adapter, which the caller adds, with simulated clusters
// of a version and edition. Each case has a cluster of its own. If loaded is not set, they have
// the license that EMQX comes with.
func Conformance(version string, edition emqxsim.Edition, loaded bool) ecptest.AdapterSuite {
	license := &licensed
	if !loaded {
		license = nil
	}
	open := func(change ...func(*emqxsim.Cluster)) func(*testing.T) ecp.Endpoint {
		return func(t *testing.T) ecp.Endpoint {
			c := Cluster(t, version, edition, license)
			e := c.Node(answering).Endpoint()
			for _, ch := range change {
				ch(c)
			}
			return e
		}
	}
	s := ecptest.AdapterSuite{
		Bound: time.Minute, Open: open(), Want: wanted(version, edition, loaded),
		Detector: &ecptest.WantDetector{Detection: ecp.Detection{
			Major: major(version), Version: version, Edition: string(edition), Authenticated: true,
		}},
		Monitor: &ecptest.WantMonitor{Traffic: ecp.Traffic{
			Connections: 3 + countedAway(version), Sessions: 7,
			Nodes: []ecp.NodeTraffic{
				{Node: answering, Connections: 2}, {Node: evacuated},
				{Node: stoppable, Connections: 1 + countedAway(version), Sessions: 5},
			},
		}},
		Alarms: &ecptest.WantAlarms{
			Active:  []ecp.Alarm{{Name: "too_many_processes", Nodes: []string{answering, evacuated}}},
			History: []ecp.Alarm{{Name: "over_again", Nodes: []string{answering}}},
		},
		Integrations: &ecptest.WantIntegrations{Rules: []ecp.Rule{{ID: "r1", Topics: []string{"t/#"}, Running: true}}},
		Listeners: &ecptest.WantListeners{
			ID:      map[int]string{4: "mqtt:tcp:external", 5: "tcp:default"}[major(version)],
			Lagging: evacuated, OpenLagging: open(func(c *emqxsim.Cluster) { c.Node(evacuated).KeepListeners(true) }),
		},
		Metrics: &ecptest.WantMetrics{Series: []string{"emqx_connections_count"}},
		Health:  &ecp.Health{Running: true, Node: answering},
		Faults:  faults(open),
	}
	if major(version) == 5 {
		s.Settings = &ecptest.WantSettings{InForce: map[string]any{
			"mqtt": map[string]any{"max_inflight": 32, "max_packet_size": "1MB"},
		},
			Change:  map[string]string{"mqtt.max_inflight": "64", "mqtt.max_packet_size": "2MB"},
			Refused: map[string]string{"mqtt.nonesuch": "1", "mqtt.max_packet_size": "huge"},
			OpenOther: func(t *testing.T) (one, other ecp.Endpoint) {
				c := Cluster(t, version, edition, license)
				return c.Node(answering).Endpoint(), c.Node(evacuated).Endpoint()
			},
		}
	}
	if edition != emqxsim.Enterprise {
		s.Detector.Unmanageable = true
		return s
	}
	s.Limiter, s.License = limiter(version, loaded), wantLicense(version, loaded)
	s.Evacuator = &ecptest.WantEvacuator{Node: evacuated, OpenHanging: func(t *testing.T) ecp.Endpoint {
		c := Cluster(t, version, edition, license)
		c.Node(stoppable).Suspend()
		return c.Node(evacuated).Endpoint()
	}}
	s.Members = &ecptest.WantMembers{
		Self: answering, Stopped: stoppable, Stranger: stranger,
		Open: open(func(c *emqxsim.Cluster) { c.Node(stoppable).Kill() }),
	}
	return s
}

func wantLicense(version string, loaded bool) *ecptest.WantLicense {
	l := &ecptest.WantLicense{License: ecp.BrokerLicense{BuiltIn: !loaded}, Refused: "no-license-51c0-at-all"}
	if loaded {
		l.License.Customer = licensed.Customer
	}
	l.Key = emqxsim.LicenseKey(otherLicense)
	if major(version) == 4 {
		l.Key = emqxsim.LicenseFile(otherLicense)
	}
	return l
}

func wanted(version string, edition emqxsim.Edition, loaded bool) ecp.Description {
	node := func(name string, connections, sessions int) ecp.BrokerNode {
		return ecp.BrokerNode{
			Name: name, Status: ecp.NodeRunning, Role: "core", Version: version, Connections: connections,
			Sessions: sessions,
		}
	}
	d := ecp.Description{
		Version: version, Edition: string(edition), Connections: 3 + countedAway(version),
		Nodes: []ecp.BrokerNode{
			node(answering, 2, 2), node(evacuated, 0, 0), node(stoppable, 1+countedAway(version), 5),
		},
	}
	if edition == emqxsim.Enterprise {
		d.Limit = inForce(version, loaded)
	}
	return d
}

// countedAway is how many clients that are away count as connected: brokers before 4.4.15
// do not distinguish them.
func countedAway(version string) int {
	v, _ := ecp.ParseVersion(version)
	if v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 15}) {
		return 4
	}
	return 0
}

// inForce is the limit of those clusters. A license whose limit can be set has the limit of
// the trial until then.
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
		Set: 20, Max: licensed.Limit, Dropped: takesLimit(version) && !loaded,
	}
}

// needAnswer are the methods that fail without an answer.
var needAnswer = []string{
	"Describe", "ConnectionLimit", "Traffic", "TrafficSeries", "ActiveAlarms", "AlarmHistory", "Rules", "Integrations",
	"EvacuationProgress", "Listeners", "License", "Settings", "WriteMetrics", "WriteMetrics of nodes", "Detect",
}

// faults are the simulator's faults.
func faults(open func(change ...func(*emqxsim.Cluster)) func(*testing.T) ecp.Endpoint) []ecptest.AdapterFault {
	away := []ecp.Code{ecp.CodeUnavailable}
	always := func(f emqxsim.Fault) func(*testing.T) ecp.Endpoint {
		return open(func(c *emqxsim.Cluster) { c.AddFault(f) })
	}
	onNode := func(change func(*emqxsim.Node)) func(*testing.T) ecp.Endpoint {
		return open(func(c *emqxsim.Cluster) { change(c.Node(evacuated)) })
	}
	but := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(needAnswer), func(a string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(a, n) })
		})
	}
	return []ecptest.AdapterFault{
		{Name: "answers late", Open: always(emqxsim.Fault{Latency: 20 * time.Millisecond})},
		{Name: "hangs", Open: always(emqxsim.Fault{Hang: true}), Codes: away, Fails: append(but(), "Health")},
		{Name: "refuses connections", Open: always(emqxsim.Fault{Refuse: true}), Codes: away,
			Fails: append(but(), "Health")},
		{Name: "fails", Open: always(emqxsim.Fault{Status: http.StatusInternalServerError, Body: "x"}), Fails: but()},
		{Name: "is overloaded", Open: always(emqxsim.Fault{Status: http.StatusServiceUnavailable}), Fails: but()},
		{Name: "answers by half", Open: always(emqxsim.Fault{Half: true}), Fails: but()},
		{Name: "answers by half once", Open: always(emqxsim.Fault{Half: true, Times: 1})},
		{Name: "has the wrong type", Open: always(emqxsim.Fault{ContentType: "text/html"}), Fails: but()},
		{Name: "answers too much", Open: always(emqxsim.Fault{Size: 2 * FrugalAnswer}), Large: true,
			Fails: but("WriteMetrics")},
		{Name: "comes and goes", Open: always(emqxsim.Fault{
			Up: 20 * time.Millisecond, Down: 20 * time.Millisecond, Refuse: true,
		}), Codes: away},
		{Name: "is down on a member", Open: onNode((*emqxsim.Node).Kill)},
		{Name: "is down on a member, and crashes", Open: open(func(c *emqxsim.Cluster) {
			c.CrashOnStoppedMember(true)
			c.Node(stoppable).Kill()
		})},
		{Name: "hangs on a member", Open: onNode((*emqxsim.Node).Suspend), Codes: away},
		{Name: "is slow on a member", Open: onNode(func(n *emqxsim.Node) { n.Slow(time.Second) })},
		{Name: "is cut in two", Open: open(func(c *emqxsim.Cluster) { c.Partition([]string{answering}) })},
		{Name: "has just started a member", Open: onNode((*emqxsim.Node).Restart)},
	}
}
