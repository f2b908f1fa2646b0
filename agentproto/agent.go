package agentproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Agent is the side that dials. Run connects and serves; call it once.
type Agent struct {
	cfg    AgentConfig
	pauses *pauses
	work   sync.WaitGroup // everything that Run waits for
	logs   chan struct{}  // one place for each log that is being sent

	// Only Run's own goroutine uses these.
	identity Identity
	unsaved  bool // identity is newer than what was saved
	status   AgentStatus
}

// Format prints the agent without its key, for every verb.
func (a *Agent) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "agent %s of %s", a.cfg.Identity.Agent, a.cfg.Identity.Server)
}

// NewAgent returns an agent that does not dial before Run.
func NewAgent(cfg AgentConfig) (*Agent, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Agent{cfg: cfg, pauses: newPauses(cfg.Timings), identity: cfg.Identity,
		logs: make(chan struct{}, maxLogReaders)}, nil
}

// Run keeps the agent connected until ctx ends. It then tells the server that the
// agent stops, and returns nil. It returns a [*Refusal] when the server has refused the
// agent for good: the agent has to be registered again. All goroutines of the agent have
// ended when Run returns, so a handler that ignores its request's context delays it.
func (a *Agent) Run(ctx context.Context) error {
	defer a.work.Wait()
	for ctx.Err() == nil {
		a.note(AgentStatus{Phase: PhaseConnecting})
		lasted, err := a.once(ctx)
		if ctx.Err() != nil {
			break
		}
		r, _ := errors.AsType[*Refusal](err)
		if r != nil && r.Final() {
			a.cfg.Logger.Error("the server refuses this agent for good", "code", r.Code, "reason", r.Message)
			a.note(AgentStatus{Phase: PhaseRefused, Err: err, Refusal: r})
			return r
		}
		if lasted > a.cfg.Timings.BackoffMax || lasted > 0 && r != nil {
			a.pauses.reset()
		}
		a.wait(ctx, err, r)
	}
	return nil
}

// wait reports the status and waits until the next attempt.
func (a *Agent) wait(ctx context.Context, err error, r *Refusal) {
	pause := a.pauses.next(r, a.cfg.Timings.BackoffMax)
	st := AgentStatus{Phase: PhaseWaiting, Err: err, Refusal: r, RetryAt: a.cfg.Now().Add(pause)}
	if r != nil && !slices.Contains(quick, r.Code) {
		st.Phase = PhaseRefused
	}
	a.cfg.Logger.Warn("not connected", "error", err, "retryIn", pause.Round(time.Millisecond))
	a.note(st)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// note reports the status. Fields that the phase does not set keep the values of the
// last connection.
func (a *Agent) note(st AgentStatus) {
	st.Since, st.Server = a.cfg.Now(), a.identity.Server
	if st.Carrier == "" {
		st.Carrier, st.Why, st.TLS, st.ClockSkew = a.status.Carrier, a.status.Why, a.status.TLS, a.status.ClockSkew
	}
	if st.Phase == PhaseConnecting { // what went wrong is shown until it has gone right
		st.Err, st.Refusal = a.status.Err, a.status.Refusal
	}
	a.status = st
	a.cfg.Status(st)
}

// once dials, makes the handshake and serves one connection. It returns how long it
// served, and why the connection ended.
func (a *Agent) once(ctx context.Context) (time.Duration, error) {
	w, p, err := a.connect(ctx)
	if err != nil {
		return 0, err
	}
	_ = a.learn(w, p) // it is logged
	a.note(AgentStatus{Phase: PhaseConnected, Carrier: w.conn.kind, Why: w.why, TLS: w.tls, ClockSkew: p.ClockSkew})
	a.cfg.Logger.Info("connected", "server", a.identity.Server, "carrier", w.conn.kind, "why", w.why)
	began := time.Now()
	err = a.serve(ctx, w, p)
	return time.Since(began), err
}

// connect dials and makes the handshake.
func (a *Agent) connect(ctx context.Context) (way, proven, error) {
	w, err := a.dial(ctx)
	if err != nil {
		return way{}, proven{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.Timings.Handshake,
		fmt.Errorf("no answer to the agent's proof within %s", a.cfg.Timings.Handshake))
	defer cancel()
	hello := a.cfg.Hello()
	hello.Tunnel, hello.CarrierWhy = a.cfg.Tunnel, w.why
	p, err := proveTo(ctx, w.conn, proveConfig{Identity: a.identity, Instance: a.cfg.Instance, Hello: hello,
		Now: a.cfg.Now})
	if err != nil {
		_ = w.conn.Close()
		return way{}, proven{}, err
	}
	return w, p, nil
}

// learn keeps what the server has announced in a handshake or later. It returns an error
// if an announcement is not followed, or cannot be saved.
func (a *Agent) learn(w way, p proven) error {
	id, changed, err := a.identity.learnedFrom(w.trust, w.chain, w.conn.kind == CarrierDirect, p.Authorities,
		p.ServerTime)
	if err != nil {
		a.cfg.Logger.Warn("the server announces authorities that do not fit its own certificate; they are not followed",
			"error", err)
	}
	a.identity = id
	if !changed && !a.unsaved {
		return err
	}
	saved := a.cfg.Save(id)
	a.unsaved = saved != nil
	if saved != nil {
		a.cfg.Logger.Error("the identity cannot be saved; the agent goes on with what it knows, and tries again at "+
			"its "+
			"next connection", "error", saved)
	}
	return errors.Join(err, saved)
}
