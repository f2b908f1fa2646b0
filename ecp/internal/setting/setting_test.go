package setting

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSettingsPage: the page names every setting whose value is shown.
func TestSettingsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/settings.md")
	require.NoError(t, err)
	for _, key := range harmlessSettings {
		require.Contains(t, string(page), "`"+key+"`")
	}
}
