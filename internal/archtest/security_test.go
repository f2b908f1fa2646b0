package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecurityNamesTests: what docs/security.md says was tested is tested by tests
// of these names, in these packages.
func TestSecurityNamesTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "security.md"))
	require.NoError(t, err)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	dir := regexp.MustCompile(`\(([a-z0-9/-]+)\)`)
	found := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		names := name.FindAllStringSubmatchIndex(line, -1)
		if !strings.HasPrefix(line, "|") || len(names) == 0 {
			continue
		}
		for _, at := range names {
			test := line[at[2]:at[3]]
			in := dir.FindStringSubmatch(line[at[1]:])
			require.NotNil(t, in, "%s is in no package", test)
			require.True(t, declares(t, in[1], test), "there is no %s in %s", test, in[1])
			found++
		}
	}
	require.Greater(t, found, 30)
}

// declares reports whether a package's tests have a function.
func declares(t *testing.T, dir, function string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(dir), "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+function+"(") {
			return true
		}
	}
	return false
}
