package fleet

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/stretchr/testify/require"
)

// Descriptions are for people, and show what they are.
func TestDescriptionsDoNotDeceive(t *testing.T) {
	for text, ok := range map[string]bool{
		"two lines\nand a\ttab": true, "עברית": true, "emoji \U0001F468\u200d\U0001F527": true,
		"nul\x00": false, "\u202eesrever": false, "\u2066isolated\u2069": false, "bell\a": false, "\u0085": false,
	} {
		var p ecp.FieldErrors
		validate.ValidateDescription(&p, text)
		require.Equal(t, ok, p.Err("") == nil, "%+q", text)
	}
}

func TestArchitectures(t *testing.T) {
	for _, row := range []struct {
		all   []string
		wrong []string
	}{
		{nil, nil},
		{[]string{"amd64", "arm64"}, nil},
		{[]string{"amd64", "linux/arm64", "amd64", ""}, []string{"architectures[1]", "architectures[2]", "architectures[3]"}},
		{make([]string, catalog.MaxArchitectures+1), []string{"architectures"}},
	} {
		var p ecp.FieldErrors
		catalog.ValidateArchitectures(&p, row.all)
		var got []string
		for _, f := range p {
			got = append(got, f.Field)
		}
		require.Equal(t, row.wrong, got, "%q", row.all)
	}
	require.Contains(t, whyItEnded([]string{"exec /usr/bin/docker-entrypoint.sh: exec format error"}), catalog.WrongProcessor)
}
