package agentproto

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// goodbyeFrame is the last frame of a side that ends a connection on purpose. It is HTTP/2's
// answer to a PING that was never sent, which the other side's HTTP/2 skips. If a process is
// killed or a cable is cut, it is missing. The end of TLS does not show the difference:
// crypto/tls accepts a bare FIN as an end.
const goodbyeFrame = "\x00\x00\x08\x06\x01\x00\x00\x00\x00goodbye\n"

// carrierConn is the connection below HTTP/2, on either carrier. It records how it ended.
type carrierConn struct {
	net.Conn
	kind Carrier

	orderly func() error // closes after telling the other side
	abort   func() error // closes at once

	heard       atomic.Int64 // when a byte was read last, Unix nanoseconds
	bye         atomic.Bool  // Close is to be orderly
	multiplexed atomic.Bool  // HTTP/2 has begun
	onNews      func()       // called by Read when the agent announces reports; may be nil; set before HTTP/2 begins
	onEnd       func()       // called by the first Close, in its own goroutine; may be nil; set before HTTP/2 begins

	out  sync.Mutex // one write at a time; guards last
	last bool       // the goodbyeFrame is written: nothing may follow it

	in    frames // what Read has read since HTTP/2 began, if onNews is set
	once  sync.Once
	ended chan struct{} // closed by Close

	mu    sync.Mutex
	cause error  // of the first read that failed; nil while it lives, or if this side closed it
	tail  string // the last bytes that were read, if they begin or are a goodbyeFrame
}

func newCarrierConn(kind Carrier, conn net.Conn, orderly, abort func() error) *carrierConn {
	c := &carrierConn{Conn: conn, kind: kind, orderly: orderly, abort: abort, ended: make(chan struct{})}
	c.heard.Store(time.Now().UnixNano())
	return c
}

// newDirectConn returns the carrier of a TLS connection that selected [ALPN].
func newDirectConn(conn *tls.Conn) *carrierConn {
	limitUnsent(conn.NetConn())
	return newCarrierConn(CarrierDirect, conn, func() error { return closeOrderly(conn) }, conn.NetConn().Close)
}

// closeOrderly ends TLS and reads what is still on the way: closing a socket with unread
// bytes resets the connection, which may discard what was sent before.
func closeOrderly(conn *tls.Conn) error {
	_ = conn.CloseWrite()
	if half, ok := conn.NetConn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(goodbyePatience))
		_, _ = io.Copy(io.Discard, conn.NetConn())
	}
	return conn.NetConn().Close()
}

// Read reads from the carrier and records the error that ended it.
func (c *carrierConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
		c.remember(p[:n])
		if c.onNews != nil && c.in.follow(p[:n]) {
			c.onNews()
		}
	}
	if err != nil {
		c.fail(err)
	}
	return n, err
}

// Write writes to the carrier, and nothing more once the goodbyeFrame is written: what
// follows it would hide from the other side that the end is an orderly one.
func (c *carrierConn) Write(p []byte) (int, error) {
	c.out.Lock()
	defer c.out.Unlock()
	if c.last {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *carrierConn) writeGoodbye() {
	_ = c.SetWriteDeadline(time.Now().Add(goodbyePatience)) // the other side may read no more
	c.out.Lock()
	defer c.out.Unlock()
	c.last = true
	_, _ = c.Conn.Write([]byte(goodbyeFrame))
}

// remember keeps the last bytes if they may belong to a goodbyeFrame.
func (c *carrierConn) remember(p []byte) {
	if len(c.tail) == 0 && !mayBeGoodbye(p) { // nearly always
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.tail + string(p[max(0, len(p)-len(goodbyeFrame)):])
	c.tail = ""
	for n := min(len(all), len(goodbyeFrame)); n > 0; n-- {
		if all[len(all)-n:] == goodbyeFrame[:n] {
			c.tail = goodbyeFrame[:n]
			return
		}
	}
}

// mayBeGoodbye reports whether p ends inside a goodbyeFrame, or with one.
func mayBeGoodbye(p []byte) bool {
	return strings.IndexByte(goodbyeFrame, p[len(p)-1]) >= 0
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
			if c.multiplexed.Load() {
				c.writeGoodbye()
			}
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

// goodbyePatience is how long an orderly end may take if the other side does not read.
const goodbyePatience = time.Second

// sayGoodbye makes the next Close an orderly one.
func (c *carrierConn) sayGoodbye() { c.bye.Store(true) }

// silentFor returns how long ago the last byte came.
func (c *carrierConn) silentFor() time.Duration {
	return time.Since(time.Unix(0, c.heard.Load()))
}

// ending returns how the connection has ended, as far as the carrier knows. silence is the
// time after which HTTP/2 closes a silent connection.
func (c *carrierConn) ending(peer string, silence time.Duration) (clean bool, reason string) {
	c.mu.Lock()
	cause, said := c.cause, c.tail == goodbyeFrame
	c.mu.Unlock()
	switch {
	case said:
		return true, "the " + peer + " said goodbye"
	case errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF):
		return false, "the connection broke: the " + peer + " is gone without a goodbye"
	case (cause == nil || isTimeout(cause)) && c.silentFor() > silence/2:
		return false, "nothing was heard of the " + peer + " for " + c.silentFor().Round(10*time.Millisecond).String()
	case cause != nil:
		return false, "the connection broke: " + cause.Error()
	}
	return false, "the connection was closed because of a fault in what the " + peer + " sent"
}

// isTimeout reports whether a read ended at its deadline, such as that of the first bytes
// of HTTP/2. The WebSocket carrier makes a cancelled context of it.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled)
}
