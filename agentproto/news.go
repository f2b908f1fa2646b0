package agentproto

import (
	"net"
	"sync"
)

// newsConn is the agent's connection as HTTP/2 writes to it. It can send a newsFrame
// between two frames of HTTP/2.
type newsConn struct {
	net.Conn

	mu  sync.Mutex // one write at a time; guards all below
	out frames
	due bool // a newsFrame is to be sent as soon as a frame has ended
}

// Write writes p, and then what is due.
func (c *newsConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.out.follow(p[:n])
	if err == nil {
		err = c.tellLocked()
	}
	return n, err
}

// tell tells the server that there is news. It may wait as long as a write does.
func (c *newsConn) tell() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = true
	return c.tellLocked()
}

func (c *newsConn) tellLocked() error {
	if !c.due || !c.out.between() {
		return nil
	}
	c.due = false
	_, err := c.Conn.Write([]byte(newsFrame))
	return err
}

// tellNews tells the server of each change of the reports until the connection or the
// agent ends. changed is closed by the first change that it has not seen.
func (s *served) tellNews(c *newsConn, ended <-chan struct{}, changed <-chan struct{}) {
	for {
		select {
		case <-changed:
		case <-ended:
			return
		case <-s.stop:
			return
		}
		changed = s.agent.cfg.Reports.changes() // before it is told of: what comes later is told of again
		if c.tell() != nil {
			return // HTTP/2 will see the same
		}
	}
}
