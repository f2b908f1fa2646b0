//go:build !linux

package podsim

import "syscall"

// anyAddress does nothing: labs run on Linux only.
func anyAddress(_, _ string, _ syscall.RawConn) error { return nil }
