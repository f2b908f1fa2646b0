package emqxv4_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// never are the methods that no 4.4 has, nor one whose limits nobody has said
// how to set.
var never = []string{
	"SetListenerLimit", "StartListener", "StopListener", "LicenseSettings", "SetLicenseSettings", "SetConnectionLimit",
}

// unmanaged are the methods that need the enterprise edition.
var unmanaged = []string{
	"ConnectionLimit", "TrafficSeries", "License", "SetLicense", "InviteMember", "RemoveMember",
	"StartEvacuation", "EvacuationProgress", "StopEvacuation",
}

// suite is the suite on simulated clusters of a version.
func suite(version string, edition emqxsim.Edition, loaded bool) ecptest.AdapterSuite {
	s := emqxtest.Conformance(version, edition, loaded)
	s.Adapter, s.Impatient = emqxv4.New(emqxv4.Config{}), emqxv4.New(emqxv4.Config{Timeout: littlePatience})
	s.Frugal = emqxv4.New(emqxv4.Config{MaxAnswer: emqxtest.FrugalAnswer})
	s.Unsupported = slices.Clone(never)
	v, _ := ecp.ParseVersion(version)
	switch {
	case edition == emqxsim.OpenSource:
		s.Unsupported = append(s.Unsupported, unmanaged...)
	case v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 12}):
		s.Unsupported = append(s.Unsupported, "StartEvacuation", "EvacuationProgress", "StopEvacuation")
	}
	return s
}

// TestAgainstSimulatedOpenSource runs the suite against a cluster of the
// open-source edition, which can be looked at but not managed.
func TestAgainstSimulatedOpenSource(t *testing.T) {
	ecptest.TestAdapter(t, suite("4.4.19", emqxsim.OpenSource, false))
}

// TestEveryMethodOnEveryVersion: every method works, or is unsupported where the
// version or edition lacks it.
func TestEveryMethodOnEveryVersion(t *testing.T) {
	for _, c := range []struct {
		version string
		edition emqxsim.Edition
	}{
		{"4.4.6", emqxsim.Enterprise}, {"4.4.11", emqxsim.Enterprise}, {"4.4.12", emqxsim.Enterprise},
		{"4.4.14", emqxsim.Enterprise}, {"4.4.17", emqxsim.Enterprise}, {"4.4.19", emqxsim.Enterprise},
		{"4.4.24", emqxsim.Enterprise}, {"4.4.26", emqxsim.Enterprise},
		{"4.4.6", emqxsim.OpenSource}, {"4.4.19", emqxsim.OpenSource},
	} {
		t.Run(c.version+" "+string(c.edition), func(t *testing.T) {
			ecptest.TestAdapterMethods(t, suite(c.version, c.edition, c.edition == emqxsim.Enterprise))
		})
	}
}

// TestUnsupportedSaysWhatIsNeeded: what was found, and which version or edition has it.
func TestUnsupportedSaysWhatIsNeeded(t *testing.T) {
	for edition, found := range map[emqxsim.Edition]string{
		emqxsim.Enterprise: "found EMQX Enterprise 4.4.11", emqxsim.OpenSource: "found open-source EMQX 4.4.11",
	} {
		e := emqxtest.Cluster(t, "4.4.11", edition, nil).Node("emqx@a").Endpoint()
		err := openAs[ecp.Evacuator](t, emqxv4.Config{}, e).StartEvacuation(t.Context(), "emqx@b",
			ecp.EvacuationOrder{})
		refusedWith(t, err, ecp.CodeUnsupported, found, "needed EMQX Enterprise")
	}
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is not listed by this major.
func TestSimulatedUpgrade(t *testing.T) {
	c := emqxtest.Cluster(t, "4.4.24", emqxsim.Enterprise, nil)
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
	c := emqxtest.Cluster(t, "4.4.24", emqxsim.Enterprise, nil)
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
	require.NoError(t, b.StartEvacuation(t.Context(), "emqx@a", ecp.EvacuationOrder{
		ConnectionRate: 10, SessionRate: 10, WaitTakeover: time.Second,
	}))
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
