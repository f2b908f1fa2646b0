package agentproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// hosts are the virtual hosts there are. A request to any other is refused
// before it is sent.
var hosts = []Host{HostControl, HostAPI, HostDashboard}

// hopHeaders concern one connection only (RFC 9110, 7.6.1); HTTP/2 has none of them.
var hopHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
	"Upgrade"}

// Dial opens a stream to a virtual host of an agent, which serves HTTP/1.1 on it. The
// context bounds only the opening. The connection supports deadlines, but cannot be closed
// in one direction.
func (s *Server) Dial(ctx context.Context, agent string, host Host) (net.Conn, error) {
	if !slices.Contains(hosts, host) {
		return nil, fmt.Errorf("dial agent %s: there is no virtual host %q", agent, host)
	}
	sess, ok := s.session(agent)
	if !ok {
		return nil, fmt.Errorf("dial agent %s: %w", agent, ErrNotConnected)
	}
	trip := func(r *http.Request) (*http.Response, error) { return sess.roundTrip(r, host) }
	conn, err := openRaw(ctx, host, trip, func(work func()) { s.goIn(sess, work) })
	if err != nil {
		return nil, fmt.Errorf("dial agent %s, host %s: %w", agent, host, err)
	}
	return conn, nil
}

// goIn runs work of a session, for which Shutdown waits.
func (s *Server) goIn(sess *session, work func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[sess.info.Agent] != sess { // it has ended, and so has the stream: this is short
		go work()
		return
	}
	s.work.Go(work)
}

// Transport returns a RoundTripper to one virtual host of one agent. It ignores the host
// in the URL and the header of a request. It looks up the agent's connection for each
// request, so it can be used after the agent has reconnected; without a connection, a
// request fails with [ErrNotConnected].
//
// A request to upgrade (a WebSocket) that the agent's handler accepts is
// answered by 101 with a body that is an [io.ReadWriteCloser].
func (s *Server) Transport(agent string, host Host) http.RoundTripper {
	return &agentTransport{s, agent, host}
}

type agentTransport struct {
	server *Server
	agent  string
	host   Host
}

// RoundTrip sends the request to the agent.
func (t *agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.send(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("agent %s, host %s: %w", t.agent, t.host, err)
	}
	resp.Request = r
	return resp, nil
}

func (t *agentTransport) send(r *http.Request) (*http.Response, error) {
	if !slices.Contains(hosts, t.host) {
		return nil, fmt.Errorf("there is no virtual host %q", t.host)
	}
	if r.Method == http.MethodConnect {
		return nil, errors.New("method CONNECT is not for requests")
	}
	sess, ok := t.server.session(t.agent)
	if !ok {
		return nil, ErrNotConnected
	}
	out := addressed(r, t.host)
	if isUpgrade(r.Header) {
		return t.upgrade(out)
	}
	dropHopHeaders(out.Header)
	return sess.roundTrip(out, t.host)
}

// addressed returns a copy of a request that goes to a virtual host.
func addressed(r *http.Request, host Host) *http.Request {
	out := r.WithContext(r.Context())
	out.URL = &url.URL{
		Scheme: "http", Host: string(host),
		Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery,
	}
	if out.URL.Path == "" {
		out.URL.Path = "/"
	}
	out.Host, out.RequestURI, out.Close = string(host), "", false
	out.Header = r.Header.Clone()
	if out.Header == nil {
		out.Header = http.Header{}
	}
	return out
}

// isUpgrade reports whether a request asks for another protocol.
func isUpgrade(h http.Header) bool {
	if h.Get("Upgrade") == "" {
		return false
	}
	for _, v := range h["Connection"] {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

func dropHopHeaders(h http.Header) {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
}

// newRawDialer returns what makes HTTP/1.1 clients of raw streams.
func newRawDialer() *http.Transport {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dial, ok := ctx.Value(dialKey{}).(func(context.Context) (net.Conn, error))
			if !ok {
				return nil, net.ErrClosed
			}
			return dial(ctx)
		},
		Protocols: p, DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

type dialKey struct{}

// upgrade sends a request on a raw stream of its own, which is then the stream
// of the new protocol.
func (t *agentTransport) upgrade(out *http.Request) (*http.Response, error) {
	dial := func(ctx context.Context) (net.Conn, error) { return t.server.Dial(ctx, t.agent, t.host) }
	client, err := t.server.raw.NewClientConn(context.WithValue(out.Context(), dialKey{}, dial), "http",
		string(t.host)+":80")
	if err != nil {
		return nil, err
	}
	resp, err := client.RoundTrip(out)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = &placedBody{ReadCloser: resp.Body, release: func() { _ = client.Close() }}
		return resp, nil
	}
	if _, ok := resp.Body.(io.ReadWriteCloser); !ok {
		_ = client.Close()
		return nil, errors.New("the upgraded stream cannot be written")
	}
	return resp, nil
}
