package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// These tests run the built program as its users do: as a process, over HTTP,
// with signals.

func TestMain(m *testing.M) {
	standBetween()
	goleak.VerifyTestMain(labtest.M(m), goleak.Cleanup(func(code int) {
		if binary.dir != "" {
			_ = os.RemoveAll(binary.dir)
		}
		os.Exit(code)
	}))
}

// binary is the program under test, built once; without the race detector: it
// is what users run.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

func built(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "ecpd-test-"); binary.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // no test's own: all share it
		defer cancel()
		out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary.dir, ".").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	require.NoError(t, binary.err)
	return filepath.Join(binary.dir, "ecpd")
}

// output collects what a process prints, line by line.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
	line chan string  // gets every line while somebody waits
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) copy(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		o.mu.Lock()
		o.text.WriteString(s.Text() + "\n")
		o.mu.Unlock()
		select {
		case o.line <- s.Text():
		default:
		}
	}
}

// process is one run of the program.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed when the process has ended and all is read
	err            error         // valid once ended
}

// launch starts the program with these arguments and variables in dir.
func launch(t testing.TB, dir string, environ []string, args ...string) *process {
	t.Helper()
	return launchProgram(t, built(t), dir, environ, args...)
}

// launchProgram starts any program so.
func launchProgram(t testing.TB, name, dir string, environ []string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd:    exec.Command(name, args...),
		stdout: &output{line: make(chan string, 64)}, stderr: &output{},
		ended: make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environ...)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		var reading sync.WaitGroup
		reading.Go(func() { p.stdout.copy(stdout) })
		reading.Go(func() { p.stderr.copy(stderr) })
		reading.Wait()
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s\nstdout:\n%sstderr:\n%s", filepath.Base(name), strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// patience is how long anything is waited for at least: with the race detector on a
// loaded machine, what takes a second may take twenty.
const patience = time.Minute

// kill ends the process with SIGKILL and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended before
	<-p.ended
}

// wait gives the exit code, or fails when the process does not end in time.
func (p *process) wait(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(max(within, patience)):
		t.Fatalf("the process has not ended after %v", max(within, patience))
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatal(p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// terminate sends SIGTERM and gives exit code and how long the end took.
func (p *process) terminate(t *testing.T) (int, time.Duration) {
	t.Helper()
	began := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	code := p.wait(t, 20*time.Second)
	return code, time.Since(began)
}

// logs waits until the log of a process that runs has a text: it is read from
// another pipe than what the process prints, and may come later than an answer
// of its API.
func (p *process) logs(t *testing.T, text string) {
	t.Helper()
	eventually(t, 20*time.Second, func() (bool, string) {
		return strings.Contains(p.stderr.String(), text), text + " is not in the log:\n" + p.stderr.String()
	})
}

// ready waits for the ready line and gives the address in it.
func (p *process) ready(t testing.TB) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-p.stdout.line:
			if url, ok := strings.CutPrefix(line, "ecpd ready on "); ok {
				return url
			}
		case <-p.ended:
			t.Fatalf("the process ended (%v) before it was ready: %s", p.err, p.stderr)
		case <-timeout:
			t.Fatalf("no ready line after %v: %s%s", patience, p.stdout, p.stderr)
		}
	}
}
