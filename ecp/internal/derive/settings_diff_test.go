package derive

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/stretchr/testify/require"
	"strings"
	"testing"
)

// TestFormerSettingsAreBounded: they take no more room than settings may.
func TestFormerSettingsAreBounded(t *testing.T) {
	var s ecp.Status
	big := strings.Repeat("x", setting.MaxValue)
	for _, key := range strings.Fields("a b c d e f g") {
		RememberFormer(&s, map[string]string{key: big}, nil)
	}
	size := 0
	for key, value := range s.FormerSettings {
		size += len(key) + len(value)
	}
	require.LessOrEqual(t, size, setting.MaxTotal)
	require.Contains(t, s.FormerSettings, "g")
	RememberFormer(&s, nil, map[string]string{"g": "1"})
	require.NotContains(t, s.FormerSettings, "g", "it is asked for again")
}
