package agentproto

import (
	"net"
	"sync"
)

// newsConn is the agent's connection below HTTP/2. It can send a newsFrame between two
// frames of HTTP/2.
type newsConn struct {
	net.Conn
	wrote func() // called after each write of HTTP/2; nil means that nothing is called

	mu  sync.Mutex // one write at a time; guards all below
	out frames
	due bool // a newsFrame is to be sent as soon as a frame has ended
}

// Write writes p, and then a newsFrame if one is due.
func (c *newsConn) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if c.wrote != nil {
		c.wrote()
	}
	return n, err
}

func (c *newsConn) write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.out.follow(p[:n])
	if err == nil {
		err = c.announceLocked()
	}
	return n, err
}

// announce sends a newsFrame, now or after the current frame. It may block as a write does.
func (c *newsConn) announce() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = true
	return c.announceLocked()
}

func (c *newsConn) announceLocked() error {
	if !c.due || !c.out.between() {
		return nil
	}
	c.due = false
	_, err := c.Conn.Write([]byte(newsFrame))
	return err
}

// announceReports announces each change of the reports until the connection or the agent
// ends. changed is closed by the first change that it has not seen.
func (s *served) announceReports(c *newsConn, ended <-chan struct{}, changed <-chan struct{}) {
	for {
		select {
		case <-changed:
		case <-ended:
			return
		case <-s.stop:
			return
		}
		changed = s.agent.cfg.Reports.changes() // before the announcement: a later change is announced again
		if c.announce() != nil {
			return // HTTP/2 gets the same error
		}
	}
}
