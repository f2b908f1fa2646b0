package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/openecp/openecp/internal/agent/home"
)

// logFile is the log of a supervised agent: a file of at most maxLog bytes, and
// the one before it with the ending .1. What cannot be written is counted, not
// waited for: a full disk must not stop the agent.
type logFile struct {
	name string

	mu   sync.Mutex
	file *os.File // guarded by mu; nil until the first line, and after a failure
	size int64    // guarded by mu
	lost int      // guarded by mu; lines that could not be written
}

const maxLog = 5 << 20 // bytes; some days of an agent that is in trouble

func newLogFile(dir home.Dir) *logFile {
	return &logFile{name: dir.Log()}
}

// writeLine appends one line, which ends without a newline.
func (l *logFile) writeLine(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.appendLocked(line + "\n"); err != nil {
		l.lost++
	}
}

func (l *logFile) appendLocked(text string) error {
	if l.size+int64(len(text)) > maxLog {
		l.closeLocked()
		_ = os.Rename(l.name, l.name+".1") // where it cannot, the file just grows
	}
	if l.file == nil {
		f, err := os.OpenFile(l.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		l.file, l.size = f, 0
		if info, err := f.Stat(); err == nil {
			l.size = info.Size()
		}
	}
	if l.lost > 0 {
		text = fmt.Sprintf("(%d lines before this could not be written)\n%s", l.lost, text)
	}
	n, err := l.file.WriteString(text)
	l.size += int64(n)
	if err != nil {
		l.closeLocked()
		return err
	}
	l.lost = 0
	return nil
}

func (l *logFile) closeLocked() {
	if l.file != nil {
		_ = l.file.Close() // what was written stands; a failure of writing was seen then
		l.file, l.size = nil, 0
	}
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
}
