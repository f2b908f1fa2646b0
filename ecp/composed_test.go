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
