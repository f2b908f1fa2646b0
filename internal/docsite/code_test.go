package docsite

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCodeIsCompiled: every block of Go in the documentation stands in a program or a test of
// the tree, line for line but for the indent of the whole.
func TestCodeIsCompiled(t *testing.T) {
	var sources []string
	for _, dir := range []string{"../../examples", "../../ecp/ecptest", "../../httpapi", "../../client", "../../cmd"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			source, err := os.ReadFile(path)
			sources = append(sources, flush(string(source)))
			return err
		}))
	}
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	blocks := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("(?s)\n```go\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
			blocks++
			found := false
			for _, s := range sources {
				found = found || strings.Contains(s, "\n"+flush(m[1]))
			}
			require.True(t, found, "%s has code that stands in no program:\n%s", page, m[1])
		}
	}
	require.GreaterOrEqual(t, blocks, 5)
}

// flush takes the indent from every line.
func flush(text string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(text, "")
}
