package fleet

import (
	"testing"

	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/stretchr/testify/require"
)

// Descriptions are for people, and show what they are.
func TestDescriptionsDoNotDeceive(t *testing.T) {
	for text, ok := range map[string]bool{
		"two lines\nand a\ttab": true, "עברית": true, "emoji \U0001F468\u200d\U0001F527": true,
		"nul\x00": false, "\u202eesrever": false, "\u2066isolated\u2069": false, "bell\a": false, "\u0085": false,
	} {
		var p fault.Fields
		validate.Description(&p, text)
		require.Equal(t, ok, p.Err("") == nil, "%+q", text)
	}
}
