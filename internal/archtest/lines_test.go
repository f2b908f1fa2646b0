package archtest

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the width of the widest line, a tab counted as four columns.
const maxColumns = 120

// stillWide are the packages and pages that have wider lines yet. The list only
// ever gets shorter: whoever wraps the lines of one takes it off, and nothing is
// added.
var stillWide = []string{}

func TestLinesAreNarrow(t *testing.T) {
	used := map[string]bool{}
	check := func(name, dir string, wide int) {
		if wide == 0 {
			return
		}
		if i := slices.IndexFunc(stillWide, func(p string) bool { return matches(p, dir) }); i >= 0 {
			used[stillWide[i]] = true
			return
		}
		t.Errorf("%s:%d: the line is wider than %d columns; break it", name, wide, maxColumns)
	}
	dir := root(t)
	for _, p := range packages(t) {
		for _, f := range p.files {
			src, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.path)))
			if err != nil {
				t.Fatal(err)
			}
			if !isGenerated(src) {
				check(f.path, path.Dir(f.path), wideLine(breakable(f, src)))
			}
		}
	}
	eachPage(t, func(name, text string) { check(name, name, wideLine(prose(text))) })
	for _, p := range stillWide {
		if !used[p] {
			t.Errorf("internal/archtest/lines_test.go: %s has no line wider than %d columns any more; take it off the "+
				"list", p, maxColumns)
		}
	}
}

func TestWideLinesAreFound(t *testing.T) {
	word, cell := strings.Repeat("x", 59), "| "+strings.Repeat("y ", 70)+"|"
	for text, want := range map[string]int{
		"a\n" + word + " " + word + " \n":           0, // 120
		"a\n" + word + " " + word + " x\n":          2, // 121
		"\t\t" + word + " " + word:                  1,
		strings.Repeat("中", 60) + " " + word:        0, // 120 of other widths
		"// " + word + word + word:                  0, // a word that cannot be broken
		prose("a\n" + cell + "\nb"):                 0, // a row of a table
		prose("a\n```\n" + cell + "\n```\n" + cell): 0,
		prose("```\n" + cell + "\n```\nx" + cell):   4,
	} {
		if got := wideLine(text); got != want {
			t.Errorf("%q: line %d is too wide, want %d", text, got, want)
		}
	}
	src := "package x\n\nvar a = `" + word + "\n" + word + " " + word + "`\n"
	if got, want := breakable(&file{ast: parse(t, src), fset: parsed},
		[]byte(src)), "package x\n\nvar a = \n\n"; got != want {
		t.Errorf("%q is left, want %q", got, want)
	}
}

// breakable returns a Go file without its strings in back quotes, which Go cannot break:
// tags of fields, scripts, JSON.
func breakable(f *file, src []byte) string {
	at := f.fset.File(f.ast.Pos())
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(text.Value, "`") {
			for i := at.Offset(text.Pos()); i < at.Offset(text.End()); i++ {
				if src[i] != '\n' {
					src[i] = 0
				}
			}
		}
		return true
	})
	return strings.ReplaceAll(string(src), "\x00", "")
}

// wideLine returns the number of the first line that is too wide; 0 if none is. A line
// of one word, such as an address in a comment, cannot be broken.
func wideLine(text string) int {
	for i, line := range strings.Split(text, "\n") {
		columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
		words := strings.Fields(strings.TrimLeft(line, "\t /#-*"))
		if columns > maxColumns && len(words) > 1 {
			return i + 1
		}
	}
	return 0
}

// prose empties the lines of a page that are none of its prose: rows of tables,
// and code.
func prose(page string) string {
	lines, code := strings.Split(page, "\n"), false
	for i, line := range lines {
		if fence := strings.HasPrefix(strings.TrimSpace(line), "```"); fence {
			code = !code
		} else if !code && !strings.HasPrefix(line, "|") {
			continue
		}
		lines[i] = ""
	}
	return strings.Join(lines, "\n")
}
