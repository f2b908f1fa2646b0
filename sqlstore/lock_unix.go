//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the file for this process, until it is closed or the process
// ends. ErrHeld: somebody else has it.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrHeld
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
}

// fileIdentity tells a file from every copy of it.
func fileIdentity(f *os.File) string {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// asFolder hands files to the owner of the folder, where root has made them for
// somebody else.
func asFolder(dir string, files ...string) error {
	info, err := os.Stat(dir)
	if err != nil || os.Getuid() != 0 {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	for _, file := range files {
		if err := os.Lchown(file, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return nil
}
