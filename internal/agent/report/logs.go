package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
)

// logDirs are where EMQX writes its log files: that of its archives and images, and
// that of its packages.
var logDirs = []string{"/opt/emqx/log", "/var/log/emqx"}

// logNames are how the names of EMQX's log files begin.
var logNames = []string{"emqx.log", "erlang.log"}

// FindLogs returns the directory with EMQX's log files: dir, else the first of the
// usual ones that is there. The error says what is wrong with it; the directory is
// then the one that was looked at.
func FindLogs(dir string) (string, error) {
	if dir != "" {
		return dir, readableLogs(dir)
	}
	for _, dir := range logDirs {
		if _, err := os.Stat(dir); err == nil || errors.Is(err, fs.ErrPermission) {
			return dir, readableLogs(dir)
		}
	}
	return logDirs[0], fmt.Errorf("found no directory of EMQX's log files (%s); name it with --emqx-log-collection-dir", strings.Join(logDirs, ", "))
}

// readableLogs returns why log files in a directory cannot be read.
func readableLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return logError(dir, err)
	}
	for _, e := range entries {
		if e.IsDir() || !isLog(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			return logError(path, err)
		}
		f.Close()
		return nil
	}
	return fmt.Errorf("there is no log file of EMQX in %s; let EMQX log to files (log.to = file in 4.4, log.file.enable = true in 5.x), or name the right directory with --emqx-log-collection-dir", dir)
}

func isLog(name string) bool {
	for _, begin := range logNames {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

func logError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there; name the directory of EMQX's log files with --emqx-log-collection-dir", path)
	case errors.Is(err, fs.ErrPermission):
		return &forbidden{path}
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}

// forbidden says that a log file or its directory may not be read.
type forbidden struct{ path string }

func (e *forbidden) Error() string {
	return fmt.Sprintf("%s cannot be read by the user the agent runs as (uid %d); add that user to the group of the log files", e.path, os.Getuid())
}

// Unwrap is fs.ErrPermission.
func (e *forbidden) Unwrap() error { return fs.ErrPermission }

// logs fills in what is known of log files.
func logs(s broker.Settings, out *agentproto.Report) []agentproto.ReportError {
	if !s.LogCollection {
		return nil
	}
	dir, err := FindLogs(s.LogDir)
	if err == nil {
		out.Logs = dir
		return nil
	}
	code := agentproto.CodeUnreachable
	if errors.Is(err, fs.ErrPermission) {
		code = agentproto.CodeAuthFailed
	}
	return []agentproto.ReportError{{Stage: agentproto.StageLogsFetch, Code: code, Message: short(err.Error(), mostMessage)}}
}
