package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/openecp/openecp/internal/agent/home"
)

// supervisorLock is the lock, in the home's run directory, of what starts the agent
// again where there is no systemd. The agent has one of its own. Who holds it is
// asked of the kernel, never read from a file: a number in a file may be another
// process by now.
const supervisorLock = "supervisor.lock"

// lock is a lock that this process holds until it ends.
type lock struct{ file *os.File }

// takeLock takes a lock of a home. If another process has it, held is that
// process as whoLocks returns it, and the lock is nil.
func takeLock(dir home.Dir, name string) (l *lock, held int, err error) {
	f, err := os.OpenFile(filepath.Join(string(dir), "run", name), os.O_RDWR|os.O_CREATE|noLinks, 0o600)
	if err != nil {
		return nil, 0, err
	}
	if err = lockWhole(f); err == nil {
		return &lock{f}, 0, nil
	}
	if isHeld(err) {
		held, err = whoLocks(f)
		if held == 0 { // it has just gone
			held = -1
		}
	}
	return nil, held, errors.Join(err, f.Close())
}

func (l *lock) release() error { return l.file.Close() }

// holder returns which process holds a lock of a home: 0 if none does, -1 if one
// does that cannot be seen from here.
func holder(dir home.Dir, name string) (int, error) {
	f, err := os.OpenFile(filepath.Join(string(dir), "run", name), os.O_RDWR|noLinks, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return whoLocks(f)
}

// who describes the holder of a lock for people.
func who(pid int) string {
	if pid < 0 {
		return "a process that is not visible from here, as of another container"
	}
	return fmt.Sprintf("process %d", pid)
}

// until waits for a condition, asking every 50 ms, and reports whether it came
// true in time.
func until(patience time.Duration, done func() bool) bool {
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(50 * time.Millisecond)
	}
	return true
}
