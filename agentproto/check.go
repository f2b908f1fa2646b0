package agentproto

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// wayThere lists all steps in their order.
var wayThere = []Step{StepAddress, StepDNS, StepTCP, StepProxy, StepTLS, StepClock, StepHTTP, StepDirect, StepWebSocket,
	StepProof}

// tellSkew is the difference of the clocks from which on Check advises to set this one.
const tellSkew = 2 * time.Minute

// Check tries to connect to the server as an agent does, and returns the steps. After a
// step that fails, the others are not tried. Check changes nothing, neither here nor at the
// server, and may be called while the agent runs. The identity needs a Server, and CASHA256
// if the server has a CA of its own; without a key, Check makes no proof. A carrier that
// cannot be used is a failure only if the other one cannot or must not be used either.
func Check(ctx context.Context, cfg AgentConfig) []CheckStep {
	c := &check{cfg: cfg}
	c.run(ctx)
	return c.all()
}

// check is one call of Check.
type check struct {
	cfg    AgentConfig
	dialer *serverDialer
	chain  []*x509.Certificate
	steps  map[Step]CheckStep
	proof  *error // of the first carrier that could be opened; nil if no proof was tried
}

func (c *check) run(ctx context.Context) {
	c.steps = make(map[Step]CheckStep)
	if c.cfg.Tunnel == "" {
		c.cfg.Tunnel = TunnelAuto
	}
	if c.cfg.Now == nil {
		c.cfg.Now = time.Now
	}
	dialer, err := newServerDialer(c.cfg.Identity, c.cfg.Proxy, c.cfg.Now, c.cfg.BuildTime)
	if err != nil {
		c.fail(StepAddress, err)
		return
	}
	c.dialer = dialer
	for _, step := range []func(context.Context) bool{c.connect, c.talk, c.carriers} {
		if !step(ctx) {
			return
		}
	}
}

func (c *check) ok(step Step, format string, args ...any) {
	c.steps[step] = CheckStep{Name: string(step), OK: true, Detail: cleanText(fmt.Sprintf(format, args...), maxMessage)}
}

// fail records an error for the step that it names, otherwise for the given one.
func (c *check) fail(step Step, err error) {
	if f, ok := errors.AsType[*Failure](err); ok {
		step = f.Step
	}
	message, hint := Explain(err)
	c.steps[step] = CheckStep{Name: string(step), Err: cleanText(message, maxMessage), Hint: hint}
}

// all returns the steps. Those before a step that was reached are OK; those after one that
// failed were not tried.
func (c *check) all() (steps []CheckStep) {
	failed := false
	for _, name := range wayThere {
		step, known := c.steps[name]
		switch {
		case known:
		case name == StepProxy: // none is configured, or it was not reached
			continue
		case failed:
			step = CheckStep{Name: string(name), Detail: "not tried"}
		default:
			step = CheckStep{Name: string(name), OK: true}
		}
		failed = failed || !step.OK
		steps = append(steps, step)
	}
	return steps
}

// connect tries the steps below HTTP.
func (c *check) connect(ctx context.Context) bool {
	d := c.dialer
	c.ok(StepAddress, "%s", d.server)
	conn, err := d.open(ctx, "http/1.1")
	f, _ := errors.AsType[*Failure](err)
	beyondProxy := err == nil || f != nil && slices.Index(wayThere, f.Step) > slices.Index(wayThere, StepProxy)
	if proxied := describeProxy(d.proxy, d.server); proxied != "" && beyondProxy {
		c.ok(StepProxy, "%s", proxied)
	}
	if err != nil {
		c.fail(StepTCP, err)
		return false
	}
	c.ok(StepTCP, "connected to %s", conn.RemoteAddr())
	c.chain = conn.chain
	_ = conn.Close() // nothing was sent
	if len(c.chain) == 0 {
		c.ok(StepTLS, "plain HTTP to this host")
		return true
	}
	leaf := c.chain[0]
	c.ok(StepTLS, "certificate of %s, from %s, until %s", leaf.Subject, leaf.Issuer,
		leaf.NotAfter.UTC().Format(time.RFC3339))
	return true
}

// talk asks the server for a nonce, and compares clocks.
func (c *check) talk(ctx context.Context) bool {
	call := newServerCallOn(c.dialer)
	defer call.close()
	asked, err := call.challenge(ctx, PathRegister)
	if err != nil {
		c.fail(StepHTTP, err)
		return false
	}
	c.ok(StepHTTP, "OpenECP answers as %s", asked.Server)
	c.ok(StepClock, "no time was told")
	if !asked.Time.IsZero() {
		c.compareClocks(c.cfg.Now().Sub(asked.Time).Round(time.Second))
	}
	return true
}

// compareClocks records the difference between this clock and the server's. The step is
// always OK, because an agent with a wrong clock can connect.
func (c *check) compareClocks(skew time.Duration) {
	side := "ahead of"
	if skew < 0 {
		side, skew = "behind", -skew
	}
	c.ok(StepClock, "%s %s the server's", skew, side)
	if skew >= tellSkew {
		step := c.steps[StepClock]
		step.Hint = "Set the clock of this host, or let it follow a time server; reports and logs carry its time"
		c.steps[StepClock] = step
	}
}

// carriers opens each carrier that the agent may use, and makes the proof on the first one
// that can be opened.
func (c *check) carriers(ctx context.Context) bool {
	direct, socket := c.cfg.Tunnel != TunnelWebSocket, c.cfg.Tunnel != TunnelDirect
	var directErr, socketErr error
	if direct {
		directErr = c.try(ctx, TunnelDirect)
	}
	if socket {
		socketErr = c.try(ctx, TunnelWebSocket)
	}
	switch {
	case !direct:
		c.ok(StepDirect, "not used: --tunnel is websocket")
	case directErr == nil:
		c.ok(StepDirect, "TLS selects %s", ALPN)
	case socket && socketErr == nil:
		c.ok(StepDirect, "not there, WebSocket is used instead: %v", firstText(directErr))
	default:
		c.fail(StepDirect, directErr)
	}
	switch {
	case !socket:
		c.ok(StepWebSocket, "not used: --tunnel is direct")
	case socketErr == nil:
		c.ok(StepWebSocket, "GET %s becomes a WebSocket", PathConnect)
	case direct && directErr == nil:
		c.ok(StepWebSocket, "not there, and not needed: %v", firstText(socketErr))
	default:
		c.fail(StepWebSocket, socketErr)
	}
	switch {
	case len(c.cfg.Identity.Key) == 0:
		c.ok(StepProof, "not tried: the agent is not registered")
	case c.proof == nil:
	case *c.proof != nil:
		c.fail(StepProof, *c.proof)
	default:
		c.ok(StepProof, "the server knows agent %s and its key", c.cfg.Identity.Agent)
	}
	return true
}

func firstText(err error) string {
	message, _ := Explain(err)
	return message
}

// try opens one carrier as an agent does, and proves the identity on it unless
// that was done.
func (c *check) try(ctx context.Context, tunnel TunnelMode) error {
	cfg := c.cfg
	cfg.Tunnel = tunnel
	cfg.Timings = cfg.Timings.withDefaults()
	a := &Agent{cfg: cfg, identity: cfg.Identity}
	w, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.conn.Close() }()
	if c.proof != nil || len(cfg.Identity.Key) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timings.Handshake, errNoAnswer)
	defer cancel()
	hello := Hello{}
	if cfg.Hello != nil {
		hello = cfg.Hello()
	}
	hello.Tunnel = tunnel
	_, err = proveTo(ctx, w.conn, proveConfig{Identity: cfg.Identity, Instance: "check", Hello: hello, Check: true,
		Now: cfg.Now})
	c.proof = &err
	return nil
}

// describeProxy names the proxy for a server, without its password; an empty text
// means none.
func describeProxy(proxy func(*url.URL) (*url.URL, error), server *url.URL) string {
	u, err := proxy(server)
	if err != nil || u == nil {
		return ""
	}
	return "through " + u.Host
}

// CheckStep is one step of a check, of the way to the server or to a broker. Its texts
// are for people and contain no secrets. A step that is not OK and has no Err was not
// tried, because an earlier one failed.
type CheckStep struct {
	Name   string `json:"name"` // e.g. "dns", "tcp", "tls"
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what was found
	Err    string `json:"error,omitempty"`  // why it failed
	Hint   string `json:"hint,omitempty"`   // what to do about it
}
