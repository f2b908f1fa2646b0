package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// place is the folder of one background control plane. The process that runs it holds
// the lock, which the kernel releases however the process ends. The record names that
// process, and is valid only while the process lives.
type place string

func (p place) lock() string       { return filepath.Join(string(p), "lock") }
func (p place) record() string     { return filepath.Join(string(p), "running.json") }
func (p place) log() string        { return filepath.Join(string(p), "log") }
func (p place) kubeconfig() string { return filepath.Join(string(p), "kubeconfig") }

// record describes the process that runs.
type record struct {
	Pid   int
	Birth string // when the process began, in the kernel's ticks: pids are used again
	Ready bool
}

// self is the record of this process.
func self(ready bool) (record, error) {
	birth, err := birthOf(os.Getpid())
	return record{os.Getpid(), birth, ready}, err
}

// birthOf returns when a process began. A process that has ended and waits for its
// parent counts as gone.
func birthOf(pid int) (string, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	// The name before it may contain anything, including ")" and blanks.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const at = 19 // field 22 of the line; the name is field 2, the state 3
	if len(fields) <= at {
		return "", fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", os.ErrProcessDone
	}
	return fields[at], nil
}

// errHeld means that another process runs the control plane.
var errHeld = errors.New("it is running already")

// hold takes the lock until the file is closed.
func (p place) hold() (*os.File, error) {
	f, err := os.OpenFile(p.lock(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errHeld
		}
		return nil, err
	}
	return f, nil
}

// held reports whether a process runs the control plane.
func (p place) held() (bool, error) {
	f, err := p.hold()
	if errors.Is(err, errHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}

// write puts the record in place in one step.
func (p place) write(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := p.record() + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, p.record())
}

// read returns the record and its process. It returns false if there is no record or
// its process is gone.
func (p place) read() (record, *os.Process, bool, error) {
	var r record
	b, err := os.ReadFile(p.record())
	if errors.Is(err, os.ErrNotExist) {
		return r, nil, false, nil
	}
	if err != nil {
		return r, nil, false, err
	}
	if bad := json.Unmarshal(b, &r); bad != nil || r.Pid <= 0 {
		return r, nil, false, nil //nolint:nilerr // half a record is none: its writer has died
	}
	// The handle comes first: it stays with the process whose birth is then checked.
	proc, err := os.FindProcess(r.Pid)
	if err != nil {
		return r, nil, false, err
	}
	if birth, err := birthOf(r.Pid); err != nil || birth != r.Birth {
		_ = proc.Release()
		return r, nil, false, nil //nolint:nilerr // no process of that number, or another one: ours is gone
	}
	return r, proc, true, nil
}

// sweep removes the record and the kubeconfig of a run that is over.
func (p place) sweep() error {
	var errs []error
	for _, name := range []string{p.record(), p.kubeconfig()} {
		if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
