package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

// running is what runs for a home: process ids as holder returns them.
type running struct{ supervisor, agent int }

func (r running) any() bool { return r.supervisor != 0 || r.agent != 0 }

func findRunning(dir home.Dir) (r running, err error) {
	if r.supervisor, err = holder(dir, supervisorLock); err != nil {
		return r, err
	}
	pid, runs, err := dir.Running()
	if runs && pid == 0 {
		pid = -1 // it has not told its number yet
	}
	r.agent = pid
	return r, err
}

// answers reports whether an agent answers on the socket of a home.
func answers(ctx context.Context, dir home.Dir) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := agent.ReadStatus(ctx, string(dir))
	return err == nil && s.Phase != agent.PhaseStopped
}

// endsWithin is how long stop waits before it kills: longer than the supervisor
// leaves the agent.
const endsWithin = 10 * time.Second

// endRunning ends what runs for a home, and reports whether anything did.
func endRunning(dir home.Dir) (bool, error) {
	found, err := findRunning(dir)
	if err != nil || !found.any() {
		return false, err
	}
	info, err := os.Stat(string(dir))
	if err != nil {
		return false, err
	}
	owner, _ := ownerOf(info)
	if err := signalAll(found, owner, syscall.SIGTERM); err != nil {
		return true, err
	}
	gone := func() bool {
		now, err := findRunning(dir)
		return err == nil && !now.any()
	}
	if until(endsWithin, gone) {
		return true, nil
	}
	left, err := findRunning(dir)
	if err != nil {
		return true, err
	}
	if err := signalAll(left, owner, syscall.SIGKILL); err != nil {
		return true, err
	}
	if !until(endsWithin, gone) {
		return true, fail(exitTimedOut, "", "%s has not ended, not even by SIGKILL",
			who(max(left.supervisor, left.agent)))
	}
	return true, nil
}

// signalAll sends a signal to the supervisor, which passes it on; to the agent
// itself where it has none, or when both are to be killed. owner is the home's.
func signalAll(r running, owner int, s syscall.Signal) error {
	targets := []int{r.supervisor}
	if r.supervisor == 0 || s == syscall.SIGKILL {
		targets = append(targets, r.agent)
	}
	for _, pid := range targets {
		if pid < 0 {
			return fail(exitNotAllowed, "Stop it where it was started.", "the agent of this directory is %s", who(pid))
		}
		if pid == 0 {
			continue
		}
		if err := signalProcess(pid, owner, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fail(exitNotAllowed, "Run it as the user that started the agent, or with sudo.",
				"end process %d: %w", pid,
				err)
		}
	}
	return nil
}
