package processtest

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	endTimeout  = 20 * time.Second // for the end of a process after a signal
	dumpTimeout = 5 * time.Second  // for a Go program to print its goroutines
)

// Process is a process that a test has started.
type Process struct {
	Cmd            *exec.Cmd
	Stdout, Stderr *Output // what it has printed, unless the command has places of its own

	ended chan struct{} // closed when the process has ended and all is read
	err   error         // of Cmd.Wait; valid once ended
}

// Start starts a command. The process is killed when the test ends.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := Begin(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p)
		}
	})
	return p
}

// Begin starts a command that its caller ends.
func Begin(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, Stdout: &Output{}, Stderr: &Output{}, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// String returns the command, how it ended, and what it has printed.
func (p *Process) String() string {
	state := "runs"
	if p.Ended() {
		state = p.Cmd.ProcessState.String()
	}
	line := strings.Join(append([]string{filepath.Base(p.Cmd.Path)}, p.Cmd.Args[1:]...), " ")
	return line + ": " + state + "\nstdout:\n" + p.Stdout.String() + "stderr:\n" + p.Stderr.String()
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.Cmd.Process.Pid }

// Signal sends a signal to the process. The test fails if the process has ended.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.Cmd.Process.Signal(s))
}

// End sends a signal to the process, unless it has ended, and waits for its end.
func (p *Process) End(s syscall.Signal) {
	_ = p.Cmd.Process.Signal(s) // it may have ended
	<-p.ended
}

// Kill ends the process with SIGKILL, unless it has ended.
func (p *Process) Kill() { p.End(syscall.SIGKILL) }

// Terminate sends SIGTERM and returns the exit code and how long the end took.
func (p *Process) Terminate(t testing.TB) (int, time.Duration) {
	t.Helper()
	began := time.Now()
	p.Signal(t, syscall.SIGTERM)
	code := p.Wait(t, endTimeout)
	return code, time.Since(began)
}

// Wait waits for the end of the process and returns its exit code. A process that has not
// ended in time prints its goroutines, and the test fails.
func (p *Process) Wait(t testing.TB, timeout time.Duration) int {
	t.Helper()
	timeout = max(timeout, patience)
	select {
	case <-p.ended:
	case <-time.After(timeout):
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT) // it may have ended just now
		select {
		case <-p.ended:
		case <-time.After(dumpTimeout):
		}
		t.Fatalf("the process has not ended after %v: %s", timeout, p)
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatal(p.err)
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Lines waits until the process has printed as many lines, and returns them.
func (p *Process) Lines(t testing.TB, n int) (lines []string) {
	t.Helper()
	p.prints(t, func() bool {
		lines = p.Stdout.Lines()
		return len(lines) >= n
	})
	return lines[:n]
}

// Line waits for a line that begins with a prefix, and returns what follows that.
func (p *Process) Line(t testing.TB, prefix string) (rest string) {
	t.Helper()
	p.prints(t, func() bool {
		for _, line := range p.Stdout.Lines() {
			if after, ok := strings.CutPrefix(line, prefix); ok {
				rest = after
				return true
			}
		}
		return false
	})
	return rest
}

// prints waits until what the process has printed is enough.
func (p *Process) prints(t testing.TB, enough func() bool) {
	t.Helper()
	Eventually(t, patience, func() (bool, any) {
		ended := p.Ended() // before what it has printed is read
		if enough() {
			return true, p
		}
		if ended {
			t.Fatalf("the process ended before it was ready: %s", p)
		}
		return false, p
	})
}

// Logs waits until a text is in what the process has printed to its standard error: that
// may come later than an answer of its API.
func (p *Process) Logs(t testing.TB, text string) {
	t.Helper()
	Eventually(t, endTimeout, func() (bool, string) {
		return strings.Contains(p.Stderr.String(), text), text + " is not in the log:\n" + p.Stderr.String()
	})
}
