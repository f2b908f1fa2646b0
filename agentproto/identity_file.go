package agentproto

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/internal/atomicfile"
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
	if err := atomicfile.Write(path, raw, 0o600); err != nil {
		return fmt.Errorf("keep the identity: %w", err)
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
