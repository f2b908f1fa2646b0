package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeSecret puts a file in place at once and whole, for its owner only.
func writeSecret(name, content string) error { return replaceFile(name, []byte(content), 0o600) }

// replaceFile puts a file in place as a whole: nobody reads half of it, and a
// crash leaves the old one or the new one.
func replaceFile(name string, content []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
