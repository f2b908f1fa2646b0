//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package sqlstore

import (
	"errors"
	"os"
)

// lock refuses: without it two processes could write to one database.
func lock(*os.File) error { return errors.ErrUnsupported }

// fileIdentity is not known here.
func fileIdentity(*os.File) string { return "" }

// asFolder leaves files to whom they belong.
func asFolder(string, ...string) error { return nil }
