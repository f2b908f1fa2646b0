package agentproto

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"
)

// attempt is a handshake whose agent's key has been looked up. If the agent is removed
// after that, it must not be admitted with the old key: Disconnect sets the refusal.
type attempt struct {
	agent   string
	refusal *Refusal // guarded by Server.mu
}

// watchedRegistry notes the attempt before the key is read.
type watchedRegistry struct {
	Registry
	server *Server
	at     *attempt
}

func (w watchedRegistry) PublicKey(ctx context.Context, agent string) (ed25519.PublicKey, error) {
	s := w.server
	s.mu.Lock()
	if w.at.agent == "" {
		w.at.agent = agent
		s.attempts[agent] = append(s.attempts[agent], w.at)
	}
	s.mu.Unlock()
	return w.Registry.PublicKey(ctx, agent)
}

func (s *Server) forget(at *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.attempts[at.agent], func(a *attempt) bool { return a == at })
	if len(left) == 0 {
		delete(s.attempts, at.agent)
		return
	}
	s.attempts[at.agent] = left
}

// serve makes the handshake on a carrier, which it owns, and returns the session. It
// returns nil if the agent is not admitted.
func (s *Server) serve(ctx context.Context, c *carrierConn, remote string) *session {
	done, ok := s.begin()
	if !ok {
		s.turnAway(ctx, c, s.refusing())
		return nil
	}
	defer done()
	leave, ok := s.gate.enter(remote, c.abort)
	if !ok {
		s.turnAway(ctx, c, &Refusal{Code: RefusedBusy,
			Message: "the server has too many connections that wait for their proof", RetryAfter: 5 * time.Second})
		return nil
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timings.Handshake, errSlowHandshake)
	defer cancel()
	sess, err := s.handshake(ctx, c, remote, leave)
	if err != nil {
		s.logRefused(remote, c.kind, err)
		if _, told := errors.AsType[*Refusal](err); told || errors.Is(err, errOnlyChecked) {
			c.sayGoodbye() // an orderly end, or the answer may be lost with the connection
		}
		_ = c.Close()
		return nil
	}
	return sess
}

var (
	errSlowHandshake = errors.New("the handshake took too long")
	errOnlyChecked   = errors.New("the agent only asked whether its proof is accepted")
)

// logRefused logs failures that any host on the network can cause at the debug level only.
func (s *Server) logRefused(remote string, kind Carrier, err error) {
	if r, ok := errors.AsType[*Refusal](err); ok && r.Code != RefusedBusy {
		s.cfg.Logger.Info("agent refused", "remote", remote, "carrier", kind, "code", r.Code, "reason", err)
		return
	}
	s.cfg.Logger.Debug("handshake ended", "remote", remote, "carrier", kind, "error", err)
}

// turnAway refuses a connection without asking for a proof.
func (s *Server) turnAway(ctx context.Context, c *carrierConn, r *Refusal) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if refuseHandshake(ctx, c, r) == nil {
		c.sayGoodbye()
	}
	_ = c.Close()
}

// handshake admits an agent. It calls proved as soon as the agent's proof is accepted.
func (s *Server) handshake(ctx context.Context, c *carrierConn, remote string, proved func()) (*session, error) {
	at := &attempt{}
	defer s.forget(at)
	h, err := acceptHandshake(ctx, c, acceptConfig{
		Name: s.cfg.Name, Registry: watchedRegistry{s.cfg.Registry, s,
			at}, Carrier: c.kind, Remote: remote, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	if wait := s.often.take(connectKey{h.Connection.Agent, networkOf(remote)}); wait > 0 {
		r := &Refusal{Code: RefusedBusy, Message: "this agent connects too often", RetryAfter: max(wait, time.Second)}
		return nil, errors.Join(r, h.refuse(ctx, r))
	}
	if h.Check {
		return nil, errors.Join(errOnlyChecked, h.accept(ctx, s.cfg.Timings.Heartbeat, nil))
	}
	proved() // from now on it is not closed for newer connections
	release, err := s.claim(ctx, h.Connection.Agent)
	if r, no := errors.AsType[*Refusal](err); no {
		return nil, errors.Join(r, h.refuse(ctx, r))
	}
	if err != nil {
		return nil, err
	}
	defer release()
	r := s.objection(ctx, h.Connection)
	if r == nil {
		r = s.elsewhere(ctx, h.Connection)
	}
	if r != nil {
		return nil, errors.Join(r, h.refuse(ctx, r))
	}
	if err := h.accept(ctx, s.cfg.Timings.Heartbeat, announced(s.cfg.Authorities, s.cfg.Logger)); err != nil {
		return nil, fmt.Errorf("answer the proof: %w", err)
	}
	sess := newSession(h.Connection, c)
	s.work.Add(1) // serve holds one as well
	c.onEnd = func() { s.ended(sess) }
	if s.cfg.Reported != nil {
		c.onNews = func() { s.cfg.Reported(h.Connection.Agent) }
	}
	if err := sess.start(ctx, s.dialer); err != nil {
		close(sess.admitted)
		return nil, err
	}
	s.announce(ctx, sess, at)
	return sess, nil
}

// claim is an agent's connection that is being admitted.
type claim struct {
	settled chan struct{} // closed when it is
	waiting int           // others of the same agent
}

// maxClaims is how many connections of one agent may wait while another one is
// being admitted: an agent makes one at a time, and so does a copy of it.
const maxClaims = 8

// claim waits until no other connection of the agent is being admitted. It returns a
// Refusal when maxClaims connections are waiting already: the holder of one key must
// not be able to keep an unlimited number of connections open here, because they no
// longer count against the limit of unproved ones.
func (s *Server) claim(ctx context.Context, agent string) (release func(), err error) {
	for {
		s.mu.Lock()
		first, ok := s.claims[agent]
		if !ok {
			mine := &claim{settled: make(chan struct{})}
			s.claims[agent] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.claims, agent)
				s.mu.Unlock()
				close(mine.settled)
			}, nil
		}
		first.waiting++
		many := first.waiting > maxClaims
		s.mu.Unlock()
		if many {
			return nil, &Refusal{Code: RefusedBusy,
				Message:    "too many connections of this agent wait to be admitted at once",
				RetryAfter: 5 * time.Second}
		}
		select {
		case <-first.settled:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// objection returns the refusal for a proved agent that cannot be served. If it returns
// nil, the agent has no other connection to this server any more.
func (s *Server) objection(ctx context.Context, fresh Connection) *Refusal {
	s.mu.Lock()
	old, count := s.sessions[fresh.Agent], len(s.sessions)
	s.mu.Unlock()
	if old == nil {
		if count >= s.cfg.MaxAgents {
			return &Refusal{Code: RefusedBusy, RetryAfter: time.Minute,
				Message: fmt.Sprintf("the server already serves %d agents, as many as it is configured for", count)}
		}
		return nil
	}
	return s.replace(ctx, old, fresh)
}

// elsewhere returns the refusal for an agent that another server serves.
func (s *Server) elsewhere(ctx context.Context, fresh Connection) *Refusal {
	if s.cfg.Fellows == nil {
		return nil
	}
	return s.cfg.Fellows.Contest(ctx, fresh)
}

// announce lets a session serve, unless the agent was disconnected or the server stopped
// during the handshake.
func (s *Server) announce(ctx context.Context, sess *session, at *attempt) {
	defer close(sess.admitted)
	s.mu.Lock()
	no := at.refusal
	if no == nil {
		no = s.stopping
	}
	if no == nil {
		s.sessions[sess.info.Agent] = sess
	}
	s.mu.Unlock()
	if no != nil {
		sess.dismiss(Ending{Clean: true, Reason: no.Error()})
		sess.goodbye(ctx, no, s.cfg.Timings.Goodbye)
		return
	}
	sess.announced = true
	s.cfg.Logger.Info("agent connected", "agent", sess.info.Agent, "remote", sess.info.Remote, "carrier",
		sess.info.Carrier,
		"instance", sess.info.Instance, "version", sess.info.Hello.Version)
	s.cfg.Observer.Connected(sess.info)
}
