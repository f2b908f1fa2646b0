package emqxsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// files keeps states in a directory, in one file "<id>.json" each. A file is replaced as a
// whole, so that it is never half written, and is on disk when the call that wrote it
// returns.
type files struct{ dir string }

const (
	suffix     = ".json"
	unfinished = ".unfinished" // ends the name of a file that is being written
)

// openFiles reads every file of a directory. It creates the directory if it does not exist.
func openFiles(dir string) (*files, []state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make directory of simulated clusters: %w", err)
	}
	f := &files{dir}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read directory of simulated clusters: %w", err)
	}
	var states []state
	for _, entry := range list {
		id, ok := strings.CutSuffix(entry.Name(), suffix)
		if !ok || !ecp.ID(id).Valid() {
			continue
		}
		st, err := f.read(ecp.ID(id))
		if err != nil {
			return nil, nil, err
		}
		states = append(states, st)
	}
	return f, states, nil
}

func (f *files) path(id ecp.ID) string { return filepath.Join(f.dir, string(id)+suffix) }

func (f *files) read(id ecp.ID) (state, error) {
	b, err := os.ReadFile(f.path(id))
	if err != nil {
		return state{}, fmt.Errorf("read simulated cluster: %w", err)
	}
	var st state
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a file of a newer version: part of it would be lost
	if err := d.Decode(&st); err != nil {
		return state{}, fmt.Errorf("simulated cluster in %s cannot be used (remove the file to forget the cluster): %w",
			f.path(id), err)
	}
	if st.ID != id {
		return state{}, fmt.Errorf("simulated cluster in %s cannot be used (remove the file to forget the cluster): "+
			"it is of %q", f.path(id), st.ID)
	}
	return st, nil
}

// write stores a state, or removes the file if the cluster is absent. On nil files it does
// nothing.
func (f *files) write(st state) error {
	if f == nil {
		return nil
	}
	path := f.path(st.ID)
	if st.absent() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove simulated cluster: %w", err)
		}
		return f.sync()
	}
	b, err := json.MarshalIndent(st, "", "\t")
	if err != nil {
		return fmt.Errorf("encode simulated cluster: %w", err)
	}
	if err := writeSynced(path+unfinished, append(b, '\n')); err != nil {
		return fmt.Errorf("write simulated cluster: %w", err)
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		return fmt.Errorf("write simulated cluster: %w", err)
	}
	return f.sync()
}

// writeSynced writes a file and syncs it to disk.
func writeSynced(path string, b []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	return errors.Join(err, file.Sync(), file.Close())
}

// sync syncs the directory itself, which holds the names.
func (f *files) sync() error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return fmt.Errorf("sync simulated clusters: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync simulated clusters: %w", err)
	}
	return nil
}
