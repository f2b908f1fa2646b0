package chart

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// One daemon with its database in a file is rendered as ever, to the last field: an upgrade
// of such a release restarts nothing that it need not. Rights and policy are files that
// others test; keys are random.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(valueSets)) {
		own := slices.DeleteFunc(render(t, valueSets[name]), func(o Object) bool {
			kind, _ := o["kind"].(string)
			return kind == "Secret" || kind == "ServiceAccount" || strings.Contains(kind, "Role") ||
				strings.HasPrefix(kind, "Validating")
		})
		text, err := Text(own)
		require.NoError(t, err)
		b.WriteString("# " + name + "\n" + text)
	}
	file := filepath.Join("testdata", "file.yaml")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}
