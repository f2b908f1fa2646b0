package catalog

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestMayBecome(t *testing.T) {
	for _, c := range []struct {
		from, to string
		nodes    int
		says     string // empty means that it is allowed
	}{
		{"5.8.1", "5.8.9", 3, ""}, {"5.8.9", "5.8.1", 3, ""}, {"5.6.1", "5.10.0", 3, ""},
		{"4.4.6", "4.4.24", 3, ""}, {"4.4.24", "4.4.6", 3, ""},
		{"5.8.9", "5.10.4", 3, ""}, {"5.10.4", "6.2.2", 3, ""}, {"5.8.9", "6.2.2", 3, ""}, {"5.9.1", "6.0.1", 3, ""},
		{"5.8.0", "6.1.0", 3, ""}, {"6.0.0", "6.2.2", 3, ""}, {"6.2.2", "6.2.0", 3, ""}, {"6.2.2", "6.3.0", 1, ""},
		{"latest", "5.8.9", 1, ""}, {"6.9.0", "6.9.0", 1, ""},
		{"6.4.0", "6.4.1", 1, ""}, {"6.4.1", "6.4.0", 1, ""},

		{"4.4.24", "5.8.9", 1, "make a new cluster"}, {"4.4.24", "6.1.0", 1, "make a new cluster"},
		{"5.8.9", "4.4.24", 1, "earlier major"}, {"6.2.2", "5.10.4", 1, "earlier major"},
		{"6.0.1", "5.8.9", 3, "earlier major"},
		{"5.8.1", "5.7.2", 1, "within a minor version only"}, {"5.10.0", "5.9.3", 1, "within a minor version only"},
		{"6.2.0", "6.1.4", 3, "within a minor version only"},
		{"5.7.2", "6.0.1", 1, "begins at 5.8.0"}, {"5.6.1", "6.2.2", 3, "begins at 5.8.0"},
		{"5.8.9", "6.0.0", 3, "take 6.0.1 or later"}, {"5.10.4", "6.0.0", 1, "take 6.0.1 or later"},
		{"5.8.9", "5.10.0", 1, "take 5.9.1, 5.10.1"}, {"5.8.7", "5.9.0", 1, "take 5.9.1, 5.10.1"},
		{"5.8.6", "5.9.0", 1, ""}, {"5.8.7", "5.9.1", 1, ""}, {"5.8.11", "5.10.1", 1, ""},
		{"4.4.24", "4.4.25", 2, "take 4.4.26"}, {"4.4.24", "4.4.25", 1, ""}, {"4.4.26", "4.4.25", 2, ""},
		{"5.10.4", "5.11.0", 1, "does not have it"}, {"6.2.2", "6.4.0", 1, "does not have it"},
		{"6.4.0", "6.5.0", 1, "does not have it"},
	} {
		got := MayBecome(c.from, c.to, c.nodes)
		require.Contains(t, got, c.says, "%s to %s", c.from, c.to)
		require.Equal(t, c.says == "", got == "", "%s to %s: %s", c.from, c.to, got)
	}
}

// TestVersionMovesLeadOnward: what a row names is later than the row, can be run, and takes all
// later steps of the row itself, so that a way in two steps is no other than one in one.
func TestVersionMovesLeadOnward(t *testing.T) {
	at := func(minor string) ecp.Version {
		v, ok := ecp.ParseVersion(minor + ".6")
		require.True(t, ok, minor)
		return v
	}
	for from, row := range versionMoves {
		all := strings.Fields(row)
		for i, to := range all {
			require.True(t, at(from).Before(at(to)), "%s to %s", from, to)
			require.Empty(t, wrongImageVersion(to+".6", "x"))
			require.Subset(t, append(strings.Fields(versionMoves[to]), to), all[i:], "%s by way of %s", from, to)
		}
	}
}
