package agentproto

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// protocolVersions are the versions that this package speaks, oldest first. The
// handshake is the same for all of them and only ever gains fields.
var protocolVersions = []int{1}

// challenge is the server's first message, or its no.
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

// underContext runs f, whose reads and writes on conn fail once ctx ends. If
// ctx ended, the error says so and conn is of no further use.
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

// acceptConfig is what the server's side of a handshake needs to know.
type acceptConfig struct {
	Name     string // of the server: agents sign for it and for no other
	Registry Registry
	Carrier  Carrier
	Remote   string
	Now      func() time.Time
}

// handshake is a proved agent that waits for the server's verdict.
type handshake struct {
	Connection Connection
	Check      bool // the agent only asks: accept it and close

	conn net.Conn
	now  func() time.Time
}

// acceptHandshake asks the other side of conn to prove that it is an agent of
// the registry. If it is refused, it has been told why, and the error is that
// Refusal. The caller bounds the time by ctx, owns conn, and answers a handshake
// that succeeded with accept or refuse.
func acceptHandshake(ctx context.Context, conn net.Conn, c acceptConfig) (*handshake, error) {
	asked := challenge{Nonce: newNonce(), Server: c.Name, Versions: protocolVersions, Time: c.Now().UTC()}
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

// checkProof returns why a proof is not accepted; nil means that it is.
func checkProof(ctx context.Context, c acceptConfig, nonce []byte, p proof) error {
	if !validID(p.Agent) || !validID(p.Instance) {
		return &Refusal{Code: RefusedBadRequest, Message: "the agent's id and its instance id have to be 1 to 64 letters, digits, '-', '_' or '.'"}
	}
	if !slices.Contains(protocolVersions, p.Version) {
		return &Refusal{Code: RefusedUnsupportedProtocol, Message: fmt.Sprintf(
			"the agent speaks version %d of the protocol and this server %s: update the older of the two", p.Version, versionList(protocolVersions))}
	}
	key, err := c.Registry.PublicKey(ctx, p.Agent)
	if err != nil {
		return fmt.Errorf("look up the key of agent %s: %w", p.Agent, err)
	}
	if !verify(key, p.Signature, labelConnect, p.signed(nonce, c.Name)...) {
		return &Refusal{Code: RefusedBadSignature, Message: fmt.Sprintf(
			"the proof does not fit agent %s at server %s: the agent's key is another one, or it was registered with another server; register it again", p.Agent, c.Name)}
	}
	return nil
}

// refusalFor returns what an agent is told of an error: a Refusal as it is, of
// anything else only that it may ask again.
func refusalFor(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{Code: RefusedBusy, Message: "the server cannot check agents at the moment", RetryAfter: 5 * time.Second}
}

// accept tells the agent that it is connected. What follows on the connection
// is the multiplexer's.
func (h *handshake) accept(ctx context.Context, heartbeat time.Duration, authorities []*x509.Certificate) error {
	return h.answer(ctx, verdict{HeartbeatMS: heartbeat.Milliseconds(), Authorities: rawCertificates(authorities), Time: h.now().UTC()})
}

// refuse tells the agent why it is not connected. The caller closes.
func (h *handshake) refuse(ctx context.Context, r *Refusal) error {
	return h.answer(ctx, verdict{Refusal: r, Time: h.now().UTC()})
}

func (h *handshake) answer(ctx context.Context, v verdict) error {
	return underContext(ctx, h.conn, func() error { return writeFrame(h.conn, v) })
}

// refuseHandshake tells an agent that the server does not even ask for its
// proof: it is full, or it stops.
func refuseHandshake(ctx context.Context, conn net.Conn, r *Refusal) error {
	return underContext(ctx, conn, func() error { return writeFrame(conn, challenge{Refusal: r}) })
}

// proveConfig is what the agent's side of a handshake needs to know.
type proveConfig struct {
	Identity Identity
	Instance string
	Hello    Hello
	Check    bool // only ask whether the proof is accepted
	Now      func() time.Time
}

// proven is what an accepted agent learned.
type proven struct {
	Version     int
	Heartbeat   time.Duration // zero if the server left it open
	Authorities [][]byte      // announced certificates, DER; none = no change
	ServerTime  time.Time
	ClockSkew   time.Duration // agent's clock minus the server's
}

// The heartbeat that a server may ask for.
const (
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = 10 * time.Minute
)

// proveTo proves to the server at the other side of conn who the agent is. A
// refusal is returned as *Refusal. The caller bounds the time by ctx and owns
// conn.
func proveTo(ctx context.Context, conn net.Conn, c proveConfig) (proven, error) {
	var asked challenge
	var v verdict
	var received time.Time
	version := 0
	err := underContext(ctx, conn, func() (err error) {
		if err = readFrame(conn, &asked); err != nil {
			return fmt.Errorf("read the server's challenge: %w", err)
		}
		received = c.Now()
		if err = checkChallenge(asked, c.Identity); err != nil {
			return err
		}
		version = chooseVersion(asked.Versions)
		nonce, err := bound(asked.Nonce, conn)
		if err != nil {
			return err
		}
		if err = writeFrame(conn, c.proof(nonce, version)); err != nil {
			return fmt.Errorf("send the proof: %w", err)
		}
		if err = readFrame(conn, &v); err != nil {
			return fmt.Errorf("read the server's answer to the proof: %w", err)
		}
		return nil
	})
	switch {
	case err != nil:
		return proven{}, err
	case v.Refusal != nil:
		return proven{}, v.Refusal.cleaned()
	}
	p := proven{Version: version, Authorities: v.Authorities, ServerTime: asked.Time}
	if v.HeartbeatMS > 0 {
		p.Heartbeat = min(max(time.Duration(min(v.HeartbeatMS, maxHeartbeat.Milliseconds()))*time.Millisecond, minHeartbeat), maxHeartbeat)
	}
	if !asked.Time.IsZero() {
		p.ClockSkew = received.Sub(asked.Time)
	}
	return p, nil
}

// checkChallenge returns why the agent must not answer a challenge. An agent
// signs for the server it was registered with and for no other one, so that no
// server can pass its proof on.
func checkChallenge(asked challenge, id Identity) error {
	switch {
	case asked.Refusal != nil:
		return asked.Refusal.cleaned()
	case len(asked.Nonce) != nonceSize:
		return fmt.Errorf("the server's challenge has a nonce of %d bytes; it has to be %d: is this an OpenECP server?", len(asked.Nonce), nonceSize)
	}
	return checkServerName(asked.Server, id.ServerName)
}

// checkServerName returns an error if a server is not the one that a key signs
// for.
func checkServerName(says, registered string) error {
	if says == registered {
		return nil
	}
	return &Failure{Step: StepProof, Code: FailedServerName,
		Message: fmt.Sprintf("the server calls itself %q, this agent was registered with %q; it proves itself to that one only",
			cleanText(says, maxWord), registered),
		Hint: "If it is the right server, unregister this agent and register it anew, so that it has a new key"}
}

func (c proveConfig) proof(nonce []byte, version int) proof {
	p := proof{Agent: c.Identity.Agent, Instance: c.Instance, Version: version, Hello: c.Hello, Check: c.Check}
	p.Hello.Agent, p.Hello.Instance, p.Hello.Time = "", "", c.Now().UTC()
	p.Hello = p.Hello.cleaned()
	p.Signature = sign(c.Identity.Key, labelConnect, p.signed(nonce, c.Identity.ServerName)...)
	return p
}

// chooseVersion returns the newest version that both sides speak. If there is
// none it returns the agent's newest one: the server's refusal of it says more
// than the agent could.
func chooseVersion(offered []int) int {
	for _, v := range slices.Backward(protocolVersions) {
		if slices.Contains(offered, v) {
			return v
		}
	}
	return protocolVersions[len(protocolVersions)-1]
}

func versionList(versions []int) string {
	if len(versions) == 1 {
		return "version " + strconv.Itoa(versions[0])
	}
	return fmt.Sprintf("versions %d to %d", versions[0], versions[len(versions)-1])
}

func rawCertificates(certs []*x509.Certificate) [][]byte {
	var raw [][]byte
	for _, c := range certs {
		raw = append(raw, c.Raw)
	}
	return raw
}
