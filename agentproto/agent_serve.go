package agentproto

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// served is one connection on the agent's side, where the agent is the HTTP
// server.
type served struct {
	agent *Agent
	stop  <-chan struct{} // closed when the agent stops: streams without an end have to end then
	hosts map[Host]http.Handler
	raw   map[Host]*http.Server // HTTP/1.1 on raw streams
	news  chan news             // to the goroutine that serves

	mu      sync.Mutex
	closed  bool          // no new request is served
	running int           // handlers
	busy    bool          // HTTP/2 has streams whose answers have not been sent
	unsent  bool          // the end of the last answer is in the buffer of HTTP/2, which is written next
	settled chan struct{} // closed once it is closed, and neither running nor busy nor unsent
	goodbye *Refusal      // why the server closes the connection, if it has sent that
}

// serve answers the server's requests until the connection or ctx ends. It
// returns why the connection ended.
func (a *Agent) serve(ctx context.Context, w way, p proven) error {
	c := w.conn
	heartbeat, silence := a.cfg.Timings.heartbeat(p.Heartbeat)
	base, cancel := context.WithCancel(context.WithoutCancel(ctx)) // requests under way may end after ctx
	defer cancel()
	s := a.newServed(base, ctx.Done())
	srv := a.httpServer(base, http.HandlerFunc(s.dispatch), http2Only())
	srv.HTTP2 = http2Config(heartbeat, silence, agentStreamWindow, agentWindow)
	srv.ConnState = func(_ net.Conn, state http.ConnState) { s.mark(state) }
	c.multiplexed.Store(true)
	out := &newsConn{Conn: c, wrote: s.wrote}
	changed := a.cfg.Reports.changes() // before the server can ask for what there is
	a.work.Go(func() { _ = srv.Serve(newSingleListener(out)) })
	a.work.Go(func() { s.announceReports(out, c.ended, changed) })
	s.attend(ctx, w)
	cancel()
	_ = srv.Close()
	_ = c.Close()
	for _, h := range s.raw {
		_ = h.Close()
	}
	if r := s.farewell(); r != nil {
		return r
	}
	_, reason := c.ending("server", silence)
	return errors.New(reason)
}

// attend keeps the authorities that the server announces, until the connection or ctx ends.
func (s *served) attend(ctx context.Context, w way) {
	for {
		select {
		case n := <-s.news:
			n.kept <- s.agent.learn(w, proven{Authorities: n.authorities})
		case <-w.conn.ended:
			s.close()
			return
		case <-ctx.Done():
			w.conn.sayGoodbye()
			s.drain(s.agent.cfg.Timings.Drain)
			return
		}
	}
}

// httpServer returns a server for connections or raw streams of this agent.
func (a *Agent) httpServer(base context.Context, h http.Handler, p *http.Protocols) *http.Server {
	return &http.Server{
		Handler: h, Protocols: p, MaxHeaderBytes: maxRequestHeader, ReadHeaderTimeout: a.cfg.Timings.Handshake,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(a.cfg.Logger.Handler(), slog.LevelWarn),
	}
}

func (a *Agent) newServed(base context.Context, stop <-chan struct{}) *served {
	s := &served{agent: a, stop: stop, raw: map[Host]*http.Server{}, news: make(chan news),
		settled: make(chan struct{})}
	s.hosts = map[Host]http.Handler{
		HostControl:   s.control(),
		HostAPI:       orAbsent(a.cfg.API, "this agent does not offer the broker's API"),
		HostDashboard: orAbsent(a.cfg.Dashboard, "this agent does not offer the broker's dashboard"),
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	for _, host := range []Host{HostAPI, HostDashboard} {
		s.raw[host] = a.httpServer(base, s.hosts[host], http1)
	}
	return s
}

// orAbsent returns h or, if it is nil, a handler that answers with 404.
func orAbsent(h http.Handler, text string) http.Handler {
	if h != nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Answer{AnswerNotFound, text}.Write(w, http.StatusNotFound)
	})
}

// dispatch passes a request to the handler of its virtual host.
func (s *served) dispatch(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		Answer{AnswerStops, "the agent stops"}.Write(w, http.StatusServiceUnavailable)
		return
	}
	defer s.done()
	host := Host(r.Host)
	h, ok := s.hosts[host]
	if !ok {
		http.Error(w, "this agent has no such virtual host", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodConnect {
		h.ServeHTTP(w, r)
		return
	}
	raw, ok := s.raw[host]
	if !ok {
		http.Error(w, "this virtual host has no raw streams", http.StatusMethodNotAllowed)
		return
	}
	serveRaw(w, r, raw)
}

// begin counts a request, for which Run waits, unless the connection is closed.
func (s *served) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running++
	s.agent.work.Add(1)
	return true
}

func (s *served) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.settleLocked()
	s.agent.work.Done()
}

// mark records whether HTTP/2 has active streams: a handler may have returned before its
// answer is sent. HTTP/2 becomes idle when the last stream has ended, and writes the end
// of the answer to the connection after that.
func (s *served) mark(state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.unsent = state == http.StateActive, state == http.StateIdle
	s.settleLocked()
}

// wrote is called when HTTP/2 has written its buffer to the connection.
func (s *served) wrote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsent = false
	s.settleLocked()
}

func (s *served) settleLocked() {
	if !s.closed || s.running > 0 || s.busy || s.unsent {
		return
	}
	select {
	case <-s.settled:
	default:
		close(s.settled)
	}
}

func (s *served) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.settleLocked()
}

// drain waits for the requests under way, up to a timeout.
func (s *served) drain(patience time.Duration) {
	s.close()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-s.settled:
	case <-late.C:
	}
}

func (s *served) farewell() *Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goodbye
}
