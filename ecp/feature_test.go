package ecp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everything is every feature, in the order they are listed.
const everything = "power scale resize network image repair delete transfer logs connectionLimit monitoring alarms integrations dashboard"

// shared is what a cluster of somebody else's can always be asked for.
const shared = "delete transfer logs monitoring alarms integrations"

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
	{Adopted, "4.4.24", Capabilities{Agent: true}, shared + " dashboard"},
	{Adopted, "4.4.24", Capabilities{LimitCall: true}, shared + " connectionLimit"},
	{Adopted, "4.4.24", Capabilities{LicenceType: 3}, shared},

	{Adopted, "5.8.9", Capabilities{}, shared},
	{Adopted, "5.8.9", Capabilities{ServiceAddress: true}, shared + " dashboard"},
	{Adopted, "5.8.9", Capabilities{Agent: true}, shared + " dashboard"},
	{Adopted, "5.7.0", Capabilities{LicenceType: 3}, shared + " connectionLimit"},
	{Adopted, "e5.7.0-g1234", Capabilities{LicenceType: 3}, shared + " connectionLimit"},
	{Adopted, "5.7.0", Capabilities{LicenceType: 2}, shared},
	{Adopted, "5.6.9", Capabilities{LicenceType: 3}, shared},
	{Adopted, "6.0.1", Capabilities{LicenceType: 3, Agent: true}, shared + " connectionLimit dashboard"},

	// Before anything was reported.
	{Adopted, "", Capabilities{}, shared},
	{Adopted, "", Capabilities{LimitCall: true, LicenceType: 3}, shared},
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
		"5.8.9": {5, 8, 9}, "v5.8.9": {5, 8, 9}, "e5.8.9": {5, 8, 9}, "5.10.0-rc.1": {5, 10, 0}, "4.4.24+build": {4, 4, 24}, "5.8.9-g12345678": {5, 8, 9},
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
