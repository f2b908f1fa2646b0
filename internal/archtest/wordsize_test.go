package archtest

import (
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgentFitsInto32Bits checks the types of the agent's packages with the sizes of ARMv6,
// where an int has 32 bits: a constant that is too large does not compile there. It is much
// faster than building the agent.
func TestAgentFitsInto32Bits(t *testing.T) {
	fset := token.NewFileSet()
	for _, err := range checkSizes(t, fset, goPackages(t, "GOARCH=arm", "./cmd/emqxee-agent")) {
		t.Error(err)
	}
}

// TestLargeConstantsAreFound checks that the test above would notice one.
func TestLargeConstantsAreFound(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.go", "package a\n\nfunc f(n int) bool { return n < 1<<31 }\n")
	large := built{ImportPath: module + "/a", Dir: dir, GoFiles: []string{"a.go"}}
	if errs := checkSizes(t, token.NewFileSet(), []built{large}); len(errs) != 1 {
		t.Fatalf("one constant is too large, and these were found: %v", errs)
	}
}

// built is the part of go list's answer that checkSizes needs.
type built struct {
	ImportPath string
	Dir        string
	GoFiles    []string
}

// goPackages lists a package of the module and what it imports.
func goPackages(t *testing.T, env, pkg string) (all []built) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles", pkg)
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p built
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// checkSizes checks the packages of the module and returns the errors about sizes. What they
// import has no types here, which leads to other errors.
func checkSizes(t *testing.T, fset *token.FileSet, all []built) (errs []error) {
	t.Helper()
	own := importer.ForCompiler(fset, "source", nil)
	for _, p := range all {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		cfg := types.Config{
			Sizes: types.SizesFor("gc", "arm"), FakeImportC: true, Importer: standardOnly{own},
			Error: func(err error) {
				if strings.Contains(err.Error(), "overflow") || strings.Contains(err.Error(), "cannot represent") {
					errs = append(errs, err)
				}
			},
		}
		_, _ = cfg.Check(p.ImportPath, fset, files, nil) // errors went to Error
	}
	return errs
}

// standardOnly imports packages of the standard library.
type standardOnly struct{ types.Importer }

// Import reports other packages as missing.
func (i standardOnly) Import(path string) (*types.Package, error) {
	if strings.Contains(strings.Split(path, "/")[0], ".") {
		return nil, os.ErrNotExist
	}
	return i.Importer.Import(path)
}
