package agentproto

import (
	"net"
	"sync"
)

// cork joins the writes below a WebSocket into full TLS records. The WebSocket library masks
// and writes 4 KiB at a time; each piece would be a record and a system call of its own.
// Writes that are not between hold and release pass unchanged.
type cork struct {
	net.Conn

	mu   sync.Mutex
	held []byte // from recordBuffers; nil if writes pass
}

// recordBytes is the largest payload of a TLS record.
const recordBytes = 16 << 10

var recordBuffers = sync.Pool{New: func() any { b := make([]byte, 0, recordBytes); return &b }}

// hold makes Write gather until release.
func (c *cork) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = (*recordBuffers.Get().(*[]byte))[:0]
	}
}

// release writes what was gathered, and lets writes pass again.
func (c *cork) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return nil
	}
	err := c.flushLocked()
	buf := c.held
	c.held = nil
	recordBuffers.Put(&buf)
	return err
}

// Write writes p, or keeps a copy of it while writes are held back.
func (c *cork) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return c.Conn.Write(p)
	}
	for done := 0; ; {
		n := min(len(p)-done, cap(c.held)-len(c.held))
		c.held = append(c.held, p[done:done+n]...)
		done += n
		if done == len(p) {
			return done, nil
		}
		if err := c.flushLocked(); err != nil {
			return done, err
		}
	}
}

func (c *cork) flushLocked() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	c.held = c.held[:0]
	return err
}

// corkedConn makes each Write to a WebSocket as few records as it needs.
type corkedConn struct {
	net.Conn // the WebSocket
	cork     *cork
}

// Write writes one message.
func (c corkedConn) Write(p []byte) (int, error) {
	c.cork.hold()
	n, err := c.Conn.Write(p)
	if released := c.cork.release(); err == nil {
		err = released
	}
	return n, err
}
