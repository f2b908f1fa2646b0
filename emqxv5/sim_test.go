package emqxv5_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const simKey, simSecret = "key-77", "secret-88"

// critical license of customer type 3, for a thousand.
var criticalLicense = emqxsim.License{
	Type: emqxsim.OfficialLicense, CustomerType: emqxsim.BusinessCriticalCustomer,
	Customer: "Fleet", Email: "fleet@example.org", Limit: 1000,
}

// simulated is a cluster of three nodes with something of everything.
func simulated(c emqxsim.ClusterConfig) *emqxsim.Cluster {
	c.Username, c.Password = simKey, simSecret
	s := emqxsim.NewCluster(c)
	for _, name := range []string{"emqx@a", "emqx@b", "emqx@c"} {
		s.Join(name)
	}
	s.Node("emqx@a").SetClients(2, 0)
	s.Node("emqx@c").SetClients(1, 4)
	s.AddConnector("mqtt", "m1", nil)
	s.AddAction("mqtt", "am1", "m1")
	s.AddSource("mqtt", "s1", "m1")
	s.AddRule("r1", `SELECT * FROM "t/#"`, "mqtt:am1")
	for _, name := range []string{"emqx@b", "emqx@a"} {
		s.Node(name).RaiseAlarm("partition", "somewhere else", nil)
	}
	return s
}

// suite is the suite on simulated clusters of a version.
func suite(version string, loaded bool) ecptest.AdapterSuite {
	s := emqxtest.Conformance(version, emqxsim.Enterprise, loaded)
	s.Adapter, s.Impatient = emqxv5.New(emqxv5.Config{}), emqxv5.New(emqxv5.Config{Timeout: littlePatience})
	s.Frugal = emqxv5.New(emqxv5.Config{MaxAnswer: emqxtest.FrugalAnswer})
	return s
}

// TestSimulatedVersions makes every call of every version that differs, as a
// key and as a user.
func TestSimulatedVersions(t *testing.T) {
	for _, version := range []string{
		"5.6.0", "5.6.1", "5.7.2", "5.8.1", "5.8.4", "5.8.5", "5.8.9", "5.8.11", "5.9.2", "5.10.4",
		"6.0.1", "6.0.3", "6.1.0", "6.1.2", "6.2.0", "6.2.2", "6.3.0",
	} {
		s := suite(version, true)
		t.Run(version, func(t *testing.T) { ecptest.TestAdapterMethods(t, s) })
		asUser := func(open func(*testing.T) ecp.Endpoint) func(*testing.T) ecp.Endpoint {
			return func(t *testing.T) ecp.Endpoint {
				e := open(t)
				e.Credentials = emqxtest.User
				return e
			}
		}
		s.Open, s.Members.Open = asUser(s.Open), asUser(s.Members.Open)
		t.Run(version+" as a user", func(t *testing.T) { ecptest.TestAdapterMethods(t, s) })
	}
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is listed as stopped.
func TestSimulatedUpgrade(t *testing.T) {
	c := emqxtest.Cluster(t, "5.8.9", emqxsim.Enterprise, nil)
	c.Node("emqx@b").SetVersion("5.10.0")
	for name, version := range map[string]string{"emqx@a": "5.8.9", "emqx@b": "5.10.0"} {
		d, err := emqxtest.Describe(t, emqxv5.New(emqxv5.Config{}), c.Node(name).Endpoint())
		require.NoError(t, err)
		require.Equal(t, version, d.Version)
	}
	c.Node("emqx@b").Kill()
	d, err := emqxtest.Describe(t, emqxv5.New(emqxv5.Config{}), c.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", d.Version)
	require.Equal(t, ecp.BrokerNode{Name: "emqx@b", Status: ecp.NodeStopped, Role: "core"}, d.Nodes[1])
}

// TestSimulatedAlarms: two nodes raise one alarm.
func TestSimulatedAlarms(t *testing.T) {
	s := simulated(emqxsim.ClusterConfig{})
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@c").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	source := b.(ecp.AlarmSource)
	active, err := source.ActiveAlarms(t.Context())
	require.NoError(t, err)
	require.Len(t, active, 1, "%+v", active)
	require.Equal(t, "partition", active[0].Name)
	require.Equal(t, []string{"emqx@a", "emqx@b"}, active[0].Nodes)
	s.Node("emqx@a").ClearAlarm("partition")
	s.Node("emqx@b").ClearAlarm("partition")
	over, err := source.AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Len(t, over, 1)
	require.Equal(t, []string{"emqx@a", "emqx@b"}, over[0].Nodes)
	active, err = source.ActiveAlarms(t.Context())
	require.NoError(t, err)
	require.Empty(t, active)
}

// TestSimulatedIntegrations: rule, action, connector and back.
func TestSimulatedIntegrations(t *testing.T) {
	s := simulated(emqxsim.ClusterConfig{})
	s.SetConnectorFault("mqtt:m1", "emqx@b", "Connection refused")
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	rules, err := b.(ecp.IntegrationSource).Rules(t.Context())
	require.NoError(t, err)
	require.Len(t, rules, 1)
	require.Equal(t, []string{"mqtt:am1"}, rules[0].Actions)
	require.True(t, rules[0].Running)
	all, err := b.(ecp.IntegrationSource).Integrations(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, "mqtt:m1", all[0].Connector)
	require.Equal(t, []string{"r1"}, all[1].Rules)
	require.Equal(t, ecp.IntegrationInconsistent, all[1].Status)
	require.Equal(t, ecp.IntegrationDisconnected, all[1].Nodes[1].Status)
	require.Equal(t, "Connection refused", all[1].Nodes[1].Reason)
}

// clock is one that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// TestSimulatedEvacuation: a node is emptied, tells so to load balancers, and
// takes clients again afterwards; figures over time show it.
func TestSimulatedEvacuation(t *testing.T) {
	now := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s := simulated(emqxsim.ClusterConfig{Now: now.Now, License: &criticalLicense})
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	c, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@c").Endpoint())
	require.NoError(t, err)
	defer c.Close()
	e := b.(ecp.Evacuator)
	require.NoError(t, e.StartEvacuation(t.Context(), "emqx@c", ecp.EvacuationOrder{
		ConnectionRate: 1, SessionRate: 1, WaitHealth: 5 * time.Second, WaitTakeover: 2 * time.Second,
	}))
	require.NoError(t, e.StartEvacuation(t.Context(), "emqx@c", ecp.EvacuationOrder{}), "twice is as once")
	h, err := c.(ecp.HealthSource).Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, ecp.False, h.Available)

	var seen []ecp.EvacuationPhase
	for range 120 {
		p, err := e.EvacuationProgress(t.Context(), "emqx@c")
		require.NoError(t, err)
		if len(seen) == 0 || seen[len(seen)-1] != p.Phase {
			seen = append(seen, p.Phase)
		}
		if p.Done() {
			break
		}
		now.pass(time.Second)
	}
	require.Equal(t, ecp.EvacuationWaiting, seen[0])
	require.Equal(t, ecp.EvacuationProhibited, seen[len(seen)-1], "%q", seen)
	require.NotContains(t, seen, ecp.EvacuationOther)
	for range 2 {
		require.NoError(t, e.StopEvacuation(t.Context(), "emqx@c"))
	}
	p, err := e.EvacuationProgress(t.Context(), "emqx@c")
	require.NoError(t, err)
	require.Equal(t, ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, p)
	h, err = c.(ecp.HealthSource).Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, ecp.True, h.Available)
	now.pass(time.Minute)
	series, err := b.(ecp.Monitor).TrafficSeries(t.Context(), 10*time.Minute)
	require.NoError(t, err)
	require.NotEmpty(t, series)
}

// TestSimulatedUser: a dashboard user works, across logins that end; so does
// one where it is not said what it is. Who guesses is locked out by us before
// EMQX does it.
func TestSimulatedUser(t *testing.T) {
	for _, kind := range []ecp.CredentialKind{ecp.CredentialUser, ""} {
		s := simulated(emqxsim.ClusterConfig{Version: "5.10.0", License: &criticalLicense})
		s.AddUser("fleet", "Fleet_pass-1", "administrator")
		e := s.Node("emqx@a").Endpoint()
		e.Credentials = ecp.Credentials{Username: "fleet", Password: "Fleet_pass-1", Kind: kind}
		b, err := emqxv5.New(emqxv5.Config{}).Open(e)
		require.NoError(t, err)
		defer b.Close()
		for range 3 {
			_, err := b.Describe(t.Context())
			require.NoError(t, err)
			s.EndLogins()
		}
		limit, err := b.(ecp.ConnectionLimiter).SetConnectionLimit(t.Context(), 77)
		require.NoError(t, err)
		require.Equal(t, 77, limit.InForce)

		wrong := e
		wrong.Credentials.Password = "Guess_pass-1"
		w, err := emqxv5.New(emqxv5.Config{}).Open(wrong)
		require.NoError(t, err)
		defer w.Close()
		for range 20 {
			_, err := w.Describe(t.Context())
			require.ErrorIs(t, err, ecp.ErrDenied)
		}
		s.EndLogins()
		_, err = b.Describe(t.Context())
		require.NoError(t, err, "the user is not locked")
	}
}

// TestSimulatedScopes: an API key without the scope for licenses may do the
// rest, and is told which scopes a manager's key needs.
func TestSimulatedScopes(t *testing.T) {
	s := simulated(emqxsim.ClusterConfig{Version: "6.2.1", License: &criticalLicense})
	s.AddAPIKey(emqxsim.APIKey{Name: "few", Key: "key-few", Secret: "secret-few", Scopes: []string{
		"monitoring", "cluster_operations",
	}})
	e := s.Node("emqx@a").Endpoint()
	e.Credentials = ecp.Credentials{Username: "key-few", Password: "secret-few", Kind: ecp.CredentialKey}
	b, err := emqxv5.New(emqxv5.Config{}).Open(e)
	require.NoError(t, err)
	defer b.Close()
	d, err := b.Describe(t.Context())
	require.NoError(t, err)
	require.Zero(t, d.Limit)
	_, err = b.(ecp.ConnectionLimiter).SetConnectionLimit(t.Context(), 5)
	refusedAs(t, err, ecp.CodeDenied, "UNAUTHORIZED_ROLE", "license")
}

// TestSimulatedBoot: a call that meets a broker on its way up is made again,
// and says so where that lasts.
func TestSimulatedBoot(t *testing.T) {
	now := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s := simulated(emqxsim.ClusterConfig{Now: now.Now, BootPage: time.Second, License: &criticalLicense})
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	now.pass(time.Minute)
	_, err = b.Describe(t.Context())
	require.NoError(t, err)
	s.Node("emqx@a").Restart()
	_, err = b.Describe(t.Context())
	refusedAs(t, err, ecp.CodeUnavailable, "", "still starting")
	h, err := b.(ecp.HealthSource).Health(t.Context())
	require.NoError(t, err)
	require.False(t, h.Running)
	now.pass(time.Minute)
	_, err = b.Describe(t.Context())
	require.NoError(t, err)
}

// TestSimulatedOpenSource: a person may look at it as far as it goes.
func TestSimulatedOpenSource(t *testing.T) {
	s := simulated(emqxsim.ClusterConfig{Version: "5.8.9", Edition: emqxsim.OpenSource})
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	d, err := b.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, ecp.EditionOpenSource, d.Edition)
	_, err = b.(ecp.Monitor).Traffic(t.Context())
	require.NoError(t, err)
	_, err = b.(ecp.ListenerManager).Listeners(t.Context())
	require.NoError(t, err)
	_, err = b.(ecp.Metrics).WriteMetrics(t.Context(), io.Discard, ecp.MetricsOfNodes)
	require.NoError(t, err)
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := b.(ecp.LicenseManager).License(ctx); return err },
		func(ctx context.Context) error { _, err := b.(ecp.ConnectionLimiter).ConnectionLimit(ctx); return err },
		func(ctx context.Context) error {
			return b.(ecp.Evacuator).StartEvacuation(ctx, "emqx@b", ecp.EvacuationOrder{})
		},
	} {
		refusedAs(t, call(t.Context()), ecp.CodeUnsupported, "", "found open-source EMQX 5.8.9; needed EMQX Enterprise")
	}
}
