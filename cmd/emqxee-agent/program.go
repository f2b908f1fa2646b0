package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/internal/agent/home"
	"github.com/openecp/openecp/internal/atomicfile"
)

// installedBinary is where install puts the program: where every user finds it,
// or into the home where that place cannot be written.
func (p *program) installedBinary(dir home.Dir) string {
	usual := filepath.Join(p.root, binaryPath)
	if writable(filepath.Dir(usual)) || os.Geteuid() == 0 || p.root != "" {
		return usual
	}
	return filepath.Join(string(dir), filepath.Base(binaryPath))
}

// programFile returns the file that the background process is to run: the
// installed one if it is the same program, since a downloaded file is often
// removed or not open to the agent's user.
func (p *program) programFile() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	installed := filepath.Join(p.root, binaryPath)
	if same, err := sameContent(self, installed); err == nil && same {
		return installed, nil
	}
	if !runnable(self) {
		return "", fail(exitNotAllowed, "emqxee-agent install puts it where it can be run, and is to be called first.",
			"the agent's user (%d) cannot run %s", os.Geteuid(), self)
	}
	return self, nil
}

// sameContent compares two files.
func sameContent(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	if infoA.Size() != infoB.Size() {
		return false, nil
	}
	sumA, errA := sumOf(a)
	sumB, errB := sumOf(b)
	return bytes.Equal(sumA, sumB), errors.Join(errA, errB)
}

func sumOf(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// copyProgram puts a copy of a file in place, at once and whole: a program that
// runs from there keeps the old one.
func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // a folder of programs
		return err
	}
	return atomicfile.WriteFrom(to, in, 0o755)
}
