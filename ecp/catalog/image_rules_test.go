package catalog

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/stretchr/testify/require"
)

func TestImageVersions(t *testing.T) {
	for _, row := range []struct {
		version, reference string
		ok                 bool
	}{
		{"5.8.9", "emqx/emqx-enterprise:5.8.9", true},
		{"5.8.9", "registry.example.com:5000/emqx/emqx-enterprise:5.8.9-elixir", true},
		{"5.8.9", "emqx/emqx-enterprise:v5.8.9", true},
		{"5.8.9", "emqx/emqx-enterprise:latest", true},
		{"5.8.9", "emqx/emqx-enterprise@sha256:0123456789012345678901234567890123456789012345678901234567890123", true},
		{"6.0.0", "emqx/emqx-enterprise:6.0.0", true},
		{"4.4.24", "emqx/emqx-enterprise:5.8.9", false},
		{
			"5.8.8",
			"emqx/emqx-enterprise:5.8.9@sha256:0123456789012345678901234567890123456789012345678901234567890123", false,
		},
		{"7.0.0", "emqx/emqx-enterprise:7.0.0", false},
		{"5.3.0", "emqx/emqx-enterprise:5.3.0", false},
		{"4.4.5", "emqx/emqx-ee:4.4.5", false},
		{"4.5.0", "emqx/emqx-ee:4.5.0", false},
		{"new", "emqx/emqx-ee:new", false},
	} {
		require.Equal(t, row.ok, wrongImageVersion(row.version, row.reference) == "", "%s %s", row.version,
			row.reference)
	}
	for _, i := range ecp.DefaultImages() {
		require.Empty(t, wrongImageVersion(i.Version, i.Reference))
		v, _ := ecp.ParseVersion(i.Version)
		require.Equal(t, v.Unverified(), i.Unverified, i.ID)
		require.False(t, i.Default && i.Unverified, i.ID)
	}
}

func TestArchitectures(t *testing.T) {
	for _, row := range []struct {
		all   []string
		wrong []string
	}{
		{nil, nil},
		{[]string{"amd64", "arm64"}, nil},
		{
			[]string{"amd64", "linux/arm64", "amd64", ""},
			[]string{"architectures[1]", "architectures[2]", "architectures[3]"},
		},
		{make([]string, maxArchitectures+1), []string{"architectures"}},
	} {
		var p fault.Fields
		validateArchitectures(&p, row.all)
		var got []string
		for _, f := range p {
			got = append(got, f.Field)
		}
		require.Equal(t, row.wrong, got, "%q", row.all)
	}
}
