package agentproto

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ErrNotConnected is returned for an agent that has no connection now.
var ErrNotConnected = errors.New("the agent is not connected")

// Server is the side that agents dial. It is an [http.Handler] for the three paths
// of the protocol; [Server.ConfigureTLS] adds the direct carrier to the HTTPS
// server that it is part of. Shutdown ends it. It is safe for use by several
// goroutines.
type Server struct {
	cfg    ServerConfig
	dialer *http.Transport // makes HTTP/2 clients of connections
	raw    *http.Transport // makes HTTP/1.1 clients of raw streams
	gate   *gate
	often  *rateLimit[connectKey]
	paths  *registrar     // answers requests to register and unregister
	work   sync.WaitGroup // everything that Shutdown waits for

	mu       sync.Mutex
	stopping *Refusal // the answer to all agents once the server stops; nil before
	sessions map[string]*session
	claims   map[string]*claim     // agents that are being admitted
	attempts map[string][]*attempt // handshakes, once the agent's key has been looked up
}

// NewServer returns a server that waits for agents.
func NewServer(cfg ServerConfig) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		paths: newRegistrar(cfg.Name, cfg.Registry, cfg.Authorities, cfg.Logger),
		cfg:   cfg, dialer: newDialer(cfg.Timings), raw: newRawDialer(),
		gate: newGate(cfg.MaxHandshakes, cfg.Timings.Eviction), often: newRateLimit[connectKey](connectBurst,
			cfg.Timings.Reconnect, 0, time.Now),
		sessions: map[string]*session{}, claims: map[string]*claim{}, attempts: map[string][]*attempt{},
	}
	s.paths.unregistered = func(agent string) {
		s.Disconnect(agent, Refusal{Code: RefusedRemoved, Message: "the agent has unregistered itself"})
	}
	return s, nil
}

// Connections returns the connections that there are now, sorted by agent.
func (s *Server) Connections() []Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Connection, 0, len(s.sessions))
	for _, sess := range s.sessions {
		if sess.live() {
			all = append(all, sess.info)
		}
	}
	slices.SortFunc(all, func(a, b Connection) int { return cmp.Compare(a.Agent, b.Agent) })
	return all
}

// Connection returns the connection of an agent, and reports whether there is one.
func (s *Server) Connection(agent string) (Connection, bool) {
	sess, ok := s.session(agent)
	if !ok {
		return Connection{}, false
	}
	return sess.info, true
}

// session returns the session of an agent, and reports whether there is one.
func (s *Server) session(agent string) (*session, bool) {
	s.mu.Lock()
	sess, ok := s.sessions[agent]
	s.mu.Unlock()
	return sess, ok && sess.live()
}

// refusing returns the answer to all agents if the server stops, otherwise nil.
func (s *Server) refusing() *Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// begin registers work that Shutdown waits for. The caller must call done at the end of
// the work. begin reports false once the server stops.
func (s *Server) begin() (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping != nil {
		return nil, false
	}
	s.work.Add(1)
	return s.work.Done, true
}

// Disconnect closes the connection of an agent and sends it the refusal. Once
// Disconnect is called, no request is sent to the agent, and a handshake of it that
// is under way is refused as well. An agent that gets a final refusal does not
// connect again.
func (s *Server) Disconnect(agent string, r Refusal) {
	s.mu.Lock()
	for _, a := range s.attempts[agent] {
		a.refusal = &r
	}
	sess := s.sessions[agent]
	s.mu.Unlock()
	if sess == nil {
		return
	}
	sess.dismiss(Ending{Clean: true, Reason: "ended by the server: " + r.Error()})
	go s.farewell(sess, &r) // the session keeps Shutdown waiting until its carrier has ended
}

// Shutdown tells every agent that the server stops and when to connect again (at once, if
// [ServerConfig].Fellows serve), closes the connections and waits until all goroutines of the server have ended.
// When ctx ends, connections are closed without waiting for the agents. Once
// Shutdown is called, no agent is admitted.
func (s *Server) Shutdown(ctx context.Context) error {
	r := s.going(1)
	s.mu.Lock()
	s.stopping = r
	s.mu.Unlock()
	all := s.all() // no session is added any more
	s.gate.abortAll()
	cut := context.AfterFunc(ctx, func() {
		for _, sess := range all {
			_ = sess.carrier.abort()
		}
	})
	defer cut()
	eachSession(all, func(sess *session) {
		sess.dismiss(Ending{Clean: true, Reason: "the server stopped"})
		sess.goodbye(ctx, s.going(len(all)), s.cfg.Timings.Goodbye)
	})
	s.work.Wait()
	s.dialer.CloseIdleConnections()
	s.raw.CloseIdleConnections()
	return ctx.Err()
}

// all returns the sessions.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

// eachSession calls fn with each session, with many at a time, and returns when all calls
// have.
func eachSession(all []*session, fn func(*session)) {
	const atOnce = 256
	places := make(chan struct{}, atOnce)
	var calls sync.WaitGroup
	for _, sess := range all {
		places <- struct{}{}
		calls.Go(func() {
			defer func() { <-places }()
			fn(sess)
		})
	}
	calls.Wait()
}

// ended is called once when the carrier of a session has ended.
func (s *Server) ended(sess *session) {
	defer s.work.Done()
	<-sess.admitted
	if sess.announced {
		e := sess.how(time.Now(), s.cfg.Timings.Silence)
		s.cfg.Logger.Info("agent disconnected", "agent", sess.info.Agent, "clean", e.Clean, "reason", e.Reason)
		s.cfg.Observer.Disconnected(sess.info, e)
	}
	s.mu.Lock()
	if s.sessions[sess.info.Agent] == sess {
		delete(s.sessions, sess.info.Agent)
	}
	s.mu.Unlock()
	close(sess.gone)
}
