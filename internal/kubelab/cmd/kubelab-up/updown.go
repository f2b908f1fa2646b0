package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/openecp/openecp/internal/kubelab"
)

// Limits of waiting.
const (
	startLimit = 3 * time.Minute // of a start, programs built
	stopLimit  = 60 * time.Second
)

// up starts a background process unless there is one, and waits for it.
func up(ctx context.Context, p place, stdout io.Writer) error {
	if err := kubelab.Available(); err != nil {
		return err
	}
	// It is built in this process, so that the line it prints is seen.
	bin, err := kubelab.Build(ctx, nil)
	if err != nil {
		return err
	}
	held, err := p.held()
	if err != nil {
		return err
	}
	var child *background
	if !held {
		if child, err = spawn(p); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it took more than %v", startLimit))
	defer cancel()
	if err := ready(ctx, p, child); err != nil {
		return err
	}
	return greeting.Execute(stdout, map[string]string{
		"kubeconfig": p.kubeconfig(), "kubectl": filepath.Join(bin, "kubectl"), "log": p.log(),
	})
}

var greeting = template.Must(template.New("").Parse(`The test control plane is up. To use it:

  export KUBECONFIG={{.kubeconfig}}
  {{.kubectl}} get nodes

Behind every pod with the label openecp.io/cluster answers a simulated EMQX.
Its log is {{.log}}; ` + "`make kube-down`" + ` stops it.
`))

// background is a started process.
type background struct {
	proc *os.Process
	done chan struct{} // closed when it has ended
}

// spawn starts this program's run in a session of its own, so that neither the
// end of the shell nor its Ctrl-C reaches it.
func spawn(p place) (*background, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.Create(p.log())
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(exe, "-dir", string(p), "run") //nolint:noctx // it outlives the command that starts it
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", exe, err)
	}
	b := &background{cmd.Process, make(chan struct{})}
	go func() { // ends with this process at the latest
		defer close(b.done)
		_ = cmd.Wait() // the reason is in its log
	}()
	return b, nil
}

// ready waits until the control plane is ready. child is nil if another process has
// started it. If ready gives up, it ends the child.
func ready(ctx context.Context, p place, child *background) error {
	var ended <-chan struct{}
	if child != nil {
		ended = child.done
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, proc, alive, err := p.read(); err != nil {
			return err
		} else if alive {
			_ = proc.Release()
			if r.Ready {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			if child != nil {
				_ = child.proc.Signal(syscall.SIGTERM)
				<-ended
			}
			return fmt.Errorf("wait for the control plane: %w; see %s", context.Cause(ctx), p.log())
		case <-ended:
			// Perhaps another process holds the lock, and the child has ended for that.
			ended, child = nil, nil
		case <-tick.C:
		}
		if held, err := p.held(); err != nil {
			return err
		} else if !held && child == nil {
			return errors.New("the control plane ended while it started: " + lastLine(p.log()))
		}
	}
}

// lastLine returns the last line of a log.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// down ends the background process and waits for its end.
func down(ctx context.Context, p place, stdout io.Writer) error {
	held, err := p.held()
	if err != nil {
		return err
	}
	if !held {
		fmt.Fprintln(stdout, "The test control plane is not running.")
		return p.sweep()
	}
	if err := signalUntilFree(ctx, p, syscall.SIGTERM); err == nil || ctx.Err() != nil {
		return done(stdout, err)
	}
	// It hangs. The next start removes what it leaves.
	if err := signalUntilFree(ctx, p, syscall.SIGKILL); err != nil {
		return done(stdout, err)
	}
	return done(stdout, p.sweep())
}

func done(stdout io.Writer, err error) error {
	if err == nil {
		fmt.Fprintln(stdout, "The test control plane is stopped.")
	}
	return err
}

// signalUntilFree sends a signal to the process that holds the lock, once it is known
// for certain which one that is. It waits until the lock is free and the process is
// gone.
func signalUntilFree(ctx context.Context, p place, sig os.Signal) error {
	late := fmt.Errorf("it is still there after %v; see %s", stopLimit, p.log())
	ctx, cancel := context.WithTimeoutCause(ctx, stopLimit, late)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var told record // of the process that got the signal
	for {
		r, proc, alive, err := p.read()
		if err != nil {
			return err
		}
		if alive && told.Pid == 0 {
			if err := proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("stop the control plane: %w", err)
			}
			told = r
		}
		if alive {
			_ = proc.Release()
		}
		if held, err := p.held(); err != nil || !held && told.gone() {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop the control plane: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// gone reports whether the process of a record has ended. The zero record has none.
func (r record) gone() bool {
	birth, err := birthOf(r.Pid)
	return r.Pid == 0 || err != nil || birth != r.Birth
}
