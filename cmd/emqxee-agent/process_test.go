package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests run the built program as its users do: as a process, with files,
// sockets and signals.

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if binary.dir != "" {
			_ = os.RemoveAll(binary.dir)
		}
		os.Exit(code)
	}))
}

// binary is the program under test, built once as it ships: static, and without the
// race detector.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

func built(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "emqxee-agent-test-"); binary.err == nil {
			binary.err = os.Chmod(binary.dir, 0o755) // another user runs it, too
		}
		if binary.err == nil {
			binary.err = buildFor(filepath.Join(binary.dir, "emqxee-agent"))
		}
	})
	require.NoError(t, binary.err)
	return filepath.Join(binary.dir, "emqxee-agent")
}

// buildFor builds the program as it ships, for another architecture if environ says
// so.
func buildFor(file string, environ ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // no test's own: all share it
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -X main.version=v0.0.0-test", "-o", file, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// place is where a test runs the program: a home, and variables.
type place struct {
	t       *testing.T
	program string
	home    string
	environ []string
	wrap    []string // command line before the program, as of unshare
	network *network // nil = the host's
}

// newPlace makes one whose agents are ended with the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, program: built(t), home: filepath.Join(t.TempDir(), "agent")}
	t.Cleanup(func() {
		p.run("stop")
		if t.Failed() {
			log, _ := os.ReadFile(p.file("log/agent.log"))
			t.Logf("log of %s:\n%s", p.home, log)
		}
	})
	return p
}

func (p *place) file(name string) string { return filepath.Join(p.home, name) }

// result is what a call of the program came to.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%s\nstderr:\n%s", r.code, r.stdout, r.stderr)
}

// command prepares a call.
func (p *place) command(args ...string) *exec.Cmd {
	line := append(slices.Clone(p.wrap), p.program)
	line = append(line, args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "EMQXEE_AGENT_HOME=" + p.home}, p.environ...)
	return cmd
}

// run calls the program and waits for its end.
func (p *place) run(args ...string) result { return p.runIn("", args...) }

// runIn does so with a standard input.
func (p *place) runIn(stdin string, args ...string) result {
	p.t.Helper()
	cmd := p.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = 40 * time.Second // what it left in the background must not hold its output
	var err error
	p.network.do(func() { err = cmd.Start() })
	require.NoError(p.t, err)
	stop := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer stop.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("emqxee-agent %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), fmt.Sprintf("%.4000s", stderr.String())}
}

// ok calls the program, which must succeed.
func (p *place) ok(args ...string) result {
	p.t.Helper()
	r := p.run(args...)
	require.Zero(p.t, r.code, "emqxee-agent %s: %s", strings.Join(args, " "), r)
	return r
}

// fails calls the program, which must end with a code and say something.
func (p *place) fails(code int, says string, args ...string) result {
	p.t.Helper()
	r := p.run(args...)
	require.Equal(p.t, code, r.code, "emqxee-agent %s: %s", strings.Join(args, " "), r)
	assert.Contains(p.t, r.stdout+r.stderr, says)
	return r
}

// eventually waits for a condition and says at the end what was seen last.
func eventually(t *testing.T, within time.Duration, what string, seen func() (bool, any)) {
	t.Helper()
	patience := max(within, time.Minute) // with the race detector on a loaded machine, what takes a second may take twenty
	var last any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		done, now := seen()
		if done {
			return
		}
		last = now
	}
	t.Fatalf("%s: not within %v; seen last: %v", what, patience, last)
}
