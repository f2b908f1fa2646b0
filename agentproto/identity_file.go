package agentproto

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrIdentityReplaced is returned by [UpdateIdentity] where the file holds
// another identity: the agent was registered again in the meantime.
var ErrIdentityReplaced = errors.New("the file holds another identity by now")

// WriteIdentity stores an identity with its key in a file that its owner only
// can read. Missing directories are made for the owner only. The file is
// replaced as a whole: whatever fails, a disk that is full too, the old one
// stays as it was.
func WriteIdentity(path string, id Identity) error {
	raw, err := encodeIdentity(id)
	if err != nil {
		return fmt.Errorf("write the identity: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the identity: %w", err)
	}
	if err := replaceFile(path, raw, createTemp); err != nil {
		return fmt.Errorf("write the identity (the file before is unchanged): %w", err)
	}
	return nil
}

// UpdateIdentity writes what a running agent learned of its server. It writes
// nothing and returns ErrIdentityReplaced if the file holds another agent, key
// or server, and nothing if the file is gone.
func UpdateIdentity(path string, id Identity) error {
	stored, err := ReadIdentity(path)
	if err != nil {
		return err
	}
	if stored.Agent != id.Agent || !stored.Key.Equal(id.Key) || stored.Server != id.Server {
		return fmt.Errorf("update the identity in %s: %w", path, ErrIdentityReplaced)
	}
	return WriteIdentity(path, id)
}

// ReadIdentity reads what WriteIdentity wrote. A file that does not exist is
// [fs.ErrNotExist]: the agent is not registered. Rights that others have to the
// file (some volumes give them at every mount) are taken away; if they cannot
// be, the file is refused. A symbolic link is refused too: root, who reads it for
// another user, would change the rights of a file of that user's choice.
func ReadIdentity(path string) (Identity, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noLinks, 0)
	if err != nil {
		return Identity{}, fmt.Errorf("read the identity: %w", err)
	}
	defer f.Close()
	if err := keepPrivate(f); err != nil {
		return Identity{}, fmt.Errorf("read the identity: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxIdentity+1))
	if err == nil && len(raw) > maxIdentity {
		err = fmt.Errorf("it is larger than %d bytes", maxIdentity)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read the identity in %s: %w", path, err)
	}
	id, err := decodeIdentity(raw)
	if err != nil {
		return Identity{}, fmt.Errorf("read the identity in %s: %w; register the agent again", path, err)
	}
	return id, nil
}

// keepPrivate takes rights of others away from an open file.
func keepPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("not a file")}
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("others can read the key in %s (mode %04o), and that cannot be changed: %w; as its owner run: chmod 600 %s",
			f.Name(), info.Mode().Perm(), err, f.Name())
	}
	return nil
}

// tempFile is a new file that takes the place of an old one when it is whole.
type tempFile interface {
	io.WriteCloser
	Sync() error
	Name() string
}

func createTemp(dir, pattern string) (tempFile, error) { return os.CreateTemp(dir, pattern) } // mode 0600

// replaceFile writes a file beside path, makes sure that it is on the disk, and
// renames it.
func replaceFile(path string, content []byte, create func(dir, pattern string) (tempFile, error)) error {
	f, err := create(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename last through a loss of power. Where directories cannot
// be synced it does nothing.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // the file is in place; only its durability is not known
	}
	defer d.Close()
	_ = d.Sync() // not every file system can
	return nil
}
