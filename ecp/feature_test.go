package ecp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everything is every feature, in the order they are listed.
const everything = "power scale resize network image repair delete transfer logs connectionLimit " +
	"monitoring alarms integrations dashboard"

// shared is what a cluster of somebody else's can always be asked for; with an
// agent that is connected and has reported, more.
const (
	shared  = "delete transfer"
	through = shared + " monitoring alarms integrations dashboard"
)

// featureTable is the table of the design, row for row.
var featureTable = []struct {
	mode    Mode
	version string
	caps    Capabilities
	want    string
}{
	{Hosted, "4.4.24", Capabilities{}, everything},
	{Hosted, "5.8.9", Capabilities{}, everything},

	{Adopted, "4.4.24", Capabilities{}, shared},
	{Adopted, "4.4.24", Capabilities{ServiceAddress: true}, shared},
	{Adopted, "4.4.24", Capabilities{Agent: true}, through},
	{Adopted, "4.4.24", Capabilities{Agent: true, LimitCall: true}, through + " connectionLimit"},

	{Adopted, "5.8.9", Capabilities{}, shared},
	{Adopted, "5.8.9", Capabilities{ServiceAddress: true}, shared + " dashboard"},
	{Adopted, "5.8.9", Capabilities{ServiceAddress: true, NoAgentAddress: true}, shared + " dashboard"},
	{Adopted, "5.8.9", Capabilities{Agent: true}, through},
	{Adopted, "e5.7.0-g1234", Capabilities{Agent: true, LicenseType: 3}, through + " connectionLimit"},
	{Adopted, "6.0.1", Capabilities{Agent: true}, through},
	{
		Adopted, "6.0.1", Capabilities{Agent: true, Reported: true, Logs: true},
		shared + " logs monitoring alarms integrations dashboard",
	},

	// Before anything was reported.
	{Adopted, "", Capabilities{}, shared},
	{Adopted, "", Capabilities{ServiceAddress: true}, shared},
	{Adopted, "", Capabilities{Agent: true}, shared + " dashboard"},
}

// TestWhatAdoptedFeaturesWaitFor: the why names what is missing, not only that
// something is.
func TestWhatAdoptedFeaturesWaitFor(t *testing.T) {
	for _, c := range []struct {
		feature Feature
		version string
		caps    Capabilities
		why     string
	}{
		{
			FeatureLogs, "5.8.9", Capabilities{Agent: true, Reported: true},
			"run `emqxee-agent register --emqx-log-collection-enabled` on their hosts",
		},
		{
			FeatureLogs, "5.8.9", Capabilities{Agent: true, Reported: true, LogFault: "/l cannot be read"},
			"the agent cannot read EMQX's log files: /l cannot be read",
		},
		{FeatureLogs, "5.8.9", Capabilities{Agent: true}, notReported},
		{FeatureLogs, "5.8.9", Capabilities{}, needsAgent},
		{FeatureLogs, "", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{FeatureMonitoring, "5.8.9", Capabilities{}, needsAgent},
		{FeatureMonitoring, "", Capabilities{}, needsAgent},
		{
			FeatureMonitoring, "5.8.9", Capabilities{NoAgentAddress: true},
			"AgentAddressNotConfigured: no address is configured",
		},
		{FeatureAlarms, "", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{FeatureIntegrations, "4.4.24", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{FeatureMonitoring, "", Capabilities{NoAgentAddress: true, Agent: true}, notReported},
		{FeatureConnectionLimit, "", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{FeatureConnectionLimit, "", Capabilities{}, notReported},
		{FeatureDashboard, "5.8.9", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{FeatureDashboard, "", Capabilities{NoAgentAddress: true, ServiceAddress: true}, "AgentAddressNotConfigured"},
		{FeatureMonitoring, "", Capabilities{Agent: true}, notReported},
		{FeatureDashboard, "", Capabilities{ServiceAddress: true}, notReported},
		{FeatureDashboard, "", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{
			FeatureDashboard, "4.4.24", Capabilities{NoAgentAddress: true, ServiceAddress: true},
			"AgentAddressNotConfigured",
		},
		{FeatureDashboard, "4.4.24", Capabilities{ServiceAddress: true}, needsAgent},
		{FeatureDashboard, "5.8.9", Capabilities{}, "a service address or a connected agent"},
		{FeatureConnectionLimit, "", Capabilities{Agent: true}, notReported},
		{FeatureConnectionLimit, "4.4.24", Capabilities{Agent: true}, "does not list the call"},
		{FeatureConnectionLimit, "4.4.24", Capabilities{LimitCall: true}, needsAgent},
		{FeatureConnectionLimit, "4.4.24", Capabilities{NoAgentAddress: true}, "AgentAddressNotConfigured"},
		{
			FeatureConnectionLimit, "4.4.24", Capabilities{Agent: true, LimitCall: true, LimitDropped: "it dropped it"},
			"LicenseNotBusinessCritical: it dropped it",
		},
		{FeatureConnectionLimit, "5.8.9", Capabilities{LicenseType: 3}, needsAgent},
		{
			FeatureConnectionLimit, "5.8.9", Capabilities{Agent: true, LicenseType: 3, LimitDropped: "it dropped it"},
			"LicenseNotBusinessCritical: it dropped it",
		},
		{
			FeatureConnectionLimit, "5.8.9", Capabilities{Agent: true, LicenseType: 10, LimitDropped: "it dropped it"},
			"license (type 3)",
		},
		{FeatureConnectionLimit, "5.6.9", Capabilities{LicenseType: 3}, "5.7.0 or later"},
		{FeatureConnectionLimit, "5.7.0", Capabilities{Agent: true, LicenseType: 2}, "license (type 3)"},
	} {
		for _, f := range Features(Adopted, c.version, c.caps) {
			if f.Feature == c.feature {
				require.False(t, f.Available, "%+v", c)
				require.Contains(t, f.Why, c.why, "%+v", c)
			}
		}
	}
}

func TestFeatureTable(t *testing.T) {
	for _, c := range featureTable {
		want := map[string]bool{}
		for f := range strings.FieldsSeq(c.want) {
			want[f] = true
		}
		all := Features(c.mode, c.version, c.caps)
		require.Len(t, all, len(strings.Fields(everything)))
		for i, f := range all {
			require.Equal(t, strings.Fields(everything)[i], string(f.Feature))
			require.Equal(t, want[string(f.Feature)], f.Available, "%s %s %+v %s", c.mode, c.version, c.caps, f.Feature)
			require.Equal(t, f.Available, f.Why == "", "what is refused says why, and nothing else does: %+v", f)
		}
	}
}

func TestVersions(t *testing.T) {
	for s, want := range map[string]Version{
		"5.8.9": {5, 8, 9}, "v5.8.9": {5, 8, 9}, "e5.8.9": {5, 8, 9},
		"5.10.0-rc.1": {5, 10, 0}, "4.4.24+build": {4, 4, 24}, "5.8.9-g12345678": {5, 8, 9},
	} {
		got, ok := ParseVersion(s)
		require.True(t, ok, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "5", "5.8", "5.8.9.1", "a.b.c", "5.-8.9", "5..9", "latest", "5.8.x"} {
		_, ok := ParseVersion(s)
		require.False(t, ok, s)
	}
	ordered := []Version{{4, 4, 6}, {4, 4, 24}, {5, 6, 0}, {5, 8, 9}, {5, 10, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, i < j, a.Before(b), "%v before %v", a, b)
		}
	}
}
