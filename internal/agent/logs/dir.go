package logs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Dir is the directory into which EMQX writes its log files. It may be missing, and
// come and go.
type Dir struct {
	path string
	zone *time.Location // of times that name none
}

// Open returns the reader of a directory, which must be an absolute path. It looks at
// nothing yet.
func Open(dir string) (*Dir, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%q is no absolute path of a directory of log files", dir)
	}
	return &Dir{path: filepath.Clean(dir), zone: time.Local}, nil
}

// Read calls yield with the lines that are wanted, the oldest first, and returns its
// error when it fails. Without Follow it returns after the last whole line, and with
// an error if the directory cannot be read or holds no log; one that has
// fs.ErrNotExist or fs.ErrPermission in its chain says so. With Follow it ends with
// ctx, and tells by Gaps what keeps it from reading. A slow yield delays reading.
// Several may read at a time.
func (d *Dir) Read(ctx context.Context, q Query, yield func(Line) error) error {
	return errors.ErrUnsupported
}
