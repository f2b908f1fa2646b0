package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/internal/agent/home"
)

// checkSpace finds out whether the home takes what a registration leaves there,
// before a token is used that may be good for one use.
func checkSpace(dir home.Dir) error {
	const needed = 16 << 10 // bytes; both files are smaller
	f, err := os.CreateTemp(filepath.Dir(dir.Identity()), ".space-*")
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte{' '}, needed))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fail(classOf(err), nextOf(err),
			"the agent's directory %s takes no files; the token has not been used: %w",
			dir, err)
	}
	return nil
}

func classOf(err error) int {
	code, _ := classify(err)
	return code
}

func nextOf(err error) string {
	_, next := classify(err)
	return next
}
