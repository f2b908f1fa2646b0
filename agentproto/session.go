package agentproto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// session is the server's side of a connection after its handshake. The server is the HTTP
// client.
type session struct {
	info    Connection
	carrier *carrierConn
	client  *http.ClientConn

	// bulk holds a place for each stream to a host other than control, and for each log.
	bulk chan struct{}

	admitted  chan struct{} // closed when announced is settled
	announced bool          // the observer knows of it
	gone      chan struct{} // closed after the observer has been called

	mu     sync.Mutex
	ending *Ending // the first reason for which it ends
}

func newSession(info Connection, c *carrierConn) *session {
	return &session{
		info: info, carrier: c, bulk: make(chan struct{}, maxStreams-reservedStreams),
		admitted: make(chan struct{}), gone: make(chan struct{}),
	}
}

// live reports whether requests may be sent.
func (s *session) live() bool {
	select {
	case <-s.carrier.ended:
		return false
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending == nil
}

type connKey struct{}

// newDialer returns the transport that makes HTTP/2 clients of agents' connections. All
// sessions share it. It never dials.
func newDialer(t ServerTimings) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, ok := ctx.Value(connKey{}).(net.Conn)
			if !ok {
				return nil, net.ErrClosed // no request may ever dial
			}
			return conn, nil
		},
		Protocols:              http2Only(),
		HTTP2:                  http2Config(t.Heartbeat, t.Silence, serverStreamWindow, serverWindow),
		DisableCompression:     true, // bytes as they are
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// start begins the multiplexer on a carrier whose handshake is done.
func (s *session) start(ctx context.Context, dialer *http.Transport) error {
	s.carrier.multiplexed.Store(true)
	client, err := dialer.NewClientConn(context.WithValue(ctx, connKey{}, s.carrier), "http", "agent:80")
	if err != nil {
		return fmt.Errorf("start HTTP/2: %w", err)
	}
	s.client = client
	return nil
}

// roundTrip sends a request to one virtual host. Logs of the control host are large, too.
func (s *session) roundTrip(r *http.Request, host Host) (*http.Response, error) {
	if host == HostControl && r.URL.Path != pathLogs {
		return s.client.RoundTrip(r)
	}
	return s.bulkTrip(r)
}

// bulkTrip sends a request whose answer may be large or long. It waits for a free
// stream if need be, until the request's context ends.
func (s *session) bulkTrip(r *http.Request) (*http.Response, error) {
	select {
	case s.bulk <- struct{}{}:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	case <-s.carrier.ended:
		return nil, net.ErrClosed
	}
	resp, err := s.client.RoundTrip(r)
	if err != nil {
		<-s.bulk
		return nil, err
	}
	resp.Body = &placedBody{ReadCloser: resp.Body, release: func() { <-s.bulk }}
	return resp, nil
}

// placedBody calls release when it has been read to its end or closed.
type placedBody struct {
	io.ReadCloser
	once    sync.Once
	release func()
}

func (b *placedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(b.release)
	}
	return n, err
}

func (b *placedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.release)
	return err
}

// control calls the control host and reads a bounded answer.
func (s *session) control(ctx context.Context, method, path string, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+string(HostControl)+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	resp, err := s.client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxControlBytes))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("the agent answered %s to %s %s", resp.Status, method, path)
	}
	return answer, err
}

// ping reports whether the agent answers within patience.
func (s *session) ping(ctx context.Context, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.control(ctx, http.MethodPost, pathPing, struct{}{})
	return err == nil
}

// dismiss sets how the session ends, unless that is set already. No request is sent from
// now on.
func (s *session) dismiss(e Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending == nil {
		s.ending = &e
	}
}

// goodbye sends the agent the reason for which its connection ends, waits for the answer up
// to patience, and closes the connection.
func (s *session) goodbye(ctx context.Context, r *Refusal, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = s.control(ctx, http.MethodPost, pathGoodbye, r)
	s.carrier.sayGoodbye()
	_ = s.carrier.Close()
}

// how returns how the session ended. It must be called after the end of the carrier.
func (s *session) how(now time.Time, silence time.Duration) Ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		e := *s.ending
		e.At = now
		return e
	}
	clean, reason := s.carrier.ending("agent", silence)
	return Ending{Clean: clean, Reason: reason, At: now}
}
