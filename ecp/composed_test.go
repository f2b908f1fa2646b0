package ecp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Names that look the same are the same: what is written apart is refused, with
// how to write it.
func TestNamesAreComposed(t *testing.T) {
	for apart, together := range map[string]string{
		"Cafe\u0301":                   "Café",
		"A\u0323\u0302":                "\u1eac", // two marks on one letter
		"\u1100\u1161\u11a8":           "각",
		"\u304b\u3099":                 "が",
		"\u09c7\u09be":                 "\u09cb",
		"plain":                        "plain",
		"\u0915\u093c":                 "\u0915\u093c", // NFC itself writes this one apart
		"\uac01":                       "\uac01",
		"\U00011131\U00011127 x\u0301": "\U0001112e x\u0301",
	} {
		require.Equal(t, together, composedName(apart), "%+q", apart)
	}
	require.Contains(t, ValidateName("Cafe\u0301"), `write it as "Café"`)
	require.Empty(t, ValidateName("Café"))
}

// Descriptions are for people, and show what they are.
func TestDescriptionsDoNotDeceive(t *testing.T) {
	for text, ok := range map[string]bool{
		"two lines\nand a\ttab": true, "עברית": true, "emoji \U0001F468\u200d\U0001F527": true,
		"nul\x00": false, "\u202eesrever": false, "\u2066isolated\u2069": false, "bell\a": false, "\u0085": false,
	} {
		var p problems
		validateDescription(&p, text)
		require.Equal(t, ok, p.err("") == nil, "%+q", text)
	}
}

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
		{"5.8.8", "emqx/emqx-enterprise:5.8.9@sha256:0123456789012345678901234567890123456789012345678901234567890123", false},
		{"7.0.0", "emqx/emqx-enterprise:7.0.0", false},
		{"5.3.0", "emqx/emqx-enterprise:5.3.0", false},
		{"4.4.5", "emqx/emqx-ee:4.4.5", false},
		{"4.5.0", "emqx/emqx-ee:4.5.0", false},
		{"new", "emqx/emqx-ee:new", false},
	} {
		require.Equal(t, row.ok, wrongImageVersion(row.version, row.reference) == "", "%s %s", row.version, row.reference)
	}
	for _, i := range DefaultImages() {
		require.Empty(t, wrongImageVersion(i.Version, i.Reference))
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
		{make([]string, maxArchitectures+1), []string{"architectures"}},
	} {
		var p problems
		validateArchitectures(&p, row.all)
		var got []string
		for _, f := range p {
			got = append(got, f.Field)
		}
		require.Equal(t, row.wrong, got, "%q", row.all)
	}
	require.Contains(t, whyItEnded([]string{"exec /usr/bin/docker-entrypoint.sh: exec format error"}), wrongProcessor)
}
