package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/openecp/openecp/internal/atomicfile"
)

// largestFile bounds what is read of a file of the agent's own, in bytes.
const largestFile = 1 << 20

// WriteFile replaces a file: afterwards it holds data, or the error says why it
// still holds what it did.
func WriteFile(path string, data []byte) error { return atomicfile.Write(path, data, fileMode) }

// ReadFile reads a file of the agent's own, which is never large.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("%s is longer than %d bytes; it is not a file of the agent's", path, largestFile)
	}
	return data, nil
}

// WriteJSON replaces a file by the JSON of v.
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(path, append(data, '\n'))
}

// ReadJSON reads a file with secrets into v. Its errors say where the file is
// wrong and never what is in it; fs.ErrNotExist is among their causes where there
// is none.
func ReadJSON(path string, v any) error {
	data, err := ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		where := ""
		switch {
		case errors.As(err, &syntax):
			where = fmt.Sprintf(" at byte %d", syntax.Offset)
		case errors.As(err, &kind):
			where = fmt.Sprintf(": %s is of another type", kind.Field)
		}
		return fmt.Errorf("%s is not the JSON it should be%s", path, where)
	}
	return nil
}

// Stamp tells one content of a file from the next: when it was written, how long
// it is, and which file it is. The zero value is that of no file.
type Stamp struct {
	modified int64 // nanoseconds since 1970
	size     int64
	file     uint64
}

// StampOf looks at a file; one that is not there has the zero Stamp.
func StampOf(path string) (Stamp, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Stamp{}, nil
	case err != nil:
		return Stamp{}, err
	}
	return Stamp{modified: info.ModTime().UnixNano(), size: info.Size(), file: inode(info)}, nil
}
