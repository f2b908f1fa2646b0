package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// writable reports whether this process may make files in a directory. A file
// system that is mounted read-only is not writable, whatever its modes.
func writable(dir string) bool {
	const writeAndSearch = 2 | 1
	return syscall.Access(dir, writeAndSearch) == nil
}

// runnable reports whether this process may run a file.
func runnable(file string) bool {
	const execute = 1
	return syscall.Access(file, execute) == nil
}

// ownerOf returns whom a file belongs to.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return os.Getuid(), os.Getgid()
	}
	return int(s.Uid), int(s.Gid)
}

// linksOf returns how many names a file has.
func linksOf(info fs.FileInfo) int {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return int(s.Nlink)
}

// becomeUser replaces root's rights by those of a user, in all threads, for the
// rest of the process.
func becomeUser(uid, gid int) error {
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return err
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	return syscall.Setresuid(uid, uid, uid)
}

// lockWhole locks a file for this process without waiting. The kernel drops the
// lock when the process ends, however it ends.
func lockWhole(f *os.File) error {
	return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
}

// whoLocks returns the process that holds a lock on a file, 0 if none does, and
// -1 if one does that cannot be seen from here (another container).
func whoLocks(f *os.File) (int, error) {
	l := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l); err != nil {
		return 0, err
	}
	switch {
	case l.Type == syscall.F_UNLCK:
		return 0, nil
	case l.Pid <= 0:
		return -1, nil
	}
	return int(l.Pid), nil
}

// isHeld reports whether locking failed because another process has the lock.
func isHeld(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES)
}

// inNewSession detaches a process from the terminal and from its caller's group.
func inNewSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endsWithParent lets the kernel end a process when the thread ends that started
// it: the caller must keep its goroutine on one thread (runtime.LockOSThread).
func endsWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// signalProcess sends a signal to a process that may be signalled: for root one of
// the owner, or one that runs this program. The number may have come from a file
// that the owner of a home writes, and any process may have got it meanwhile: what
// was looked at is what is signalled (a pidfd), or nothing.
func signalProcess(pid, owner int, s syscall.Signal) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer process.Release() //nolint:errcheck // nothing was started
	if os.Geteuid() == 0 && !runsFor(pid, owner) {
		return errForeign
	}
	if err := process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return syscall.ESRCH
}

var errForeign = errors.New("it is no agent, and does not belong to the owner of the agent's directory")

// runsFor reports whether a process belongs to a user, or runs this program. One that
// is gone does.
func runsFor(pid, owner int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Uid:" && fields[1] == strconv.Itoa(owner) {
			return true
		}
	}
	program, err := os.Readlink(filepath.Join(dir, "exe"))
	return err == nil && strings.HasPrefix(filepath.Base(program), filepath.Base(binaryPath))
}

// noLinks opens a file that others may have put there: no link is followed, and
// a pipe is not waited for.
const noLinks = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// hideTyping lets a terminal show nothing of what is typed.
func hideTyping(terminal *os.File) error {
	var t syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&t)))
	if errno == 0 {
		t.Lflag &^= syscall.ECHO
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TCSETS, uintptr(unsafe.Pointer(&t)))
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// overwrite puts x over the bytes of one of the strings of os.Args. They are the
// memory that /proc/PID/cmdline shows, so that ps shows x from then on.
func overwrite(s string) {
	if s == "" {
		return
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for i := range b {
		b[i] = 'x'
	}
}
