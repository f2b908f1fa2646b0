package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent/home"
)

// exitHeld is the code of a supervisor that found another one at work.
const exitHeld = 10

// readyLine is what goes through the pipes when the agent answers on its socket.
const readyLine = "ready"

// How the supervisor starts an agent again that has ended.
const (
	firstPause  = time.Second
	longestWait = 30 * time.Second
	steady      = time.Minute     // an agent that ran for so long begins with firstPause again
	mayTake     = 8 * time.Second // to end, before it is killed
)

// superviseCommand is what start leaves in the background where there is no
// systemd. Its third file is a pipe to start: one line that says ready, or what
// the agent said when it could not start.
func (p *program) superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "supervise", Hidden: true, Args: noArguments,
		Short: "keep the agent running (what start leaves in the background)",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := &supervisor{starter: os.NewFile(3, "starter")}
			err := p.supervise(cmd.Context(), s)
			if err != nil && !errors.Is(err, errSilent) {
				s.tell(oneLine(err))
			}
			return err
		},
	}
}

func (p *program) supervise(ctx context.Context, s *supervisor) (err error) {
	if s.dir, err = p.findHome(); err != nil {
		return err
	}
	l, held, err := takeLock(s.dir, supervisorLock)
	if err != nil {
		return err
	}
	if held != 0 {
		return silent(exitHeld)
	}
	defer l.release() //nolint:errcheck // the process ends
	s.log = newLogFile(s.dir)
	defer s.log.close()
	return s.run(ctx)
}

// supervisor keeps one agent running.
type supervisor struct {
	dir     home.Dir
	log     *logFile
	starter *os.File // to the start command that waits; nil once it was told
}

// run starts the agent, and starts it again when it ends, until ctx ends. If the
// agent ends before it has once answered, run gives up: start says why.
func (s *supervisor) run(ctx context.Context) error {
	// The kernel ends the agent together with the thread that started it.
	runtime.LockOSThread()
	pause := firstPause
	for {
		began := time.Now()
		last, err := s.once(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the agent has ended because it was told to
		}
		if s.starter != nil {
			s.tell(cmp.Or(last, err.Error()))
			return silent(exitFailed)
		}
		if time.Since(began) >= steady {
			pause = firstPause
		}
		s.log.writeLine(fmt.Sprintf("%s emqxee-agent: the agent ended (%v); starting it again in %v",
			time.Now().UTC().Format(time.RFC3339), err, pause))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestWait)
	}
}

// once runs one agent to its end, and returns the last line it printed.
func (s *supervisor) once(ctx context.Context) (last string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return "", err
	}
	//nolint:noctx // watch ends it, in two steps
	cmd := exec.Command(self, "run", "--home", string(s.dir), "--ready-fd", "3")
	cmd.Env, cmd.SysProcAttr, cmd.ExtraFiles = withoutSecrets(os.Environ()), endsWithParent(), []*os.File{theirs}
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = theirs.Close()
	if err != nil {
		return "", errors.Join(err, ready.Close())
	}
	var helpers sync.WaitGroup
	ended := make(chan struct{})
	helpers.Go(func() { s.watch(cmd.Process, ctx.Done(), ended) })
	helpers.Go(func() { s.awaitReady(ready) })
	last = s.copyLog(out)
	err = cmd.Wait()
	close(ended)
	helpers.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return last, err
}

// awaitReady tells start when the agent says that it answers.
func (s *supervisor) awaitReady(from *os.File) {
	defer from.Close()
	if line, _ := bufio.NewReader(from).ReadString('\n'); line == readyLine+"\n" {
		s.tell(readyLine)
	}
}

// copyLog writes what the agent prints to the log, and returns the last line.
func (s *supervisor) copyLog(from io.Reader) (last string) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\n"); line != "" {
			s.log.writeLine(line)
			last = line
		}
		if err != nil {
			return last
		}
	}
}

// watch ends the agent when the supervisor is to end: by SIGTERM, and by SIGKILL
// when that has not helped in time.
func (s *supervisor) watch(agent *os.Process, stop, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-stop:
	}
	_ = agent.Signal(syscall.SIGTERM) // it may have ended just now
	select {
	case <-ended:
	case <-time.After(mayTake):
		_ = agent.Kill()
	}
}

// tell writes start its one line.
func (s *supervisor) tell(line string) {
	if s.starter == nil {
		return
	}
	_, _ = fmt.Fprintln(s.starter, line) // start may have stopped waiting
	_ = s.starter.Close()
	s.starter = nil
}
