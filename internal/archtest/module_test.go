package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// pkg is one package of the module with all its files, those of other
// platforms and build tags too.
type pkg struct {
	path  string // below the module's root
	name  string
	files []*file
}

// file is one Go file as parsed.
type file struct {
	path string // below the root, with slashes
	test bool   // *_test.go
	ast  *ast.File
	fset *token.FileSet
}

// at gives the place of a node for a failure: file and line.
func (f *file) at(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	return f.path + ":" + strconv.Itoa(p.Line)
}

// isMain says that the package is a program.
func (p pkg) isMain() bool { return p.name == "main" }

// isTestKit says that the package exists for tests only, like ecptest.
func (p pkg) isTestKit() bool { return strings.HasSuffix(p.name, "test") }

// isHarness says that the package runs tests' surroundings: it is called from
// TestMain and t.Cleanup, where there is no context to take.
func (p pkg) isHarness() bool { return p.isTestKit() || matches("internal/kubelab/...", p.path) }

// isInternal says that nobody outside the module can import the package.
func (p pkg) isInternal() bool { return strings.Contains("/"+p.path+"/", "/internal/") }

// root gives the module's root directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// packages lists and parses the module once for all tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	dir := root(t)
	loadOnce.Do(func() { loaded, loadErr = load(dir) })
	if loadErr != nil {
		t.Fatalf("reading the module: %v", loadErr)
	}
	return loaded
}

var (
	loadOnce sync.Once
	loaded   []pkg
	loadErr  error
)

// listed is the part of go list's answer that is used here.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
}

func load(root string) ([]pkg, error) {
	list, err := goList(root, nil, "-e", "./...")
	if err != nil {
		return nil, err
	}
	var out []pkg
	for _, l := range list {
		p := pkg{path: strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/"), name: l.Name}
		if p.files, err = parseDir(root, l.Dir); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// parseDir parses every Go file of a directory, whatever its build constraints.
func parseDir(root, dir string) ([]*file, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var out []*file
	for _, name := range names {
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		a, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		out = append(out, &file{path: filepath.ToSlash(rel), test: strings.HasSuffix(name, "_test.go"), ast: a,
			fset: fset})
	}
	return out, nil
}

// goList runs go list -json in dir with the environment beside ours.
func goList(dir string, env []string, args ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Name,Standard"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New("go list " + strings.Join(args, " ") + ": " + strings.TrimSpace(stderr.String()))
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, l)
	}
}

// matches says whether a package path is the pattern, or below it where the
// pattern ends in "/..."; "..." matches everything.
func matches(pattern, p string) bool {
	if pattern == "..." {
		return true
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == tree || strings.HasPrefix(p, tree+"/")
	}
	return path.Clean(p) == pattern
}

func anyMatches(patterns []string, p string) bool {
	for _, pattern := range patterns {
		if matches(pattern, p) {
			return true
		}
	}
	return false
}
