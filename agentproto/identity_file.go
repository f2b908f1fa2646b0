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

// ErrIdentityReplaced is returned by [UpdateIdentity] if the file holds another
// identity: the agent was registered again in the meantime.
var ErrIdentityReplaced = errors.New("the file holds another identity by now")

// WriteIdentity stores an identity with its key in a file that only its owner can
// read. It creates missing directories, for the owner only. The file is replaced as a
// whole: if WriteIdentity fails, on a full disk for example, the old file is unchanged.
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

// UpdateIdentity stores what a running agent has learned about its server. If the file
// holds another agent, key or server, UpdateIdentity leaves it alone and returns
// ErrIdentityReplaced. If there is no file, it creates none and returns an error that
// is [fs.ErrNotExist].
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

// ReadIdentity reads the file that WriteIdentity wrote. If there is none, the error is
// [fs.ErrNotExist]: the agent is not registered. If other users can read the file (some
// volumes are mounted that way), ReadIdentity removes that right, and returns an error
// if it cannot. It does not follow symbolic links: root, reading for another user, would
// change the mode of any file that this user chooses.
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

// keepPrivate removes the rights of other users to an open file.
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
		return fmt.Errorf("others can read the key in %s (mode %04o), and that cannot be changed: %w; as its owner "+
			"run: "+
			"chmod 600 %s",
			f.Name(), info.Mode().Perm(), err, f.Name())
	}
	return nil
}
