package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEmbedderCompilesNothingElse builds a program in a module of its own that
// imports ecp, with no network and an empty module cache: what it compiles is
// the standard library, ecp, and what of it stands in a package of its own.
func TestEmbedderCompilesNothingElse(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.com/embedder\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+
		" => "+root(t)+"\n")
	write(t, dir, "main.go", `// Command embedder uses ecp and nothing else.
package main

import (
	"fmt"

	"`+module+`/ecp"
)

func main() { fmt.Println(ecp.HostedStates.States()) }
`)
	env := []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOMODCACHE=" + t.TempDir()}
	deps, err := goList(dir, env, "-deps", ".")
	if err != nil {
		t.Fatalf("%v\necp must import the standard library only; see what it imports: go list -deps ./ecp", err)
	}
	for _, d := range deps {
		own := []string{"example.com/embedder", module + "/ecp", module + "/ecp/internal/setting",
			module + "/internal/emqxlog"}
		if !d.Standard && !slices.Contains(own, d.ImportPath) {
			t.Errorf("who imports ecp compiles %s too; find out why with: go list -deps ./ecp", d.ImportPath)
		}
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "embedder"), ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building an outside module that imports ecp: %v\n%s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "embedder")).Output()
	if err != nil || !strings.Contains(string(out), "running") {
		t.Fatalf("the embedder printed %q, %v; it should list the states", out, err)
	}
}

// TestEmbedderWithItsOwnParts runs a program in a module of its own that has
// its own Store and its own Provisioner.
func TestEmbedderWithItsOwnParts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.com/embedder\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+
		" => "+root(t)+"\n")
	for _, file := range []string{"main.go", "store.go"} {
		text, err := os.ReadFile(filepath.Join("testdata", "embedder", file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, file, string(text))
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off",
		"GOMODCACHE="+t.TempDir())
	out, err := cmd.CombinedOutput()
	want := "create succeeded\nstop succeeded\nstart succeeded\ndelete succeeded\n"
	if err != nil || string(out) != want {
		t.Fatalf("the embedder printed %q, %v; it should print %q", out, err, want)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
