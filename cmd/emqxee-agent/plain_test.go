package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a line\n\twith a tab\n":      "a line\n\twith a tab\n",
		"\x1b]0;owned\x07\x1b[2Jgone": "]0;owned[2Jgone",
		"\u009b31mred\u009d":          "31mred",
		"over\rwritten\b\b":           "overwritten",
		"注册 naïve £ \u00a0x":          "注册 naïve £ \u00a0x",
		"broken \xc2":                 "broken \xc2",
		"\x7f":                        "",
	} {
		var out bytes.Buffer
		n, err := plainWriter{&out}.Write([]byte(in))
		require.NoError(t, err)
		assert.Equal(t, len(in), n)
		assert.Equal(t, want, out.String())
	}
}
