package console

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	constant = regexp.MustCompile(`(?m)\s(Reason|ConditionType|Phase|OperationKind|State) = "([^"]+)"`)
	entry    = regexp.MustCompile(`(?m)^  '?([\w-]+)'?: \['[^']+', '([^']+)'\],$`)
	chinese  = regexp.MustCompile(`\p{Han}`)
)

// TestEveryWordIsNamed: what package ecp has a word for, the console has a name for in both languages.
func TestEveryWordIsNamed(t *testing.T) {
	words := map[string][]string{}
	sources, err := filepath.Glob("../ecp/*.go")
	require.NoError(t, err)
	for _, name := range sources {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range constant.FindAllStringSubmatch(string(b), -1) {
			words[m[1]] = append(words[m[1]], m[2])
		}
	}
	for of, table := range map[string]string{
		"Reason": "reasons", "ConditionType": "conditions", "Phase": "phases", "OperationKind": "operations",
		"State": "states",
	} {
		named := namesIn(t, table)
		require.NotEmpty(t, words[of], of)
		for _, w := range words[of] {
			require.Regexp(t, chinese, named[w], "%s %s is not named in the table %s of src/components", of, w, table)
		}
	}
}

// namesIn returns the Chinese names in a table of the console's shared components.
func namesIn(t *testing.T, table string) map[string]string {
	t.Helper()
	for _, file := range []string{"common.ts", "reasons.ts"} {
		b, err := os.ReadFile(filepath.Join("src/components", file))
		require.NoError(t, err)
		begin := regexp.MustCompile(`(?s)const ` + table + ` = \{\n(.*?)\} as const`).FindSubmatch(b)
		if begin == nil {
			continue
		}
		names := map[string]string{}
		for _, m := range entry.FindAllStringSubmatch(string(begin[1]), -1) {
			names[m[1]] = m[2]
		}
		return names
	}
	t.Fatalf("no table %s", table)
	return nil
}
