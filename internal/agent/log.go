package agent

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/openecp/openecp/internal/agent/home"
)

// mostLog is the largest size of the log file, in bytes. A full one replaces agent.log.1.
const mostLog = 10 << 20

// underSystemd reports whether systemd collects what the process prints.
func underSystemd(getenv func(string) string) bool {
	return getenv("JOURNAL_STREAM") != "" || getenv("INVOCATION_ID") != ""
}

// newLogger returns the logger of an agent and its log file, if it has one.
func newLogger(c Config, dir home.Dir) (log *slog.Logger, file *logFile) {
	if c.Logger != nil {
		return c.Logger, nil
	}
	o := &slog.HandlerOptions{Level: c.Level}
	if underSystemd(c.Getenv) {
		return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
	}
	file = &logFile{path: dir.Log(), most: mostLog, now: c.Now}
	return slog.New(slog.NewTextHandler(file, o)), file
}

// logFile is a log file that is renamed when it is full. If the disk is full, or the directory
// missing, lines are lost; later lines are written as soon as that works again.
type logFile struct {
	path string
	most int64
	now  func() time.Time

	mu    sync.Mutex
	f     *os.File // guarded by mu; nil means not open
	size  int64    // guarded by mu
	lost  int      // guarded by mu: lines since the last one that was written
	why   error    // guarded by mu: of the last one that was not
	retry time.Time
}

var _ io.WriteCloser = (*logFile)(nil)

// Write appends a line. It never returns an error, which its callers could not handle.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil && l.now().Before(l.retry) {
		l.lost++
		return len(line), nil
	}
	if l.why = l.writeLocked(line); l.why != nil {
		l.lost++
		l.retry = l.now().Add(time.Second)
		l.closeLocked()
	}
	return len(line), nil
}

func (l *logFile) writeLocked(line []byte) error {
	if l.f != nil && l.size+int64(len(line)) > l.most {
		l.closeLocked()
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return err
		}
	}
	if l.f == nil {
		if err := l.openLocked(); err != nil {
			return err
		}
	}
	if l.lost > 0 {
		n, err := fmt.Fprintf(l.f, "time=%s level=WARN msg=\"lines could not be written\" lost=%d\n",
			l.now().Format(time.RFC3339), l.lost)
		if l.size += int64(n); err != nil {
			return err
		}
		l.lost = 0
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	return err
}

func (l *logFile) openLocked() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, info.Size()
	return nil
}

func (l *logFile) closeLocked() {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}

// Close closes the file. A later Write opens it again.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
	return nil
}

// problem returns why lines cannot be written. It is empty if they can.
func (l *logFile) problem() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		return ""
	}
	return fmt.Sprintf("the log cannot be written (%v); %d lines were lost", l.why, l.lost)
}
