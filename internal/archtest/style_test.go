package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is the length of the longest file a person wrote.
const maxLines = 700

func TestFilesAreShort(t *testing.T) {
	dir := root(t)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != dir &&
			(strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if n := bytes.Count(src, []byte("\n")); n > maxLines && !isGenerated(src) {
			rel, _ := filepath.Rel(dir, name)
			t.Errorf("%s has %d lines; at most %d are read well: split it by idea, one a file", rel, n, maxLines)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isGenerated says whether a file carries the mark that go generate's tools
// agree on, above its package clause.
func isGenerated(src []byte) bool {
	head, _, _ := bytes.Cut(src, []byte("\npackage "))
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("// Code generated ")) && bytes.HasSuffix(line, []byte(" DO NOT EDIT.")) {
			return true
		}
	}
	return false
}

// rule is something no file may do.
type rule struct {
	name  string
	next  string                    // what to do instead
	where func(p pkg, f *file) bool // the files it holds for
	find  func(a *ast.File) []ast.Node
}

// rules are the ones that the syntax alone decides.
var rules = []rule{
	{
		name:  "context.TODO",
		next:  "take a context from the caller",
		where: func(pkg, *file) bool { return true },
		find:  uses("context", "TODO"),
	},
	{
		name: "context.Background",
		next: "take a context from the caller; where work must outlive it, use context.WithoutCancel; in tests " +
			"t.Context()",
		where: func(p pkg, f *file) bool { return !p.isMain() && !p.isHarness() && !f.test },
		find:  uses("context", "Background"),
	},
	{
		name:  "context in a struct",
		next:  "pass it to each call as the first parameter; Run(ctx) hands it down",
		where: func(pkg, *file) bool { return true },
		find:  contextFields,
	},
	{
		name:  "time.Sleep in a test",
		next:  "wait for the condition with a deadline and say what was seen, or run in testing/synctest",
		where: func(p pkg, f *file) bool { return f.test || p.isHarness() },
		find:  uses("time", "Sleep"),
	},
	{
		name:  "init function",
		next:  "initialise a package variable, or pass the value in a Config",
		where: func(p pkg, f *file) bool { return !p.isMain() },
		find:  initFuncs,
	},
}

func TestStyle(t *testing.T) {
	needed := map[exception]bool{}
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, r := range rules {
				if !r.where(p, f) {
					continue
				}
				for _, n := range r.find(f.ast) {
					if e, ok := excepted(r.name, f.path); ok {
						needed[e] = true
						continue
					}
					t.Errorf("%s: %s; %s (or add an exception with its reason to %s)", f.at(n), r.name, r.next,
						tablesFile)
				}
			}
		}
	}
	for _, e := range exceptions {
		if !needed[e] {
			t.Errorf("%s: the exception of %s from %q is not needed any more; remove it", tablesFile, e.file, e.rule)
		}
		if e.why == "" {
			t.Errorf("%s: the exception of %s from %q has no reason; say why the rule is worse there", tablesFile,
				e.file, e.rule)
		}
	}
}

func excepted(rule, file string) (exception, bool) {
	i := slices.IndexFunc(exceptions, func(e exception) bool { return e.rule == rule && e.file == file })
	if i < 0 {
		return exception{}, false
	}
	return exceptions[i], true
}

// TestRulesFindBreaches keeps the rules honest: each finds exactly the lines
// marked with its name.
func TestRulesFindBreaches(t *testing.T) {
	const src = `package x
import (
	"context"
	stdtime "time"
)
type T struct {
	ctx context.Context // context in a struct
	fn  func(context.Context) error
}
var anonymous struct {
	context.Context // context in a struct
}
func init() {} // init function
func (T) init() {}
func f(other T) {
	_ = context.TODO() // context.TODO
	_ = context.Background() // context.Background
	g := context.Background // context.Background
	stdtime.Sleep(1) // time.Sleep in a test
	other.Sleep(1)
}
`
	a := parse(t, src)
	lines := strings.Split(src, "\n")
	for _, r := range rules {
		var want, got []int
		for i, line := range lines {
			if strings.HasSuffix(line, "// "+r.name) {
				want = append(want, i+1)
			}
		}
		for _, n := range r.find(a) {
			got = append(got, parsed.Position(n.Pos()).Line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: found in lines %v, want %v", r.name, got, want)
		}
	}
}

// parsed holds the positions of what parse gave.
var parsed = token.NewFileSet()

func parse(t *testing.T, src string) *ast.File {
	t.Helper()
	a, err := parser.ParseFile(parsed, "x.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// uses finds every mention of name from the package imported as path.
func uses(path, name string) func(*ast.File) []ast.Node {
	return func(a *ast.File) []ast.Node {
		var out []ast.Node
		local := importName(a, path)
		ast.Inspect(a, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name && isIdent(s.X, local) {
				out = append(out, n)
			}
			return true
		})
		return out
	}
}

// contextFields finds fields of structs whose type is context.Context.
func contextFields(a *ast.File) []ast.Node {
	var out []ast.Node
	local := importName(a, "context")
	ast.Inspect(a, func(n ast.Node) bool {
		s, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			if t, ok := f.Type.(*ast.SelectorExpr); ok && t.Sel.Name == "Context" && isIdent(t.X, local) {
				out = append(out, f)
			}
		}
		return true
	})
	return out
}

func initFuncs(a *ast.File) []ast.Node {
	var out []ast.Node
	for _, d := range a.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			out = append(out, f)
		}
	}
	return out
}

// importName gives the name a file calls an import of the standard library by;
// "" if it does not import it.
func importName(a *ast.File, path string) string {
	for _, i := range a.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p == path {
			if i.Name != nil {
				return i.Name.Name
			}
			return path[strings.LastIndex(path, "/")+1:]
		}
	}
	return ""
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && name != "" && i.Name == name
}
