package archtest

import (
	"go/ast"
	"strconv"
	"strings"
	"testing"
)

const tablesFile = "internal/archtest/tables_test.go"

func TestImportsWithinTheModule(t *testing.T) {
	eachImport(t, func(p pkg, f *file, imp string, spec *ast.ImportSpec) {
		if !strings.HasPrefix(imp+"/", module+"/") {
			return
		}
		if bad := checkInside(p, f.test, strings.TrimPrefix(imp, module+"/")); bad != "" {
			t.Errorf("%s: %s", f.at(spec), bad)
		}
	})
}

func TestImportsFromOutside(t *testing.T) {
	eachImport(t, func(p pkg, f *file, imp string, spec *ast.ImportSpec) {
		if strings.HasPrefix(imp+"/", module+"/") || isStandard(imp) {
			return
		}
		if bad := checkOutside(p, f.test, imp); bad != "" {
			t.Errorf("%s: %s", f.at(spec), bad)
		}
	})
}

// TestTables checks the tables themselves, so that a typing error in them
// does not silently allow or forbid something.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range layers {
		if seen[l.pkg] {
			t.Errorf("layers has two rows for %s; join them", l.pkg)
		}
		seen[l.pkg] = true
		for _, dep := range append(l.code, l.tests...) {
			if !hasRow(dep) {
				t.Errorf("layers: the row of %s names %s, which has no row of its own", l.pkg, dep)
			}
		}
	}
	for _, o := range outsides {
		if o.why == "" {
			t.Errorf("outsides: %s has no reason; say what it does that the standard library does not", o.prefix)
		}
		for _, p := range append(o.code, o.tests...) {
			if p != "..." && !hasRow(p) {
				t.Errorf("outsides: the row of %s names %s, which has no row in layers", o.prefix, p)
			}
		}
	}
}

// TestChecksFindBreaches keeps the checks honest: known breaches are found,
// known good imports are not.
func TestChecksFindBreaches(t *testing.T) {
	for _, c := range []struct {
		pkg  string
		test bool
		imp  string
		ok   bool
	}{
		{"ecp", false, module + "/sqlstore", false},
		{"ecp/fleet", true, module + "/sqlstore", true},
		{"ecp", true, module + "/k8sprovisioner", false},
		{"ecp", true, module + "/ecp/memstore", true},
		{"ecp", false, module + "/ecp/memstore", false},
		{"ecp", false, module + "/ecp/change", false},
		{"ecp/change", false, module + "/ecp/fleet", false},
		{"ecp/catalog", false, module + "/ecp/tenancy", false},
		{"ecp/tenancy", false, module + "/ecp/change", true},
		{"ecp/fleet", false, module + "/ecp/catalog", true},
		{"httpapi", false, module + "/cmd/ecpd", false},
		{"cmd/ecpd", false, module + "/cmd/other", false},
		{"cmd/ecpd", false, module + "/httpapi", true},
		{"cmd/ecpd", false, module + "/cmd/ecpd/internal/config", true},
		{"examples/x", false, module + "/internal/emqxlog", false},
		{"agentproto", true, module + "/ecp", false},
		{"internal/kubelab", false, module + "/ecp", false},
		{"internal/kubelab/podsim", false, module + "/emqxsim", true},
		{"notlisted", false, module + "/ecp", false},
		{"ecp", false, "k8s.io/api/core/v1", false},
		{"k8sprovisioner", false, "k8s.io/api/core/v1", true},
		{"k8sprovisioner", false, "k8s.iox/api", false},
		{"sqlstore", false, "modernc.org/sqlite/lib", true},
		{"ecp/memstore", true, "modernc.org/sqlite", false},
		{"ecp", false, "github.com/stretchr/testify/require", false},
		{"ecp", true, "github.com/stretchr/testify/require", true},
		{"ecp/ecptest", false, "pgregory.net/rapid", true},
		{"httpapi", false, "sigs.k8s.io/yaml", false},
		{"httpapi", true, "sigs.k8s.io/yaml", true},
		{"cmd/ecpd", false, "example.com/new", false},
	} {
		p := pkg{path: c.pkg, name: c.pkg[strings.LastIndex(c.pkg, "/")+1:]}
		bad := checkImport(p, c.test, c.imp)
		if (bad == "") != c.ok {
			t.Errorf("%s (test %t) imports %s: want allowed %t, got %q", c.pkg, c.test, c.imp, c.ok, bad)
		}
	}
}

// eachImport calls fn for every import of every file.
func eachImport(t *testing.T, fn func(pkg, *file, string, *ast.ImportSpec)) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				imp, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Errorf("%s: %v", f.at(spec), err)
					continue
				}
				fn(p, f, imp, spec)
			}
		}
	}
}

// checkImport gives what is wrong with an import that is not of the standard
// library, and what to do; "" if nothing.
func checkImport(p pkg, test bool, imp string) string {
	if inside, ok := strings.CutPrefix(imp, module+"/"); ok {
		return checkInside(p, test, inside)
	}
	return checkOutside(p, test, imp)
}

func checkInside(p pkg, test bool, dep string) string {
	row, ok := rowOf(p.path)
	if !ok {
		return p.path + " has no row in the table layers of " + tablesFile +
			"; add one that says which packages it may import"
	}
	if dep == p.path || strings.HasPrefix(dep, p.path+"/internal/") || anyMatches(row.code, dep) {
		return ""
	}
	if !test {
		return p.path + " may not import " + dep + "; move what it needs to a package it may import (" +
			orNone(row.code) + "), or change its row in " + tablesFile + " with the reason in the commit"
	}
	if anyMatches(row.tests, dep) || !anyMatches(standAlone, p.path) && anyMatches(testKit, dep) {
		return ""
	}
	return "tests of " + p.path + " may not import " + dep + "; use a fake of ecp/ecptest, or add it to the tests of " +
		"its row in " + tablesFile
}

func checkOutside(p pkg, test bool, imp string) string {
	for _, o := range outsides {
		if !matches(o.prefix+"/...", imp) {
			continue
		}
		if anyMatches(o.code, p.path) || (test || p.isTestKit()) && anyMatches(o.tests, p.path) {
			return ""
		}
		return p.path + " may not import " + imp + "; only " + orNone(o.code) + " may" + ifTests(o) +
			": put the call there behind an interface, or change the table outsides in " + tablesFile +
			" with the reason in the commit"
	}
	return imp + " is a new outside dependency; prefer the standard library, else add a row with the packages that " +
		"may import it" +
		" and the reason to the table outsides in " + tablesFile
}

func rowOf(p string) (layer, bool) {
	for _, l := range layers {
		if matches(l.pkg, p) {
			return l, true
		}
	}
	return layer{}, false
}

// hasRow says whether a path or pattern of a table is covered by a row.
func hasRow(pattern string) bool {
	_, ok := rowOf(strings.TrimSuffix(pattern, "/..."))
	return ok
}

// isStandard says whether an import path is of the standard library: those
// have no dot in their first element. "C" is not: it would need cgo.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return imp != "C" && !strings.Contains(first, ".")
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func ifTests(o outside) string {
	if len(o.tests) == 0 {
		return ""
	}
	return " and tests"
}
