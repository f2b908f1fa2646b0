package agentproto

import (
	"context"
	"fmt"
	"net"
	"time"
)

// proveConfig configures the agent's side of a handshake.
type proveConfig struct {
	Identity Identity
	Instance string
	Hello    Hello
	Versions []int // supported versions of the protocol, oldest first; none means protocolVersions
	Check    bool  // only ask whether the proof is accepted
	Now      func() time.Time
}

// proven is the result of a handshake for the agent.
type proven struct {
	Version     int
	Heartbeat   time.Duration // zero if the server left it open
	Authorities [][]byte      // announced certificates, DER; empty for no change
	ServerTime  time.Time
	ClockSkew   time.Duration // agent's clock minus the server's
}

// The heartbeat that a server may ask for.
const (
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = 10 * time.Minute
)

// proveTo proves the agent's identity to the server at the other side of conn. If the
// server refuses, the error is a *Refusal. The caller bounds the time by ctx and owns conn.
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
		version = chooseVersion(spoken(c.Versions), asked.Versions)
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
		p.Heartbeat = min(max(time.Duration(min(v.HeartbeatMS, maxHeartbeat.Milliseconds()))*time.Millisecond,
			minHeartbeat),
			maxHeartbeat)
	}
	if !asked.Time.IsZero() {
		p.ClockSkew = received.Sub(asked.Time)
	}
	return p, nil
}

// checkChallenge returns an error if the agent must not answer a challenge. An agent signs
// only for the server with which it was registered, so that no other server can pass its
// proof on.
func checkChallenge(asked challenge, id Identity) error {
	switch {
	case asked.Refusal != nil:
		return asked.Refusal.cleaned()
	case len(asked.Nonce) != nonceSize:
		return fmt.Errorf("the server's challenge has a nonce of %d bytes; it has to be %d: is this an OpenECP server?",
			len(asked.Nonce), nonceSize)
	}
	return checkServerName(asked.Server, id.ServerName)
}

// checkServerName returns an error if a server is not the one for which a key signs.
func checkServerName(says, registered string) error {
	if says == registered {
		return nil
	}
	return &Failure{Step: StepProof, Code: FailedServerName,
		Message: fmt.Sprintf("the server calls itself %q, this agent was registered with %q; it proves itself to "+
			"that one "+
			"only",
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
