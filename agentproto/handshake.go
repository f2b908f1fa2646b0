package agentproto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// challenge is the server's first message, or a refusal.
type challenge struct {
	Nonce    []byte    `json:"nonce,omitempty"`
	Server   string    `json:"server,omitempty"`
	Versions []int     `json:"versions,omitempty"`
	Time     time.Time `json:"time,omitzero"`
	Refusal  *Refusal  `json:"refusal,omitempty"`
}

// proof is the agent's answer. The signature is over the nonce (with the
// connection's binding behind it, see bound), the server's name, agent, instance
// and version.
type proof struct {
	Agent     string `json:"agent"`
	Instance  string `json:"instance"`
	Version   int    `json:"version"`
	Hello     Hello  `json:"hello"`
	Signature []byte `json:"signature"`

	// Check asks whether the proof would be accepted. The server answers and
	// closes: the agent's connection that serves stays as it is.
	Check bool `json:"check,omitempty"`
}

func (p proof) signed(nonce []byte, server string) [][]byte {
	return [][]byte{nonce, []byte(server), []byte(p.Agent), []byte(p.Instance), []byte(strconv.Itoa(p.Version))}
}

// verdict is the server's last message before the multiplexer begins.
type verdict struct {
	Refusal     *Refusal  `json:"refusal,omitempty"`
	HeartbeatMS int64     `json:"heartbeatMs,omitempty"`
	Authorities [][]byte  `json:"authorities,omitempty"` // DER
	Time        time.Time `json:"time,omitzero"`
}

// underContext runs f, whose reads and writes on conn fail once ctx ends. In that case the
// error contains that of ctx, and conn cannot be used any more.
func underContext(ctx context.Context, conn net.Conn, f func() error) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = conn.SetDeadline(time.Unix(1, 0)) // a connection that cannot is closed by its owner
	})
	err := f()
	if stop() {
		return err
	}
	<-interrupted
	return errors.Join(context.Cause(ctx), err)
}

// acceptConfig configures the server's side of a handshake.
type acceptConfig struct {
	Name     string // of the server: agents sign for it and for no other
	Registry Registry
	Versions []int // supported versions of the protocol, oldest first; none means protocolVersions
	Carrier  Carrier
	Remote   string
	Now      func() time.Time
}

// handshake is a proved agent that waits for the server's verdict.
type handshake struct {
	Connection Connection
	Check      bool // the agent only wants to know whether its proof is accepted

	conn net.Conn
	now  func() time.Time
}

// acceptHandshake asks the other side of conn to prove that it is an agent of the
// registry. If the proof is not accepted, acceptHandshake sends the agent a refusal and
// returns it. The caller bounds the time by ctx, owns conn, and completes the handshake
// with accept or refuse.
func acceptHandshake(ctx context.Context, conn net.Conn, c acceptConfig) (*handshake, error) {
	asked := challenge{Nonce: newNonce(), Server: c.Name, Versions: spoken(c.Versions), Time: c.Now().UTC()}
	var p proof
	err := underContext(ctx, conn, func() error {
		if err := writeFrame(conn, asked); err != nil {
			return fmt.Errorf("send the challenge: %w", err)
		}
		if err := readFrame(conn, &p); err != nil {
			return fmt.Errorf("read the proof: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	received := c.Now()
	h := &handshake{conn: conn, now: c.Now}
	nonce, err := bound(asked.Nonce, conn)
	if err != nil {
		return nil, err
	}
	if err := checkProof(ctx, c, nonce, p); err != nil {
		return nil, errors.Join(err, h.refuse(ctx, refusalFor(err)))
	}
	p.Hello.Agent, p.Hello.Instance = p.Agent, p.Instance
	h.Check = p.Check
	h.Connection = Connection{
		Agent: p.Agent, Instance: p.Instance, Carrier: c.Carrier, Remote: c.Remote, Since: received,
		Hello: p.Hello.cleaned(), Protocol: p.Version,
	}
	if !p.Hello.Time.IsZero() {
		h.Connection.ClockSkew = p.Hello.Time.Sub(received)
	}
	return h, nil
}

// checkProof returns an error if a proof is not accepted.
func checkProof(ctx context.Context, c acceptConfig, nonce []byte, p proof) error {
	if !validID(p.Agent) || !validID(p.Instance) {
		return &Refusal{Code: RefusedBadRequest,
			Message: "the agent's id and its instance id have to be 1 to 64 letters, digits, '-', '_' or '.'"}
	}
	if r := refuseVersion(p.Version, spoken(c.Versions)); r != nil {
		return r
	}
	key, err := c.Registry.PublicKey(ctx, p.Agent)
	if err != nil {
		return fmt.Errorf("look up the key of agent %s: %w", p.Agent, err)
	}
	if !verify(key, p.Signature, labelConnect, p.signed(nonce, c.Name)...) {
		return &Refusal{Code: RefusedBadSignature, Message: fmt.Sprintf(
			"the proof does not fit agent %s at server %s: the agent's key is another one, or it was registered "+
				"with another "+
				"server; register it again", p.Agent, c.Name)}
	}
	return nil
}

// refusalFor returns the refusal to send for an error: the error itself if it is a Refusal,
// otherwise one that only asks the agent to try again.
func refusalFor(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{Code: RefusedBusy, Message: "the server cannot check agents at the moment",
		RetryAfter: 5 * time.Second}
}

// accept tells the agent that it is connected. HTTP/2 follows on the connection.
func (h *handshake) accept(ctx context.Context, heartbeat time.Duration, authorities [][]byte) error {
	return h.answer(ctx, verdict{HeartbeatMS: heartbeat.Milliseconds(), Authorities: authorities, Time: h.now().UTC()})
}

// refuse tells the agent why it is not connected. The caller closes.
func (h *handshake) refuse(ctx context.Context, r *Refusal) error {
	return h.answer(ctx, verdict{Refusal: r.cleaned(), Time: h.now().UTC()})
}

func (h *handshake) answer(ctx context.Context, v verdict) error {
	return underContext(ctx, h.conn, func() error { return writeFrame(h.conn, v) })
}

// refuseHandshake refuses an agent in place of a challenge, because the server is full or
// stops.
func refuseHandshake(ctx context.Context, conn net.Conn, r *Refusal) error {
	return underContext(ctx, conn, func() error { return writeFrame(conn, challenge{Refusal: r.cleaned()}) })
}
