package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Dir is the directory into which EMQX writes its log files. It may be missing, and it may
// appear and disappear later.
type Dir struct {
	path string
	zone *time.Location // of times without a zone
	poll time.Duration  // how often the directory is listed while a caller follows the log

	openFile func(path string, flags int, mode os.FileMode) (*os.File, error)
}

// Open returns the reader of a directory, which must be an absolute path. It opens nothing
// yet.
func Open(dir string) (*Dir, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%q is no absolute path of a directory of log files", dir)
	}
	return &Dir{path: filepath.Clean(dir), zone: time.Local, poll: pollEvery, openFile: os.OpenFile}, nil
}
