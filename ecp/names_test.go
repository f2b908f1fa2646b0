package ecp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for name, wrong := range map[string]string{
		"a":                      "",
		"7":                      "",
		"生产集群 01":                "",
		"Кластер_два-2":          "",
		"مجموعة":                 "",
		"क्लस्टर":                "",            // vowels and joins are marks of their own
		"e\u0301tude":            "write it as", // it looks like the next one
		"\u00e9tude":             "",
		"٣":                      "", // a digit of another script
		"two  spaces inside":     "",
		strings.Repeat("x", 200): "",
		strings.Repeat("集", 200): "",
		"":                       "is missing",
		strings.Repeat("x", 201): "has 201 characters",
		strings.Repeat("集", 201): "has 201 characters",
		" a":                     "begins or ends with a space",
		"a ":                     "begins or ends with a space",
		" ":                      "begins or ends with a space",
		"a\tb":                   "has the character",
		"a\u00a0b":               "has the character",
		"a\nb":                   "has the character",
		"a/b":                    "has the character",
		"a.b":                    "has the character",
		"<b>":                    "has the character",
		"party 🎉":                "has the character",
		"1\ufe0f\u20e3":          "has the character", // a digit made an emoji
		"a\ufe0f":                "has the character", // looks like "a"
		"\u3164":                 "has the character", // a letter nobody sees
		"a\u200db":               "has the character", // a joiner nobody sees
		"\u0301a":                "has the character", // a mark without its letter
		"a\x00":                  "has the character",
		"a\xff":                  "is not valid UTF-8",
	} {
		if got := ValidateName(name); wrong == "" {
			require.Empty(t, got, "%q", name)
		} else {
			require.Contains(t, got, wrong, "%q", name)
		}
	}
}

func TestProjectPaths(t *testing.T) {
	for path, good := range map[string]bool{
		"default/default": true, "a/b": true, "org-1/team-2": true, strings.Repeat("a", 63) + "/b": true,
		"": false, "a": false, "/a": false, "a/": false, "a/b/c": false,
		"A/b": false, "-a/b": false, "a-/b": false, "a_b/c": false,
		"a/b\n": false, strings.Repeat("a", 64) + "/b": false, "a/..": false,
	} {
		require.Equal(t, good, ValidateProject(path) == "", "%q", path)
	}
}

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
