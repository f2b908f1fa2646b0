package derive

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Objects are not written because a word of their manifest is spelled in another way now.
func TestManifestOfEarlierBuildStays(t *testing.T) {
	rec := aRecord(ecp.Running)
	rec.Resolved.License = "main"
	own := manifestOf(rec)
	require.Contains(t, own, `"license":"main"`)
	older := strings.Replace(own, `"license"`, `"licence"`, 1)
	found := ecp.Observation{Manifest: older}
	there, err := ReadManifest(found)
	require.NoError(t, err)
	require.Equal(t, rec.Resolved, there.Resolved)

	require.Equal(t, older, DesiredOf(rec, found).Manifest)
	for name, text := range map[string]string{"another license": strings.Replace(older, "main", "other", 1), "none": "",
		"no manifest": "{", "own": own} {
		require.Equal(t, own, DesiredOf(rec, ecp.Observation{Manifest: text}).Manifest, name)
	}
	rec.Generation++
	require.Equal(t, manifestOf(rec), DesiredOf(rec, found).Manifest)
	require.NotContains(t, manifestOf(rec), "licence")
}
