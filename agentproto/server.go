package agentproto

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ErrNotConnected is returned for an agent that has no connection now.
var ErrNotConnected = errors.New("the agent is not connected")

// Server is the side that agents dial. It serves the three paths of the
// protocol as an [http.Handler]; [Server.ConfigureTLS] adds the direct carrier
// to the HTTPS server that it stands in. Shutdown ends it. Its methods may be
// called by many goroutines at once.
type Server struct {
	cfg    ServerConfig
	dialer *http.Transport // makes HTTP/2 clients of connections
	raw    *http.Transport // makes HTTP/1.1 clients of raw streams
	gate   *gate
	often  *reconnects
	paths  *registrar     // answers what is no connection
	work   sync.WaitGroup // of everything that Shutdown waits for

	mu       sync.Mutex
	stopping *Refusal // what agents are told from now on; nil = the server serves
	sessions map[string]*session
	claims   map[string]*claim     // agents that are being admitted
	attempts map[string][]*attempt // handshakes whose key has been asked for
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
		gate: newGate(cfg.MaxHandshakes, cfg.Timings.Eviction), often: newReconnects(cfg.Timings.Reconnect, time.Now),
		sessions: map[string]*session{}, claims: map[string]*claim{}, attempts: map[string][]*attempt{},
	}
	s.paths.unregistered = func(agent string) {
		s.Disconnect(agent, Refusal{Code: RefusedRemoved, Message: "the agent has unregistered itself"})
	}
	return s, nil
}

// Connections returns what is connected now, by agent.
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

// Connection returns the connection of one agent.
func (s *Server) Connection(agent string) (Connection, bool) {
	sess, ok := s.session(agent)
	if !ok {
		return Connection{}, false
	}
	return sess.info, true
}

// session returns the one that serves an agent.
func (s *Server) session(agent string) (*session, bool) {
	s.mu.Lock()
	sess, ok := s.sessions[agent]
	s.mu.Unlock()
	return sess, ok && sess.live()
}

// refusing returns what agents are told instead of being served.
func (s *Server) refusing() *Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// begin registers work that Shutdown waits for; done must be called at its end.
// It reports false once the server stops.
func (s *Server) begin() (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping != nil {
		return nil, false
	}
	s.work.Add(1)
	return s.work.Done, true
}

// Disconnect ends the connection of an agent and tells it why. It serves no
// request from the moment Disconnect is called; a handshake of the agent that
// is under way is refused as well. The agent of a final refusal stops asking.
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

// Shutdown tells every agent that the server goes away and when to ask again,
// closes their connections and waits for all that the server started. When
// ctx ends, connections are cut without waiting for the agents. No agent is
// admitted from the moment it is called.
func (s *Server) Shutdown(ctx context.Context) error {
	r := &Refusal{Code: RefusedGoingAway, Message: "the server stops; it asks its agents to come back later", RetryAfter: s.cfg.Timings.RetryAfter}
	s.mu.Lock()
	s.stopping = r
	all := make([]*session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		all = append(all, sess)
	}
	s.mu.Unlock()
	s.gate.abortAll()
	cut := context.AfterFunc(ctx, func() {
		for _, sess := range all {
			_ = sess.carrier.abort()
		}
	})
	defer cut()
	s.farewellAll(ctx, all, r)
	s.work.Wait()
	s.dialer.CloseIdleConnections()
	s.raw.CloseIdleConnections()
	return ctx.Err()
}

// farewellAll tells agents goodbye, many at a time.
func (s *Server) farewellAll(ctx context.Context, all []*session, r *Refusal) {
	const atOnce = 256
	places := make(chan struct{}, atOnce)
	var told sync.WaitGroup
	for _, sess := range all {
		places <- struct{}{}
		told.Go(func() {
			defer func() { <-places }()
			sess.dismiss(Ending{Clean: true, Reason: "the server stopped"})
			sess.goodbye(ctx, r, s.cfg.Timings.Goodbye)
		})
	}
	told.Wait()
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
