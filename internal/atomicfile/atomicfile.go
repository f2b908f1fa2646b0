// Package atomicfile replaces files whole or not at all: a reader sees the old
// content or the new one, and a full disk, a crash or a power failure leaves one of
// the two.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes data the content of a file, which need not exist, and sets its mode.
// Its folder must exist. If Write fails, the file is as it was.
func Write(name string, data []byte, mode fs.FileMode) error {
	return WriteFrom(name, bytes.NewReader(data), mode)
}

// WriteFrom is [Write] with the content that r holds until its end.
func WriteFrom(name string, r io.Reader, mode fs.FileMode) error {
	return replace(name, r, mode, createTemp)
}

// tempFile is the new file, which has another name until it is whole.
type tempFile interface {
	io.WriteCloser
	Chmod(fs.FileMode) error
	Sync() error
	Name() string
}

func createTemp(dir, pattern string) (tempFile, error) { return os.CreateTemp(dir, pattern) } // mode 0600

func replace(name string, r io.Reader, mode fs.FileMode, create func(dir, pattern string) (tempFile, error)) error {
	f, err := create(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return failed(name, err)
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // half of it is of no use
		return failed(name, err)
	}
	syncDir(filepath.Dir(name))
	return nil
}

// failed names the file that was to be written, and not the temporary one.
func failed(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("write %s: %w; the file is as it was", name, err)
}

// syncDir makes a new name outlive a power failure, where the file system can.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync() // not every file system can; the file is in place all the same
	_ = d.Close()
}
