//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// noLinks are the flags for a file that another user may have created: no link is followed,
// and opening a pipe does not block.
const noLinks = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// Lock reserves the directory for this process until release is called. The error is a
// [*RunningError] if another process has it. It is a lock of the kernel, which ends with the
// process; the content of the file has no effect.
func (d Dir) Lock() (release func(), err error) {
	f, err := os.OpenFile(d.PID(), os.O_RDWR|os.O_CREATE|noLinks, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lock the agent's directory: %w", plain(err))
	}
	if err := lockPatiently(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &RunningError{Home: string(d), PID: pidIn(f)}
		}
		return nil, fmt.Errorf("lock %s: %w", d.PID(), err)
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("write %s: %w", d.PID(), plain(err))
		}
	}
	return func() {
		_ = f.Truncate(0) // a process id is given to others later
		f.Close()
	}, nil
}

// lockPatiently takes the lock of a file. [Dir.Running] shares it for a moment, which
// must not keep an agent from starting, however often it is asked: while the lock can
// be shared no agent has it.
func lockPatiently(f *os.File) (err error) {
	const tries, pause = 10, 20 * time.Millisecond // for an agent that is about to end
	const asked, pauseAsked = 5000, time.Millisecond
	for held, shared := 0, 0; held < tries && shared < asked; {
		if err = flock(f, syscall.LOCK_EX); !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		wait := pause
		if flock(f, syscall.LOCK_SH) == nil {
			_ = flock(f, syscall.LOCK_UN) // it is tried again whatever this says
			shared++
			wait = pauseAsked
		} else {
			held++
		}
		<-time.After(wait)
	}
	return err
}

// flock takes or releases the lock of a file without waiting.
func flock(f *os.File, how int) error { return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB) }

// Running returns the id of the process that uses the directory, or 0 if it has not written
// it yet, and reports whether there is one. It takes the lock only for a moment.
func (d Dir) Running() (pid int, running bool, err error) {
	f, err := os.OpenFile(d.PID(), os.O_RDONLY|noLinks, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, plain(err)
	}
	defer f.Close()
	switch err := flock(f, syscall.LOCK_SH); {
	case err == nil:
		return 0, false, nil // closing the file ends the lock
	case errors.Is(err, syscall.EWOULDBLOCK):
		return pidIn(f), true, nil
	default:
		return 0, false, fmt.Errorf("look at %s: %w", d.PID(), err)
	}
}

// pidIn returns the process id in the file, or 0 if there is none.
func pidIn(f *os.File) int {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino) //nolint:unconvert // its type differs between systems
	}
	return 0
}
