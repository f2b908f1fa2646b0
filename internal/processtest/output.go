package processtest

import (
	"bytes"
	"strings"
	"sync"
)

// Output collects what a process prints. It may be read meanwhile.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String returns what was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Lines returns the whole lines that were printed so far.
func (o *Output) Lines() []string {
	lines := strings.Split(o.String(), "\n")
	return lines[:len(lines)-1]
}
