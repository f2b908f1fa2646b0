package emqxv5_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
)

// littlePatience is that of an adapter that meets many far sides which never end.
const littlePatience = 300 * time.Millisecond

// oneNode is a broker as recorded, which takes changes as brokers do and has
// nothing different afterwards. Nobody asked it how busy it was.
func oneNode(t *testing.T) http.Handler {
	h := limited(emqxtest.Calls{
		"POST " + evacuation + "start":                                 answer(t, "33-evacuation-start"),
		"POST " + evacuation + "stop":                                  answer(t, "33-evacuation-stop"),
		"POST /api/v5/load_rebalance/nobody@10.9.9.9/evacuation/start": answer(t, "33-rebalance-start-badnode"),
		"DELETE /api/v5/cluster/nobody@10.9.9.9/force_leave":           answer(t, "11-cluster-force-leave-unknown"),
		"DELETE /api/v5/cluster/" + member + "/force_leave":            answer(t, "11-cluster-force-leave-self"),
		"GET /api/v5/listeners/tcp:nobody":                             answer(t, "36-listener-404"),
		"PUT /api/v5/listeners/tcp:default": emqxtest.Body(`{"id":"tcp:default",` +
			`"max_connections":1000}`),
		"POST /api/v5/listeners/tcp:default/stop":                      answer(t, "36-listener-stop"),
		"POST " + license:                                              answer(t, "30-license-key-default"),
		"PUT /api/v5/license/setting":                                  answer(t, "30-license-setting-put"),
		"GET /api/v5/monitor":                                          answer(t, "12-monitor"),
		"POST /api/v5/listeners/tcp:nobody/start":                      answer(t, "36-listener-404"),
		"POST /api/v5/listeners/tcp:nobody/stop":                       answer(t, "36-listener-404"),
		"POST /api/v5/load_rebalance/Zürich@10.9.9.9/evacuation/start": answer(t, "33-rebalance-start-badnode"),
	}.Before(replay(t, "one")))
	refused := replay(t, "one")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, secret, _ := r.BasicAuth(); (ecp.Credentials{Username: name, Password: secret}) != login {
			refused.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// TestConformanceOfRecordings holds all that was recorded of one node to what
// package ecp promises.
func TestConformanceOfRecordings(t *testing.T) {
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv5.New(emqxv5.Config{}), Impatient: emqxv5.New(emqxv5.Config{Timeout: littlePatience}),
		Bound: time.Minute, Recorded: true,
		Open: func(t *testing.T) ecp.Endpoint { return emqxtest.Serve(t, oneNode(t), login) },
		Want: ecp.Description{
			Version: "5.8.9", Edition: "enterprise", Connections: 2, Limit: 25,
			Nodes: []ecp.BrokerNode{running(member, 17510, 2, 3, 140)},
		},

		Detector: &ecptest.WantDetector{Detection: ecp.Detection{
			Major: 5, Version: "5.8.9", Edition: "enterprise", Authenticated: true,
		}},
		Limiter: &ecptest.WantLimiter{Limit: ecp.ConnectionLimit{InForce: 25, Sessions: true}, Set: 20, Dropped: true},
		Monitor: &ecptest.WantMonitor{Traffic: ecp.Traffic{SharedSubscriptions: 1}},
		Alarms: &ecptest.WantAlarms{Active: []ecp.Alarm{{Name: "license_quota"}, {}, {Name: "connector:http:down1",
			Nodes: []string{member}}}},
		Integrations: &ecptest.WantIntegrations{Rules: []ecp.Rule{{ID: "r1", Name: "r1", Topics: []string{"test/#"},
			Running: true}}},
		Evacuator: &ecptest.WantEvacuator{Node: member},
		Members:   &ecptest.WantMembers{Self: member},
		Listeners: &ecptest.WantListeners{Listeners: []ecp.BrokerListener{
			{ID: "ssl:default"},
			{ID: "tcp:default", Protocol: ecp.MQTT, Connections: 2}, {ID: "ws:default"}, {ID: "wss:default"},
		}},
		License: &ecptest.WantLicense{License: ecp.BrokerLicense{Customer: "Evaluation", Limit: 25, BuiltIn: true},
			Key:      "default",
			Settings: ecp.LicenseSettings{HighWatermark: 0.8, LowWatermark: 0.75}},
		Metrics: &ecptest.WantMetrics{Series: []string{"emqx_connections_count"}},
		Health:  &ecp.Health{Node: member, Version: "5.8.9", Edition: "enterprise", Running: true, Available: ecp.True},
	})
}

// TestConformance holds the adapter to what package ecp promises on simulated
// clusters of versions that differ, and on those that are unwell in each way
// that the simulator knows.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		version string
		loaded  bool // a license, instead of the one EMQX comes with
		long    bool // in test-long only: it answers as others do, see TestSimulatedVersions
	}{{"5.6.1", false, false}, {"5.7.2", true, true}, {"5.8.9", false, false}, {"5.8.9", true, false},
		{"5.10.4", true, false}, {"6.0.3", true, true}, {"6.2.2", true, false}} {
		t.Run(fmt.Sprint(c.version, " loaded ", c.loaded), func(t *testing.T) {
			if c.long && os.Getenv("OPENECP_LONG") == "" {
				t.Skip("takes half a minute of a processor; run with OPENECP_LONG=1")
			}
			ecptest.TestAdapter(t, suite(c.version, c.loaded))
		})
	}
}
