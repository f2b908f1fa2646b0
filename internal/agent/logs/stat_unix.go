//go:build unix

package logs

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags open a file that somebody else may have put there: no link is followed,
// and a pipe is not waited for.
const openFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// supported: files have an identity of their own.
const supported = true

// statOf returns what the file system knows of a file beside its name.
func statOf(info fs.FileInfo) (fileID, owner) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, owner{}
	}
	//nolint:unconvert // their types differ between systems
	return fileID{uint64(s.Dev), uint64(s.Ino)}, owner{s.Uid, s.Gid}
}
