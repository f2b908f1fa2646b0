package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// wordsOf reads the constants of a type of package ecp from its source.
func wordsOf(t *testing.T, name string) (out []string) {
	t.Helper()
	files, err := filepath.Glob("../../ecp/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			kind, ok := spec.Type.(*ast.Ident)
			value, isText := spec.Values[0].(*ast.BasicLit)
			if ok && isText && kind.Name == name {
				word, err := strconv.Unquote(value.Value)
				require.NoError(t, err)
				out = append(out, word)
			}
			return true
		})
	}
	require.NotEmpty(t, out, name)
	return out
}

// TestEveryWordIsNamedInChinese holds the tables to package ecp: a new reason needs its name.
func TestEveryWordIsNamedInChinese(t *testing.T) {
	for _, word := range wordsOf(t, "Reason") {
		require.NotEmpty(t, reasonsZH[ecp.Reason(word)], word)
	}
	for _, word := range wordsOf(t, "Phase") {
		require.NotEmpty(t, phasesZH[ecp.Phase(word)], word)
	}
	for _, word := range wordsOf(t, "OperationKind") {
		require.NotEmpty(t, kindsZH[ecp.OperationKind(word)], word)
	}
	zh := &app{}
	zh.flags.lang = chinese
	for _, m := range []ecp.StateMachine{ecp.HostedStates, ecp.AdoptedStates} {
		for _, s := range append(m.States(), ecp.Gone) {
			require.Equal(t, m.Label(s).ZH, zh.stateName(s), s)
		}
	}
}

// headForm finds the heads of columns in a source.
var headForm = regexp.MustCompile(`\bhead: "([^"]+)"`)

// TestEveryHeadIsNamedInChinese holds the table of heads to the columns, and to nothing else.
func TestEveryHeadIsNamedInChinese(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	used := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range headForm.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
			require.True(t, headsZH[m[1]] != "" || slices.Contains(sameHeads, m[1]), "%s: say it in headsZH", m[1])
		}
	}
	for head := range headsZH {
		require.True(t, used[head], "no column has the head %s any more", head)
	}
	require.Greater(t, len(used), 100)
}

// TestQuestionsInChinese asks each question in Chinese, about the same number of things.
func TestQuestionsInChinese(t *testing.T) {
	for question, text := range questionsZH {
		require.Equal(t, strings.Count(question, "%s"), strings.Count(text, "%s"), question)
	}
	for lang, want := range map[string]string{
		english: "Delete image emqx-ee-5.8.9? [y/N] ", chinese: "删除 image emqx-ee-5.8.9？ [y/N] ",
	} {
		_, asked := onTerminal(t, "是\n", nil, func(a *app) {
			a.flags.lang = lang
			require.NoError(t, a.ask(t.Context(), askDelete, "image", "emqx-ee-5.8.9"))
		})
		require.Equal(t, want, asked)
	}
}

// Tables are in Chinese where people ask for it; what programs read never is.
func TestChinese(t *testing.T) {
	o := objectOf(map[string]any{"id": "op-1", "kind": "update", "phase": "superseded", "steps": []any{}})
	for lang, want := range map[string]string{
		chinese: `op-1 +变更 +已被取代 +0/0`, english: `op-1 +update +superseded +0/0`,
	} {
		for form, want := range map[string]string{"": want, "jsonpath={.phase}": "^superseded\n$"} {
			out, _ := onTerminal(t, "", nil, func(a *app) {
				a.flags.lang, a.flags.output, a.shows = lang, form, false
				p, err := a.printer(operationKind)
				require.NoError(t, err)
				require.NoError(t, p.add(o))
				require.NoError(t, p.end())
			})
			require.Regexp(t, want, out)
		}
	}
}
