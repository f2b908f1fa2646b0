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

// largestFile is the largest size of the agent's own files, in bytes.
const largestFile = 1 << 20

// WriteFile replaces a file as a whole. If it returns an error, the old file is unchanged.
func WriteFile(path string, data []byte) error { return atomicfile.Write(path, data, fileMode) }

// ReadFile reads one of the agent's own files. It returns an error for a large file.
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

// ReadJSON decodes a file with secrets into v. Its errors name the place in the file but do
// not quote it. If there is no file, the error is fs.ErrNotExist.
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

// Stamp identifies one content of a file by its time, its size and its inode. The zero value
// means that there is no file.
type Stamp struct {
	modified int64 // nanoseconds since 1970
	size     int64
	file     uint64
}

// StampOf returns the Stamp of a file, which is zero if there is none.
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
