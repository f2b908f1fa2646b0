package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// longestSocket is the longest path of a Unix socket, in bytes.
const longestSocket = 107

// Listen opens the socket, for the owner of the directory only. It replaces a socket of an
// earlier process, so it must be called while the lock is held.
func (d Dir) Listen() (net.Listener, error) {
	if err := os.Remove(d.Socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace the agent's socket: %w", plain(err))
	}
	var listener *net.UnixListener
	err := d.shortly(func(path string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the agent's socket %s: %w", d.Socket(), err)
	}
	listener.SetUnlinkOnClose(false) // the name may be another path's by then
	if err := os.Chmod(d.Socket(), fileMode); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("open the agent's socket: %w", plain(err))
	}
	return &socket{listener, d.Socket()}, nil
}

// socket removes its file when it is closed.
type socket struct {
	net.Listener
	path string
}

// Close closes the listener and removes its file.
func (s *socket) Close() error {
	_ = os.Remove(s.path)
	return s.Listener.Close()
}

// Dial connects to the agent that runs on the directory.
func (d Dir) Dial(ctx context.Context) (conn net.Conn, err error) {
	err = d.shortly(func(path string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}

// shortly calls fn with a path of the socket that is short enough for the kernel. If the
// directory's own is too long, that is the entry of the open directory in /proc.
func (d Dir) shortly(fn func(path string) error) error {
	if len(d.Socket()) <= longestSocket {
		return fn(d.Socket())
	}
	dir, err := os.Open(filepath.Dir(d.Socket()))
	if err != nil {
		return plain(err)
	}
	defer dir.Close()
	return fn(filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), filepath.Base(d.Socket())))
}
