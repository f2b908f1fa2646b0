package adopted

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

const (
	runbook      = "../../../docs/operations.md"
	adviceBegins = "<!-- made from ecp.Reason.Advice by a test -->\n"
	adviceEnds   = "<!-- as far as here -->\n"
)

// TestRunbook: docs/operations.md says for each reason what to do, in the words of the
// API.
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile(runbook)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), adviceBegins)
	require.True(t, ok, "docs/operations.md has lost the place of the reasons")
	_, after, ok := strings.Cut(rest, adviceEnds)
	require.True(t, ok)
	want := before + adviceBegins + adviceTable(t) + adviceEnds + after
	if *update {
		require.NoError(t, os.WriteFile(runbook, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(page),
		"docs/operations.md is out of date: go test ./ecp/internal/adopted -run TestRunbook -update")
}

// needsNobody are the reasons about which nothing has to be done.
var needsNobody = map[ecp.Reason]bool{
	ecp.ReasonAsExpected: true, ecp.ReasonInProgress: true, ecp.ReasonByRequest: true, ecp.ReasonNotAsked: true,
	ecp.ReasonPoweredOff: true, ecp.ReasonDeleted: true,
}

func adviceTable(t *testing.T) string {
	var b strings.Builder
	for _, m := range []ecp.Mode{ecp.Hosted, ecp.Adopted} {
		fmt.Fprintf(&b, "\n### Reasons of %s clusters\n\n| reason | what to do |\n|---|---|\n", m)
		for _, r := range reasons(t) {
			do := r.Advice(m)
			require.Equal(t, needsNobody[r], r.Advice(ecp.Hosted)+r.Advice(ecp.Adopted) == "", "%s", r)
			hosted := r.Advice(ecp.Hosted)
			if do == "" || m == ecp.Adopted && do == hosted && severity(r) == len(reasonRows) {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", r, do)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// reasons lists the constants of ecp/state.go, so that none is forgotten.
func reasons(t *testing.T) (out []ecp.Reason) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../state.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Reason" {
				word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				out = append(out, ecp.Reason(word))
			}
		}
		return true
	})
	require.NotEmpty(t, out)
	return out
}
