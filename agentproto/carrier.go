package agentproto

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// carrierConn is one connection as the multiplexer uses it, on either carrier. It knows
// how it ended: an orderly end is the carrier's own (close_notify of TLS, the close frame of WebSocket),
// which a process that is killed or a cable that is cut never sends.
type carrierConn struct {
	net.Conn
	kind Carrier

	orderly func() error // tells the other side, then closes
	abort   func() error // closes without a word

	heard atomic.Int64 // when a byte was read last, Unix nanoseconds
	bye   atomic.Bool  // Close is an orderly one
	onEnd func()       // called in a goroutine of its own by the first Close; nil = nothing; set before the multiplexer starts

	once  sync.Once
	ended chan struct{} // closed by Close

	mu    sync.Mutex
	cause error // of the first read that failed; nil while it lives, or if this side closed it
}

func newCarrierConn(kind Carrier, conn net.Conn, orderly, abort func() error) *carrierConn {
	c := &carrierConn{Conn: conn, kind: kind, orderly: orderly, abort: abort, ended: make(chan struct{})}
	c.heard.Store(time.Now().UnixNano())
	return c
}

// newDirectConn returns the carrier of a TLS connection that selected [ALPN].
func newDirectConn(conn *tls.Conn) *carrierConn {
	limitUnsent(conn.NetConn())
	return newCarrierConn(CarrierDirect, conn, conn.Close, conn.NetConn().Close)
}

// Read reads from the carrier and keeps what ended it.
func (c *carrierConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	if err != nil {
		c.fail(err)
	}
	return n, err
}

func (c *carrierConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ended: // this side closed it: the error is only the echo
	default:
		if c.cause == nil {
			c.cause = err
		}
	}
}

// Close ends the connection: silently, unless sayGoodbye was called before.
func (c *carrierConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.mu.Lock()
		close(c.ended)
		c.mu.Unlock()
		if c.bye.Load() {
			err = c.orderly()
		} else {
			err = c.abort()
		}
		if c.onEnd != nil {
			go c.onEnd()
		}
	})
	return err
}

// sayGoodbye makes the end an orderly one, whoever calls Close.
func (c *carrierConn) sayGoodbye() { c.bye.Store(true) }

// silentFor returns how long ago the last byte came.
func (c *carrierConn) silentFor() time.Duration {
	return time.Since(time.Unix(0, c.heard.Load()))
}

// ending returns how a connection that has ended did so, as far as the carrier
// knows. silence is the limit after which the multiplexer gives up.
func (c *carrierConn) ending(peer string, silence time.Duration) (clean bool, reason string) {
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	switch {
	case errors.Is(cause, io.EOF):
		return true, "the " + peer + " said goodbye"
	case errors.Is(cause, io.ErrUnexpectedEOF):
		return false, "the connection broke: the other side is gone without a goodbye"
	case cause != nil:
		return false, "the connection broke: " + cause.Error()
	case c.silentFor() > silence/2:
		return false, "nothing was heard of the " + peer + " for " + c.silentFor().Round(10*time.Millisecond).String()
	}
	return false, "the connection was closed because of a fault in what the " + peer + " sent"
}
