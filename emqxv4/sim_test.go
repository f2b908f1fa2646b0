package emqxv4_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
)

// simulated is a cluster of emqxsim with a bit of everything: three members,
// clients on two of them, an alarm of each kind, a rule with its resource, and
// the plugin for metrics.
func simulated(t *testing.T, version string, edition emqxsim.Edition) *emqxsim.Cluster {
	t.Helper()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Edition: edition, Username: "app-77", Password: "secret-88"})
	c.Join("emqx@c").SetClients(1, 4)
	c.Join("emqx@a").SetClients(2, 0)
	c.Join("emqx@b")
	c.Standalone("emqx@z")
	for _, node := range []string{"emqx@a", "emqx@c"} {
		c.Node(node).RaiseAlarm("disk_full", "no room", map[string]any{"path": "/opt"})
	}
	c.Node("emqx@a").RaiseAlarm("past", "gone", nil)
	c.Node("emqx@a").ClearAlarm("past")
	c.AddConnector("web_hook", "w1", nil)
	do(t, c.Node("emqx@b"), http.MethodPut, "/api/v4/nodes/emqx@b/plugins/emqx_prometheus/load", "")
	do(t, c.Node("emqx@b"), http.MethodPost, rules, `{"id":"rule:r1","rawsql":"select * from \"t/#\"","actions":[{"name":"inspect","params":{}}]}`)
	return c
}

// do asks a simulated node for something and wants it done.
func do(t *testing.T, n *emqxsim.Node, method, path, body string) {
	t.Helper()
	e := n.Endpoint()
	r, err := http.NewRequestWithContext(t.Context(), method, e.BaseURL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	resp, err := e.Transport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// never are the methods that no 4.4 has, nor one whose limits nobody has said
// how to set.
var never = []string{"SetListenerLimit", "StartListener", "StopListener", "LicenseSettings", "SetLicenseSettings", "SetConnectionLimit"}

// wanted is what there is to find in such a cluster of 4.4.15 or later, asked
// through emqx@b.
func wanted(t *testing.T, version string, edition emqxsim.Edition) ecptest.AdapterSuite {
	t.Helper()
	node := func(name string, connections, sessions int) ecp.BrokerNode {
		return ecp.BrokerNode{Name: name, Status: ecp.NodeRunning, Role: "core", Version: version, Connections: connections, Sessions: sessions}
	}
	return ecptest.AdapterSuite{
		Adapter: emqxv4.New(emqxv4.Config{}), Impatient: emqxv4.New(emqxv4.Config{Timeout: impatience}), Bound: mostLoaded,
		Open: func(t *testing.T) ecp.Endpoint { return simulated(t, version, edition).Node("emqx@b").Endpoint() },
		Want: ecp.Description{Version: version, Edition: string(edition), Connections: 3,
			Nodes: []ecp.BrokerNode{node("emqx@a", 2, 2), node("emqx@b", 0, 0), node("emqx@c", 1, 5)}},
		Detector: &ecptest.WantDetector{Detection: ecp.Detection{Major: 4, Version: version, Edition: string(edition), Authenticated: true}},
		Monitor: &ecptest.WantMonitor{Traffic: ecp.Traffic{Connections: 3, Sessions: 7, Nodes: []ecp.NodeTraffic{
			{Node: "emqx@a", Connections: 2, Sessions: 2}, {Node: "emqx@b"}, {Node: "emqx@c", Connections: 1, Sessions: 5}}}},
		Alarms: &ecptest.WantAlarms{
			Active:  []ecp.Alarm{{Name: "disk_full", Message: "no room", Nodes: []string{"emqx@a", "emqx@c"}}},
			History: []ecp.Alarm{{Name: "past", Message: "gone", Nodes: []string{"emqx@a"}}}},
		Integrations: &ecptest.WantIntegrations{
			Rules:        []ecp.Rule{{ID: "rule:r1", Name: "rule:r1", Topics: []string{"t/#"}, Actions: []string{"inspect"}, Running: true}},
			Integrations: []ecp.Integration{{Kind: ecp.ResourceIntegration, Type: "web_hook", Status: ecp.IntegrationConnected, Enabled: true}}},
		Listeners:   &ecptest.WantListeners{ID: "mqtt:tcp:external"},
		Metrics:     &ecptest.WantMetrics{Series: []string{"emqx_connections_count"}},
		Health:      &ecp.Health{Node: "emqx@b", Running: true},
		Unsupported: slices.Clone(never),
	}
}

// TestAgainstSimulatedOpenSource runs the suite against a cluster of the
// open-source edition, which can be looked at but not managed.
func TestAgainstSimulatedOpenSource(t *testing.T) {
	s := wanted(t, "4.4.19", emqxsim.OpenSource)
	s.Detector.Unmanageable, s.Health.Available = true, ecp.Unknown
	s.Unsupported = append(s.Unsupported, "ConnectionLimit", "TrafficSeries", "License", "SetLicense", "InviteMember", "RemoveMember",
		"StartEvacuation", "EvacuationProgress", "StopEvacuation")
	ecptest.TestAdapter(t, s)
}

// methods are all that a broker has beside Describe.
var methods = map[string]func(ctx context.Context, b ecp.Broker) error{
	"ConnectionLimit": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.ConnectionLimiter).ConnectionLimit(ctx)
		return err
	},
	"SetConnectionLimit": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.ConnectionLimiter).SetConnectionLimit(ctx, 5)
		return err
	},
	"Traffic": func(ctx context.Context, b ecp.Broker) error { _, err := b.(ecp.Monitor).Traffic(ctx); return err },
	"TrafficSeries": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.Monitor).TrafficSeries(ctx, time.Hour)
		return err
	},
	"ActiveAlarms": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.AlarmSource).ActiveAlarms(ctx)
		return err
	},
	"AlarmHistory": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.AlarmSource).AlarmHistory(ctx)
		return err
	},
	"Rules": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.IntegrationSource).Rules(ctx)
		return err
	},
	"Integrations": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.IntegrationSource).Integrations(ctx)
		return err
	},
	"StartEvacuation": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.Evacuator).StartEvacuation(ctx, "emqx@a", ecp.EvacuationOrder{})
	},
	"EvacuationProgress": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.Evacuator).EvacuationProgress(ctx, "emqx@a")
		return err
	},
	"StopEvacuation": func(ctx context.Context, b ecp.Broker) error { return b.(ecp.Evacuator).StopEvacuation(ctx, "emqx@a") },
	"InviteMember": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.MemberManager).InviteMember(ctx, "emqx@z")
	},
	"RemoveMember": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.MemberManager).RemoveMember(ctx, "emqx@gone") // none that runs
	},
	"Listeners": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.ListenerManager).Listeners(ctx)
		return err
	},
	"SetListenerLimit": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.ListenerManager).SetListenerLimit(ctx, "mqtt:tcp:external", 5)
	},
	"StartListener": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.ListenerManager).StartListener(ctx, "mqtt:tcp:external")
	},
	"StopListener": func(ctx context.Context, b ecp.Broker) error {
		return b.(ecp.ListenerManager).StopListener(ctx, "mqtt:tcp:external")
	},
	"License": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.LicenseManager).License(ctx)
		return err
	},
	"SetLicense": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.LicenseManager).SetLicense(ctx, ecp.LicenseChange{Key: emqxsim.LicenseFile(emqxsim.License{Limit: 500})})
		return err
	},
	"LicenseSettings": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.LicenseManager).LicenseSettings(ctx)
		return err
	},
	"SetLicenseSettings": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.LicenseManager).SetLicenseSettings(ctx, ecp.LicenseSettings{})
		return err
	},
	"WriteMetrics": func(ctx context.Context, b ecp.Broker) error {
		_, err := b.(ecp.Metrics).WriteMetrics(ctx, io.Discard, "")
		return err
	},
	"Health": func(ctx context.Context, b ecp.Broker) error { _, err := b.(ecp.HealthSource).Health(ctx); return err },
}

// TestEveryMethodOnEveryVersion: what a version or edition lacks is unsupported,
// with what was found; all else works.
func TestEveryMethodOnEveryVersion(t *testing.T) {
	evacuation := []string{"StartEvacuation", "EvacuationProgress", "StopEvacuation"}
	for _, c := range []struct {
		version string
		edition emqxsim.Edition
		lacks   []string
	}{
		{"4.4.6", emqxsim.Enterprise, evacuation},
		{"4.4.11", emqxsim.Enterprise, evacuation},
		{"4.4.12", emqxsim.Enterprise, nil},
		{"4.4.14", emqxsim.Enterprise, nil},
		{"4.4.17", emqxsim.Enterprise, nil},
		{"4.4.19", emqxsim.Enterprise, nil},
		{"4.4.24", emqxsim.Enterprise, nil},
		{"4.4.26", emqxsim.Enterprise, nil},
		{"4.4.6", emqxsim.OpenSource, append(evacuation, "ConnectionLimit", "TrafficSeries", "License", "SetLicense", "InviteMember", "RemoveMember")},
		{"4.4.19", emqxsim.OpenSource, append(evacuation, "ConnectionLimit", "TrafficSeries", "License", "SetLicense", "InviteMember", "RemoveMember")},
	} {
		for name, method := range methods {
			t.Run(c.version+" "+string(c.edition)+" "+name, func(t *testing.T) {
				cluster := simulated(t, c.version, c.edition)
				b := openAs[ecp.Broker](t, emqxv4.Config{}, cluster.Node("emqx@b").Endpoint())
				err := method(t.Context(), b)
				switch {
				case slices.Contains(never, name):
					refusedWith(t, err, ecp.CodeUnsupported, "EMQX 4")
				case slices.Contains(c.lacks, name):
					refusedWith(t, err, ecp.CodeUnsupported, "found "+map[emqxsim.Edition]string{"enterprise": "EMQX Enterprise ", "opensource": "open-source EMQX "}[c.edition]+c.version, "needed EMQX Enterprise")
				default:
					require.NoError(t, err)
				}
			})
		}
	}
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is not listed by this major.
func TestSimulatedUpgrade(t *testing.T) {
	c, _ := emqxtest.Simulated("4.4.24")
	c.Node("emqx@b").SetVersion("4.4.26")
	for name, version := range map[string]string{"emqx@a": "4.4.24", "emqx@b": "4.4.26"} {
		d, err := emqxtest.Describe(t, emqxv4.New(emqxv4.Config{}), c.Node(name).Endpoint())
		require.NoError(t, err)
		require.Equal(t, version, d.Version)
	}
	c.Node("emqx@b").Kill()
	d, err := emqxtest.Describe(t, emqxv4.New(emqxv4.Config{}), c.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	require.Equal(t, "4.4.24", d.Version)
	require.Len(t, d.Nodes, 2)
}

// TestSimulatedCrash: the enterprise edition may fail to list its members while
// one is stopped; those that run are told all the same, by every call.
func TestSimulatedCrash(t *testing.T) {
	c := simulated(t, "4.4.24", emqxsim.Enterprise)
	c.CrashOnStoppedMember(true)
	c.Node("emqx@c").Kill()
	b := openAs[ecp.Broker](t, emqxv4.Config{}, c.Node("emqx@b").Endpoint())
	d, err := b.Describe(t.Context())
	require.NoError(t, err)
	require.Len(t, d.Nodes, 2)
	require.Equal(t, 2, d.Connections)
	traffic, err := b.(ecp.Monitor).Traffic(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, traffic.Connections)
	require.NoError(t, b.(ecp.MemberManager).RemoveMember(t.Context(), "emqx@c"))
}

// TestSimulatedEvacuation: clients leave the node, and it is done when nobody
// is left.
func TestSimulatedEvacuation(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24", Limit: 1000, Now: func() time.Time { return now }})
	c.Join("emqx@a").SetClients(50, 20)
	c.Join("emqx@b")
	b := openAs[ecp.Evacuator](t, emqxv4.Config{}, c.Node("emqx@b").Endpoint())
	require.NoError(t, b.StartEvacuation(t.Context(), "emqx@a", ecp.EvacuationOrder{ConnectionRate: 10, SessionRate: 10, WaitTakeover: time.Second}))
	seen := map[ecp.EvacuationPhase]bool{}
	for range 300 {
		p, err := b.EvacuationProgress(t.Context(), "emqx@a")
		require.NoError(t, err)
		if seen[p.Phase] = true; p.Done() {
			break
		}
		now = now.Add(time.Second)
	}
	require.True(t, seen[ecp.EvacuationCutting] && seen[ecp.EvacuationProhibited], "%v", seen)
	require.NoError(t, b.StopEvacuation(t.Context(), "emqx@a"))
	p, err := b.EvacuationProgress(t.Context(), "emqx@a")
	require.NoError(t, err)
	require.Equal(t, ecp.EvacuationNone, p.Phase)
}
