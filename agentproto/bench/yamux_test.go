package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Windows of a stream, as agentproto sets them.
const (
	serverStreamWindow = 4 << 20
	agentStreamWindow  = 1 << 20
)

// yamuxServer opens a stream of yamux for each connection of HTTP/1.1.
type yamuxServer struct {
	mu     sync.Mutex
	agents map[string]*yamux.Session
}

func newYamuxServer(*serverEnv) (carrierServer, error) {
	return &yamuxServer{agents: map[string]*yamux.Session{}}, nil
}

func yamuxConfig(window uint32) *yamux.Config {
	config := yamux.DefaultConfig()
	config.EnableKeepAlive = false
	config.LogOutput = io.Discard
	config.AcceptBacklog = 32
	config.MaxStreamWindowSize = window
	return config
}

func (s *yamuxServer) configure(h *http.Server) { accept(h, s.serve) }

func (s *yamuxServer) serve(id string, conn net.Conn) {
	session, err := yamux.Client(&gatherConn{Conn: conn}, yamuxConfig(serverStreamWindow))
	if err != nil {
		return
	}
	s.mu.Lock()
	s.agents[id] = session
	s.mu.Unlock()
	<-session.CloseChan()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.agents, id)
}

func (s *yamuxServer) transport(id string) http.RoundTripper {
	return &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			s.mu.Lock()
			session, ok := s.agents[id]
			s.mu.Unlock()
			if !ok {
				return nil, errors.New("agent not connected")
			}
			return session.Open()
		},
		MaxIdleConnsPerHost: 16, DisableCompression: true, ReadBufferSize: 32 << 10,
	}
}

func (s *yamuxServer) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.agents)
}

// yamuxAgent returns an agent that serves the streams of a connection.
func yamuxAgent(dial func(context.Context, *agentEnv, string) (net.Conn, error)) func(context.Context, *agentEnv,
	string) error {
	return func(ctx context.Context, env *agentEnv, id string) error {
		conn, err := dial(ctx, env, id)
		if err != nil {
			return err
		}
		defer conn.Close()
		session, err := yamux.Server(&gatherConn{Conn: conn}, yamuxConfig(agentStreamWindow))
		if err != nil {
			return err
		}
		server := &http.Server{Handler: env.handler, ReadHeaderTimeout: time.Minute}
		stop := context.AfterFunc(ctx, func() { _ = session.Close() })
		defer stop()
		return server.Serve(session)
	}
}

// gatherConn joins the header of a data frame and its body, which yamux writes
// one after the other, into one write and so into one TLS record or message.
type gatherConn struct {
	net.Conn
	buf []byte // a header that waits for its body; yamux writes from one goroutine
}

const yamuxHeader = 12

// Write writes p with the header that waits for it, or keeps such a header.
func (c *gatherConn) Write(p []byte) (int, error) {
	if len(c.buf) == 0 {
		if len(p) == yamuxHeader && p[1] == 0 && binary.BigEndian.Uint32(p[8:]) > 0 {
			c.buf = append(c.buf, p...)
			return len(p), nil
		}
		return c.Conn.Write(p)
	}
	c.buf = append(c.buf, p...)
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	if cap(c.buf) > unsentBytes {
		c.buf = nil
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
