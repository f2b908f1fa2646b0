package agentproto

import (
	"net"
	"sync"
)

// coalescer joins small writes into larger ones. HTTP/2 writes a frame in pieces, and on
// WebSocket each piece would be a message, and a TLS record, of its own. Pieces that are
// written during an earlier write are sent together after it; no piece waits for others.
type coalescer struct {
	net.Conn

	mu      sync.Mutex
	room    sync.Cond
	pending []byte // from coalesceBuffers; nil if nothing waits
	busy    bool   // a flusher runs
	err     error  // of the write that failed; all later ones fail with it
}

var coalesceBuffers = sync.Pool{New: func() any { b := make([]byte, 0, coalesceBytes); return &b }}

func newCoalescer(conn net.Conn) *coalescer {
	c := &coalescer{Conn: conn}
	c.room.L = &c.mu
	return c
}

// Write takes a copy of p. An error of the connection shows at a later Write.
func (c *coalescer) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for done := 0; ; {
		if c.err != nil {
			return done, c.err
		}
		if c.pending == nil {
			c.pending = (*coalesceBuffers.Get().(*[]byte))[:0]
		}
		n := min(len(p)-done, cap(c.pending)-len(c.pending))
		c.pending = append(c.pending, p[done:done+n]...)
		done += n
		if !c.busy && len(c.pending) > 0 {
			c.busy = true
			go c.flush() // ends with what is pending now; Close waits for it
		}
		if done == len(p) {
			return done, nil
		}
		c.room.Wait()
	}
}

// flush writes what is pending until nothing is.
func (c *coalescer) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending != nil && c.err == nil {
		out := c.pending
		c.pending = nil
		c.room.Broadcast()
		c.mu.Unlock()
		_, err := c.Conn.Write(out)
		coalesceBuffers.Put(&out)
		c.mu.Lock()
		if err != nil {
			c.err = err
		}
	}
	c.busy = false
	c.room.Broadcast()
}

// drain waits until everything has been written, or a write has failed.
func (c *coalescer) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy {
		c.room.Wait()
	}
}
