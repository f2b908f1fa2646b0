package agentproto

import (
	"context"
	"fmt"
	"time"
)

// Fellows are the other servers that the agents of a [Server] can connect to. A load
// balancer, or a name with several addresses, leads each agent to one of them. Several
// goroutines call its methods at once.
type Fellows interface {
	// Contest is called for an agent that has proved who it is and is about to be
	// admitted. It asks the server that the agent is connected to, if there is one, to end
	// that connection, and returns when it has ended. It returns the refusal of that server's
	// [Server.Contest]; nil means that the agent is admitted. It must not take longer than
	// the handshake may.
	Contest(ctx context.Context, fresh Connection) *Refusal

	// Serving reports whether one of the servers takes agents now.
	Serving() bool
}

// Contest is called for an agent that is about to be admitted by another server. If the
// agent has a connection here, it is closed, and Contest returns when the [Observer] knows.
// The exception is a connection of another process that answers: then it stays, the
// Observer is told of the conflict, and Contest returns the refusal for the new one.
func (s *Server) Contest(ctx context.Context, fresh Connection) *Refusal {
	s.mu.Lock()
	old := s.sessions[fresh.Agent]
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	return s.replace(ctx, old, fresh)
}

// replace ends an agent's connection for a newer one, or returns the refusal of the newer
// one.
func (s *Server) replace(ctx context.Context, old *session, fresh Connection) *Refusal {
	reason := "replaced by a newer connection of the same process"
	if old.info.Instance != fresh.Instance {
		if old.live() && old.ping(ctx, s.cfg.Timings.ConflictPing) {
			s.cfg.Logger.Warn("agent refused: its key is in use by another process", "agent", fresh.Agent,
				"serving", old.info.Remote, "refused", fresh.Remote, "hostname", fresh.Hello.Hostname)
			s.cfg.Observer.Conflicted(old.info, fresh)
			return &Refusal{Code: RefusedIdentityConflict, RetryAfter: time.Minute, Message: fmt.Sprintf(
				"the identity of this agent is in use by another process, at %s on host %q, which answers. "+
					"Stop that one, or register this one on its own", old.info.Remote, old.info.Hello.Hostname)}
		}
		reason = "replaced by a newer process with the same key, because it did not answer"
	}
	old.dismiss(Ending{Clean: old.info.Instance == fresh.Instance, Reason: reason})
	_ = old.carrier.Close()
	<-old.gone
	return nil
}

// Agents that are sent to other servers spread over this time, so that those are not
// flooded: so much for each of them, and no more than that for all. A handshake costs a
// server about as much time of a processor.
const (
	moveEach = 2 * time.Millisecond
	moveAll  = 20 * time.Second
)

// going returns the refusal that tells an agent that the server stops, where it had so many.
func (s *Server) going(agents int) *Refusal {
	if s.cfg.Fellows == nil || !s.cfg.Fellows.Serving() {
		return &Refusal{Code: RefusedGoingAway, Message: "the server stops; it asks its agents to come back later",
			RetryAfter: s.cfg.Timings.RetryAfter}
	}
	spread := min(time.Duration(agents)*moveEach, moveAll)
	return &Refusal{Code: RefusedGoingAway, Message: "this server stops; another one takes its agents now",
		RetryAfter: time.Millisecond + jitter(spread)}
}
