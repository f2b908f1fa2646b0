package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

// answersWithin is how long start waits until the agent answers on its socket.
const answersWithin = 20 * time.Second

func (p *program) startCommand() *cobra.Command {
	return &cobra.Command{
		Use: "start", Short: "start the agent, if it does not run yet", Args: noArguments,
		Long: `Starts the agent and waits until it answers, at most 20 seconds.

Where the agent is installed as a service, systemd starts it. Elsewhere it runs in
the background under a supervisor, which starts it again when it crashes; nothing
starts it after a reboot. Its log is log/agent.log in the agent's directory.

It may be started before it is registered: it waits, and connects within a second
after emqxee-agent register.

` + exitHelp,
		Example: "  sudo emqxee-agent start\n  emqxee-agent start --home ~/second-agent    # one more beside it, for " +
			"another EMQX",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.ownHome(true)
			if err != nil {
				return err
			}
			return p.start(cmd.Context(), dir)
		},
	}
}

// start makes the agent run, however this host does that.
func (p *program) start(ctx context.Context, dir home.Dir) error {
	if s := p.service(dir); s.installed() {
		return p.startService(ctx, s, dir)
	}
	if err := p.dropRights(dir); err != nil {
		return err
	}
	if err := p.makeHome(dir); err != nil {
		return err
	}
	switch running, err := findRunning(dir); {
	case err != nil:
		return err
	case running.any():
		return p.alreadyRuns(ctx, dir)
	}
	line, code, err := p.spawnSupervisor(ctx, dir)
	switch {
	case err != nil:
		return err
	case line == readyLine:
		return p.afterStart(ctx, dir, "The agent runs as %s.")
	case code == exitHeld: // another start was a moment faster
		return p.alreadyRuns(ctx, dir)
	case line != "":
		return fail(exitFailed, "", "the agent did not start: %s", line)
	case code >= 0:
		return fail(exitFailed, "See "+dir.Log()+".", "the agent did not start, and has not said why (code %d)", code)
	}
	return fail(exitTimedOut, "It may still come up: see emqxee-agent status, and "+dir.Log()+".",
		"the agent has not answered within %v", answersWithin)
}

// alreadyRuns waits for the answer of an agent that somebody else has started.
func (p *program) alreadyRuns(ctx context.Context, dir home.Dir) error {
	if !until(answersWithin, func() bool { return ctx.Err() != nil || answers(ctx, dir) }) {
		return fail(exitTimedOut, "emqxee-agent restart ends it and starts it anew.",
			"the agent runs, but has not answered within %v", answersWithin)
	}
	return p.afterStart(ctx, dir, "The agent runs already, as %s.")
}

// afterStart tells that the agent runs, in a sentence about its process, and what
// comes next.
func (p *program) afterStart(ctx context.Context, dir home.Dir, sentence string) error {
	s, err := agent.ReadStatus(ctx, string(dir))
	if err != nil {
		return err
	}
	p.say(sentence, who(s.PID))
	if s.Phase == agent.PhaseUnregistered {
		p.say("It waits to be registered: emqxee-agent register …")
	} else {
		p.say("emqxee-agent status says how it stands.")
	}
	return nil
}

// spawnSupervisor starts the supervisor in the background and waits for the one
// line that it gives: readyLine, or what went wrong. code is the supervisor's exit
// code, or -1 while it runs.
func (p *program) spawnSupervisor(ctx context.Context, dir home.Dir) (line string, code int, err error) {
	file, err := p.programFile()
	if err != nil {
		return "", -1, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", -1, err
	}
	defer r.Close()
	cmd := exec.Command(file, "supervise", "--home", string(dir)) //nolint:noctx // it outlives this command
	cmd.Dir, cmd.Env = "/", withoutSecrets(os.Environ())
	cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{w}, inNewSession()
	if err = errors.Join(cmd.Start(), w.Close()); err != nil {
		return "", -1, err
	}
	_ = r.SetReadDeadline(time.Now().Add(answersWithin))
	stopped := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stopped()
	line, err = bufio.NewReader(r).ReadString('\n')
	if line = strings.TrimSpace(line); line == readyLine || errors.Is(err, os.ErrDeadlineExceeded) {
		return line, -1, errors.Join(ctx.Err(), cmd.Process.Release())
	}
	_ = cmd.Wait() // it has given its line, or closed the pipe: it is about to end
	return line, cmd.ProcessState.ExitCode(), ctx.Err()
}
