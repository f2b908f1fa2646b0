package main

import (
	"errors"
	"io/fs"
	"os"
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

// becomeUser gives up root's rights for those of a user, in all threads, for the
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

func signalProcess(pid int, s syscall.Signal) error { return syscall.Kill(pid, s) }

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
