//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the file for this process, until it is closed or the process
// ends. errLocked: somebody else has it.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
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
