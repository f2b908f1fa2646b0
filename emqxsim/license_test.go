package emqxsim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestLicenseLimits: how many of 200 clients each license lets in, and what it
// says its limit is.
func TestLicenseLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		version string
		license *emqxsim.License
		limit   float64
		in      int
	}{
		{"trial, a tenth more", "5.7.2", nil, 25, 27},
		{"trial, none more from 5.8.5", "5.8.9", nil, 25, 25},
		{"official", "5.8.9", &emqxsim.License{Limit: 100}, 100, 110},
		{"business critical starts with 25", "5.7.2",
			&emqxsim.License{Limit: 100, CustomerType: emqxsim.BusinessCriticalCustomer}, 25, 27},
		{"business critical, 5.6 knows no limit to set", "5.6.1",
			&emqxsim.License{Limit: 100, CustomerType: emqxsim.BusinessCriticalCustomer}, 100, 110},
		{"community", "5.10.0", nil, 10_000_000, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: c.version, License: c.license})
			n := sim.Join("emqx@a")
			sim.AddClients(emqxsim.Clients{Name: "c", Count: 200})
			require.Equal(t, c.in, sim.Usage().Connected)
			require.Equal(t, 200-c.in, sim.Refused()["license_limit"])
			require.Equal(t, c.limit, call(t, n, "GET", "/license", "").o["max_connections"])
			require.Equal(t, c.limit, call(t, n, "GET", "/monitor_current", "").o["license_quota"])
		})
	}
}

// From 5.8.5 on sessions count, also of clients that are away.
func TestLicenseCountsSessions(t *testing.T) {
	for version, connected := range map[string]int{"5.8.4": 27, "5.8.9": 25} {
		c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
		c.Join("emqx@a")
		c.AddClients(emqxsim.Clients{Name: "p", Count: 20, Persistent: true})
		c.Disconnect("p", 20)
		c.AddClients(emqxsim.Clients{Name: "q", Count: 30})
		require.Equal(t, connected-20*btoi(version == "5.8.9"), c.Usage().Connected, version)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestDynamicLimit(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	n := c.Join("emqx@a")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 200})
	put := call(t, n, "PUT", "/license/setting", `{"dynamic_max_connections":50}`)
	require.Equal(t, 200, put.status)
	require.NotContains(t, put.o, "dynamic_max_connections", "dropped without a word: the license is no such one")

	key := emqxsim.LicenseKey(emqxsim.License{Limit: 120, CustomerType: emqxsim.BusinessCriticalCustomer})
	require.Equal(t, 25.0, call(t, n, "POST", "/license", `{"key":"`+key+`"}`).o["max_sessions"])
	require.Equal(t, 50.0, call(t, n, "PUT", "/license/setting",
		`{"dynamic_max_connections":50}`).o["dynamic_max_connections"])
	k.advance(time.Minute)
	require.Equal(t, 55, c.Usage().Connected)
	require.Equal(t, 500.0, call(t, n, "PUT", "/license/setting",
		`{"dynamic_max_connections":500}`).o["dynamic_max_connections"], "echoed")
	require.Equal(t, 120.0, call(t, n, "GET", "/license", "").o["max_connections"], "capped")
	call(t, n, "PUT", "/license/setting", `{"dynamic_max_connections":0}`)
	require.Equal(t, 55, c.Usage().Connected, "lowering drops nobody")

	for body, message := range map[string]string{
		`{"key":"garbage"}`: "Bad license key", `{}`: "Invalid request params",
		`{"key":"evaluation"}`: "Bad license key",
	} {
		a := call(t, n, "POST", "/license", body)
		require.Equal(t, 400, a.status)
		require.Equal(t, message, a.o["message"])
	}
	for _, body := range []string{
		`{"connection_low_watermark":"95%"}`, `{"dynamic_max_connections":-1}`, `{"connection_high_watermark":7}`, `[]`,
	} {
		require.Equal(t, "Bad license setting", call(t, n, "PUT", "/license/setting", body).o["message"], body)
	}
	require.Equal(t, "trial", call(t, n, "POST", "/license", `{"key":"default"}`).o["type"])
}

func TestExpiredLicense(t *testing.T) {
	k := newClock()
	for _, c := range []struct {
		license emqxsim.License
		after   time.Duration
		refuses bool
	}{
		{emqxsim.License{Type: emqxsim.TrialLicense}, time.Hour, true},
		{emqxsim.License{CustomerType: emqxsim.SmallCustomer}, time.Hour, false},
		{emqxsim.License{CustomerType: emqxsim.SmallCustomer}, 91 * 24 * time.Hour, true},
		{emqxsim.License{CustomerType: emqxsim.LargeCustomer}, 1000 * 24 * time.Hour, false},
	} {
		c.license.Limit, c.license.Expiry = 100, k.now.Add(24*time.Hour)
		sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, License: &c.license})
		n := sim.Join("emqx@a")
		require.Contains(t, call(t, n, "GET", "/alarms", "").body, "license_expiry")
		k.advance(24*time.Hour + c.after)
		sim.AddClients(emqxsim.Clients{Name: "c", Count: 5})
		require.Equal(t, 5*btoi(!c.refuses), sim.Usage().Connected, "%+v", c)
		require.Equal(t, true, call(t, n, "GET", "/license", "").o["expiry"])
	}
}

// TestSingleNodeLicense: what 5.9 and later come with is for one node.
func TestSingleNodeLicense(t *testing.T) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.10.0"})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	require.Len(t, statuses(t, a.Endpoint()), 1, "the second runs by itself")
	require.Len(t, statuses(t, b.Endpoint()), 1)
	require.Equal(t, 400, call(t, a, "PUT", "/cluster/emqx@b/invite", "").status)
	key := emqxsim.LicenseKey(emqxsim.License{Limit: 100})
	require.Equal(t, 200, call(t, a, "POST", "/license", `{"key":"`+key+`"}`).status)
	require.Equal(t, 200, call(t, a, "PUT", "/cluster/emqx@b/invite", "").status)
	require.Len(t, statuses(t, a.Endpoint()), 2)
	require.Equal(t, "SINGLE_NODE_LICENSE", call(t, a, "POST", "/license", `{"key":"default"}`).o["message"])
	require.Equal(t, 25.0, call(t, a, "POST", "/license", `{"key":"evaluation"}`).o["max_sessions"])
}

func TestOpenSourceHasNoLicense(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9", Edition: emqxsim.OpenSource}).Join("emqx@a")
	require.Equal(t, 404, call(t, n, "GET", "/license", "").status)
	require.Equal(t, 404, call(t, n, "GET", "/load_rebalance/status", "").status)
	require.Contains(t, call(t, n, "GET", "/nodes", "").body, `"edition":"Opensource"`)
	require.Contains(t, call(t, n, "GET", "/status?format=json", "").body, `"rel_vsn":"v5.8.9"`)
}

// TestQuotaAlarm rises at the high watermark on each node, and clears below
// the low one.
func TestQuotaAlarm(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 100})
	a := c.Join("emqx@a")
	c.Join("emqx@b")
	count := func(path string) float64 {
		return call(t, a, "GET", path, "").o["meta"].(map[string]any)["count"].(float64)
	}
	for _, step := range []struct{ clients, active, past int }{{79, 0, 0}, {80, 2, 0}, {76, 2, 0}, {74, 0, 2}} {
		c.AddClients(emqxsim.Clients{Name: "c", Count: step.clients})
		require.Equal(t, float64(step.active), count("/alarms"), "%d clients", step.clients)
		require.Equal(t, float64(step.past), count("/alarms?activated=false"), "%d clients", step.clients)
	}
	require.Equal(t, 204, call(t, a, "DELETE", "/alarms", "").status)
	require.Zero(t, count("/alarms?activated=false"))
}
