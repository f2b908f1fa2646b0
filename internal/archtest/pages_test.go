package archtest

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// code finds what a page names as code of this module: `path/file.go`, and
// `pkg.Name` or `pkg.Name.Member`.
var code = regexp.MustCompile("`(?:([a-z0-9_]+(?:/[a-z0-9_]+)*\\.go)|([a-z0-9]+)\\.([A-Z]\\w*)(?:\\.([A-Z]\\w*))?)`")

// TestPagesNameWhatIsThere keeps documentation from naming code that was moved or
// renamed.
func TestPagesNameWhatIsThere(t *testing.T) {
	byName := map[string][]pkg{}
	for _, p := range packages(t) {
		byName[p.name] = append(byName[p.name], p)
	}
	dir := root(t)
	eachPage(t, func(name, text string) {
		for i, line := range strings.Split(text, "\n") {
			for _, m := range code.FindAllStringSubmatch(line, -1) {
				if !isNamed(dir, path.Dir(name), byName, m) {
					t.Errorf("%s:%d: names %s, which is not there; name what it is called now", name, i+1, m[0])
				}
			}
		}
	})
}

func TestMissingNamesAreFound(t *testing.T) {
	const src = `package x
type T struct{ Field int }
func (*T) Method() {}
type I interface{ Call() }
const Const = 1
func Func() {}
`
	byName := map[string][]pkg{"x": {{path: "x", name: "x",
		files: []*file{{path: "x/x.go", ast: parse(t, src), fset: parsed}}}}}
	for text, there := range map[string]bool{
		"`x.T`": true, "`x.T.Field`": true, "`x.T.Method`": true, "`x.I.Call`": true, "`x.Const`": true,
		"`x.Func`": true,
		"`x.Gone`": false, "`x.T.Gone`": false, "`x.I.Method`": false, "`y.Gone`": true,
		"`internal/archtest/doc.go`": true, "`internal/archtest/gone.go`": false, "`gone.go`": true,
	} {
		m := code.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s is not read as a name", text)
		} else if got := isNamed(root(t), "docs", byName, m); got != there {
			t.Errorf("%s: found %t, want %t", text, got, there)
		}
	}
}

// isNamed reports whether a file is there, seen from the root or from the page, or
// a package of that name has the name. A word with a dot that begins with no
// package of ours is not about the module.
func isNamed(dir, page string, byName map[string][]pkg, m []string) bool {
	if file := m[1]; file != "" {
		for _, from := range []string{dir, filepath.Join(dir, page)} {
			if _, err := os.Stat(filepath.Join(from, file)); err == nil || !strings.Contains(file, "/") {
				return true
			}
		}
		return false
	}
	all := byName[m[2]]
	return len(all) == 0 || slices.ContainsFunc(all, func(p pkg) bool {
		names := exportedNames(p)
		return slices.Contains(names, m[3]) && (m[4] == "" || slices.Contains(names, m[3]+"."+m[4]))
	})
}

// exportedNames lists what a package declares, with methods and fields as
// Type.Name.
func exportedNames(p pkg) []string {
	var out []string
	for _, f := range p.files {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					out = append(out, d.Name.Name)
				} else {
					out = append(out, receiver(d.Recv.List[0].Type)+"."+d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					out = append(out, specNames(s)...)
				}
			}
		}
	}
	return out
}

func specNames(s ast.Spec) (out []string) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			out = append(out, n.Name)
		}
	case *ast.TypeSpec:
		out = append(out, s.Name.Name)
		var members *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			members = t.Fields
		case *ast.InterfaceType:
			members = t.Methods
		default:
			return out
		}
		for _, m := range members.List {
			for _, n := range m.Names {
				out = append(out, s.Name.Name+"."+n.Name)
			}
		}
	}
	return out
}
