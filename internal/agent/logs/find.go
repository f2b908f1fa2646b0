package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// usualDirs are where EMQX writes its log files: that of its archives and images, and
// that of its packages.
var usualDirs = []string{"/opt/emqx/log", "/var/log/emqx"}

// Find returns the directory with EMQX's log files: dir if it is not empty, otherwise the
// first of the usual ones that exists. If that directory cannot be used, Find returns it
// with an error that says why.
func Find(dir string) (string, error) {
	if dir != "" {
		return dir, readable(dir)
	}
	for _, dir := range usualDirs {
		if _, err := os.Stat(dir); err == nil || errors.Is(err, fs.ErrPermission) {
			return dir, readable(dir)
		}
	}
	return usualDirs[0], fmt.Errorf("found no directory of EMQX's log files (%s); name it with "+
		"--emqx-log-collection-dir",
		strings.Join(usualDirs, ", "))
}

// readable returns an error if the newest log file in a directory cannot be read.
func readable(dir string) error {
	d, err := Open(dir)
	if err != nil {
		return err
	}
	files, err := d.list()
	if err != nil {
		return err
	}
	c, err := d.open(files[len(files)-1])
	switch {
	case errors.Is(err, errMoved):
		return nil // it is being rotated
	case err != nil:
		return err
	}
	return c.Close()
}
