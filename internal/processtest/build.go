package processtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildTimeout bounds one build, on a busy machine with an empty cache.
const buildTimeout = 10 * time.Minute

// shared holds what the tests of this binary have built.
var shared struct {
	mu     sync.Mutex
	dir    string           // guarded by mu; empty until something is built
	builds map[string]built // guarded by mu
}

// built is what one build came to.
type built struct {
	dir string
	err error
}

// Exit removes what was built and ends the test binary. It is for goleak.Cleanup.
func Exit(code int) {
	Clean()
	os.Exit(code)
}

// Clean removes what was built. It is for a TestMain that ends in another way than by Exit.
func Clean() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	_ = os.RemoveAll(shared.dir) // nothing if it is empty
}

// Program builds the program of a package, such as "./cmd/ecpd", and returns its file. It
// is built once for the test binary, as users get it: static, and without the race
// detector. Flags are further flags of go build.
func Program(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	key := fmt.Sprint(pkg, flags)
	dir := once(t, key, "", func(dir string) error { return BuildProgram(dir, pkg, flags...) })
	return filepath.Join(dir, path.Base(pkg))
}

// Agents builds the agent as "make agents" does, for this machine and for other
// architectures, each once for the test binary, and returns their directory.
func Agents(t testing.TB, others ...string) (dir string) {
	t.Helper()
	for _, arch := range append([]string{runtime.GOARCH}, others...) {
		dir = once(t, "agent for "+arch, "agents", func(dir string) error { return BuildAgents(dir, arch) })
	}
	return dir
}

// Agent returns the file of the agent for an architecture, which it builds as Agents does.
func Agent(t testing.TB, arch string) string {
	t.Helper()
	return filepath.Join(Agents(t, arch), "emqxee-agent-linux-"+arch)
}

// BuildProgram builds the program of a package into a directory.
func BuildProgram(dir, pkg string, flags ...string) error {
	return inRoot(append(append([]string{"go", "build", "-trimpath"}, flags...), "-o", dir+"/", pkg)...)
}

// BuildAgents builds the agent for some architectures into a directory.
func BuildAgents(dir string, arches ...string) error {
	return inRoot(append([]string{"tools/agents.sh", dir}, arches...)...)
}

// once builds something, unless this test binary has done so, and returns the directory
// that holds it. An empty name stands for a directory of its own.
func once(t testing.TB, key, name string, build func(dir string) error) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	b, done := shared.builds[key]
	if !done {
		if name == "" {
			name = strconv.Itoa(len(shared.builds))
		}
		if b.dir, b.err = sharedDir(name); b.err == nil {
			b.err = build(b.dir)
		}
		shared.builds[key] = b
	}
	require.NoError(t, b.err)
	return b.dir
}

// sharedDir returns a directory for what is built. Other users can run what is in it:
// some tests do that. Its caller holds shared.mu.
func sharedDir(name string) (string, error) {
	if shared.dir == "" {
		dir, err := os.MkdirTemp("", "openecp-test-")
		if err != nil {
			return "", err
		}
		shared.dir, shared.builds = dir, map[string]built{}
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds programs only
			return "", err
		}
	}
	dir := filepath.Join(shared.dir, name)
	return dir, os.MkdirAll(dir, 0o755) //nolint:gosec // as above
}

// inRoot runs a command in the root of the module.
func inRoot(args ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	// The context is no test's own: all tests share what is built.
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// moduleRoot returns the root of the module that the test is of.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the test runs in no Go module")
		}
		dir = filepath.Dir(dir)
	}
}
