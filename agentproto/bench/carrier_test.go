package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// What stands here is the least that yamux needs to be compared on the same two
// carriers, tuned as agentproto's are; who an agent is, is not proved.

const (
	prototypeALPN    = "bench/1"
	prototypePath    = "/connect"
	idHeader         = "X-Agent"
	idBytes          = 16
	handshakeTimeout = 20 * time.Second
	unsentBytes      = 64 << 10
	tcpNotSentLowat  = 25 // TCP_NOTSENT_LOWAT of Linux; package syscall lacks it
)

func limitUnsent(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// elsewhere it is not known
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, unsentBytes)
	})
}

func dialTLS(ctx context.Context, env *agentEnv, alpn string) (net.Conn, error) {
	dialer := net.Dialer{Control: limitUnsent}
	tcp, err := dialer.DialContext(ctx, "tcp", env.server)
	if err != nil {
		return nil, err
	}
	config := env.tls.Clone()
	config.NextProtos = []string{alpn}
	config.DynamicRecordSizingDisabled = true
	conn := tls.Client(tcp, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, err
	}
	return conn, nil
}

// dialALPN opens the direct carrier and sends the name of the caller.
func dialALPN(ctx context.Context, env *agentEnv, id string) (net.Conn, error) {
	conn, err := dialTLS(ctx, env, prototypeALPN)
	if err != nil {
		return nil, err
	}
	var greeting [idBytes]byte
	copy(greeting[:], id)
	if _, err := conn.Write(greeting[:]); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialWebSocket opens the WebSocket carrier.
func dialWebSocket(ctx context.Context, env *agentEnv, id string) (net.Conn, error) {
	var below *corkConn
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialTLS(ctx, env, "http/1.1")
		below = &corkConn{Conn: conn}
		return below, err
	}}
	//nolint:bodyclose // Dial gives no body that has to be closed
	ws, _, err := websocket.Dial(ctx, "wss://"+env.server+prototypePath, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{idHeader: {id}},
	})
	if err != nil {
		return nil, fmt.Errorf("open the WebSocket: %w", err)
	}
	return &corkedWebSocket{websocket.NetConn(ctx, ws, websocket.MessageBinary), below}, nil
}

// accept registers both carriers. serve must block until the connection has
// ended.
func accept(h *http.Server, serve func(id string, conn net.Conn)) {
	h.TLSConfig.NextProtos = append([]string{prototypeALPN}, h.TLSConfig.NextProtos...)
	h.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		prototypeALPN: func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
			var greeting [idBytes]byte
			if _, err := io.ReadFull(conn, greeting[:]); err == nil {
				serve(strings.TrimRight(string(greeting[:]), "\x00"), conn)
			}
		},
	}
	h.Handler.(*http.ServeMux).HandleFunc(prototypePath, func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		serve(r.Header.Get(idHeader), websocket.NetConn(ctx, ws, websocket.MessageBinary))
	})
}

// corkConn gathers what is written while it is held into full TLS records.
type corkConn struct {
	net.Conn
	mu   sync.Mutex
	held bool
	buf  []byte
}

const recordBytes = 16 << 10

// Write writes p, or keeps a copy of it while writes are held back.
func (c *corkConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		return c.Conn.Write(p)
	}
	for done := 0; done < len(p); {
		n := min(recordBytes-len(c.buf), len(p)-done)
		c.buf = append(c.buf, p[done:done+n]...)
		done += n
		if len(c.buf) == recordBytes {
			if err := c.flushLocked(); err != nil {
				return done, err
			}
		}
	}
	return len(p), nil
}

func (c *corkConn) flushLocked() error {
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

func (c *corkConn) hold(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = on
	if on || len(c.buf) == 0 {
		return nil
	}
	return c.flushLocked()
}

type corkedWebSocket struct {
	net.Conn
	below *corkConn
}

// Write writes one message.
func (c *corkedWebSocket) Write(p []byte) (int, error) {
	_ = c.below.hold(true) // writes nothing
	n, err := c.Conn.Write(p)
	if released := c.below.hold(false); err == nil {
		err = released
	}
	return n, err
}
