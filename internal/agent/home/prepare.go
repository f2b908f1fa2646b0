package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The modes of the agent's directories and files: only their owner may use them.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
	others   fs.FileMode = 0o077
)

// Prepare creates the directory and those below it, and removes the rights of other users to
// them and their files. It returns a sentence for each change.
func (d Dir) Prepare() (mended []string, err error) {
	if !filepath.IsAbs(string(d)) {
		return nil, fmt.Errorf("the agent's directory %q is not an absolute path; give one that begins with /",
			string(d))
	}
	for _, dir := range append([]string{""}, folders...) {
		path := d.join(dir)
		if err := os.MkdirAll(path, dirMode); err != nil {
			return mended, fmt.Errorf("make the agent's directory: %w; run as a user who may write there, or choose "+
				"another "+
				"with --home or %s", plain(err), Variable)
		}
		said, err := mend(path, dirMode, true)
		mended = append(mended, said...)
		if err != nil {
			return mended, err
		}
	}
	for _, path := range []string{d.Identity(), d.Broker(), d.Settings(), d.Log(), d.PID()} {
		said, err := mend(path, fileMode, false)
		mended = append(mended, said...)
		if err != nil {
			return mended, err
		}
	}
	return mended, nil
}

// mend removes the rights of other users to a path. It does nothing if there is no file.
func mend(path string, mode fs.FileMode, dir bool) ([]string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look at the agent's files: %w", err)
	case dir && info.Mode()&fs.ModeSymlink != 0: // an administrator's choice of another disk
		if info, err = os.Stat(path); err != nil {
			return nil, fmt.Errorf("look at the agent's files: %w", err)
		}
	}
	if info.IsDir() != dir || !dir && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a %s; move it away", path,
			map[bool]string{true: "directory", false: "regular file"}[dir])
	}
	if info.Mode().Perm()&others == 0 {
		return nil, nil
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, fmt.Errorf("others can read %s (mode %04o) and that cannot be changed: %w; run `chmod %04o %s` "+
			"as its owner", path, info.Mode().Perm(), plain(err), mode, path)
	}
	return []string{fmt.Sprintf("others could use %s (mode %04o); it has mode %04o now", path, info.Mode().Perm(),
		mode)}, nil
}

// KeepPrivate removes the rights of other users to a file with secrets. (Some volumes are
// mounted with such rights.) It returns an error if it cannot, or if there is no such file.
func KeepPrivate(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	_, err := mend(path, fileMode, false)
	return err
}

// plain returns the error of a file without the operation and the path, which the message
// around it has.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
