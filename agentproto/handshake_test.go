package agentproto

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyring is a registry of known keys; err, if set, is its only answer.
type keyring struct {
	keys map[string]ed25519.PublicKey
	err  error
}

func (k keyring) Register(context.Context, Registration) (Registered, error) {
	return Registered{}, errors.ErrUnsupported
}
func (k keyring) Unregister(context.Context, string) error { return errors.ErrUnsupported }
func (k keyring) PublicKey(_ context.Context, agent string) (ed25519.PublicKey, error) {
	if k.err != nil {
		return nil, k.err
	}
	if key, ok := k.keys[agent]; ok {
		return key, nil
	}
	return nil, &Refusal{Code: RefusedUnknownAgent, Message: "no such agent; register again"}
}

// newTestIdentity returns an agent of server ecp.example.com and a registry
// that knows it.
func newTestIdentity(t testing.TB) (Identity, keyring) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	id := Identity{Agent: "agent-1", Key: key, Server: "https://ecp.example.com", ServerName: "ecp.example.com"}
	return id, keyring{keys: map[string]ed25519.PublicKey{id.Agent: pub}}
}

// meet runs both sides of a handshake over a pipe; the server accepts whoever
// proves himself.
func meet(t *testing.T, server acceptConfig, agent proveConfig) (h *handshake, serverErr error, p proven,
	agentErr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		if h, serverErr = acceptHandshake(ctx, b, server); serverErr == nil {
			serverErr = h.accept(ctx, 7*time.Second, nil)
		}
	}()
	p, agentErr = proveTo(ctx, a, agent)
	a.Close()
	<-done
	return h, serverErr, p, agentErr
}

func accepting(r Registry) acceptConfig {
	return acceptConfig{Name: "ecp.example.com", Registry: r, Carrier: CarrierDirect, Remote: "192.0.2.1:4711",
		Now: time.Now}
}

func proving(id Identity) proveConfig {
	return proveConfig{Identity: id, Instance: "i-1", Hello: Hello{Node: "emqx@a", Version: "1.2.3"}, Now: time.Now}
}

func TestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, known := newTestIdentity(t)
		agent := proving(id)
		agent.Now = func() time.Time { return time.Now().Add(time.Hour) }
		h, serverErr, p, agentErr := meet(t, accepting(known), agent)
		require.NoError(t, serverErr)
		require.NoError(t, agentErr)
		c := h.Connection
		assert.Equal(t, "agent-1", c.Agent)
		assert.Equal(t, "i-1", c.Instance)
		assert.Equal(t, CarrierDirect, c.Carrier)
		assert.Equal(t, "192.0.2.1:4711", c.Remote)
		assert.Equal(t, 1, c.Protocol)
		assert.Equal(t, "emqx@a", c.Hello.Node)
		assert.Equal(t, "agent-1", c.Hello.Agent)
		assert.Equal(t, time.Hour, c.ClockSkew, "a clock that is wrong is told, and locks nobody out")
		assert.Equal(t, time.Hour, p.ClockSkew)
		assert.Equal(t, 7*time.Second, p.Heartbeat)
		assert.Equal(t, 1, p.Version)
		assert.True(t, p.ServerTime.Equal(time.Now()))
	})
}

func TestHandshakeRefuses(t *testing.T) {
	id, known := newTestIdentity(t)
	other, _ := newTestIdentity(t)
	tests := []struct {
		name  string
		reg   Registry
		agent func(*proveConfig)
		want  RefusalCode
	}{
		{"another key", known, func(c *proveConfig) { c.Identity.Key = other.Key }, RefusedBadSignature},
		{"an unknown agent", keyring{}, nil, RefusedUnknownAgent},
		{"another agent's name", known, func(c *proveConfig) { c.Identity.Agent = "agent-2" }, RefusedUnknownAgent},
		{"an agent without id", known, func(c *proveConfig) { c.Identity.Agent = "" }, RefusedBadRequest},
		{"an id that is none", known, func(c *proveConfig) { c.Identity.Agent = "a\nb" }, RefusedBadRequest},
		{"no instance", known, func(c *proveConfig) { c.Instance = "" }, RefusedBadRequest},
		{"a registry that fails", keyring{err: errors.New("database is locked")}, nil, RefusedBusy},
		{"a registry that refuses", keyring{err: &Refusal{Code: RefusedRemoved}}, nil, RefusedRemoved},
		{"a key of the wrong length", keyring{keys: map[string]ed25519.PublicKey{id.Agent: {1, 2, 3}}}, nil,
			RefusedBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := proving(id)
			if tt.agent != nil {
				tt.agent(&agent)
			}
			_, serverErr, _, agentErr := meet(t, accepting(tt.reg), agent)
			require.Error(t, serverErr)
			r, ok := errors.AsType[*Refusal](agentErr)
			require.True(t, ok, "the agent got %v", agentErr)
			assert.Equal(t, tt.want, r.Code)
			assert.NotContains(t, r.Message, "database", "the agent learns nothing of the server's inside")
		})
	}
}

func TestAgentSignsForItsServerOnly(t *testing.T) {
	id, known := newTestIdentity(t)
	server := accepting(known)
	server.Name = "evil.example.com"
	_, serverErr, _, agentErr := meet(t, server, proving(id))
	f, ok := errors.AsType[*Failure](agentErr)
	require.True(t, ok, "%v", agentErr)
	assert.Equal(t, FailedServerName, f.Code)
	assert.Contains(t, f.Error(), "evil.example.com")
	require.Error(t, serverErr, "no proof was sent")
}

// TestStolenProofs replays and passes on what a thief could have recorded.
func TestStolenProofs(t *testing.T) {
	id, known := newTestIdentity(t)
	nonce := newNonce()
	good := proving(id).proof(nonce, 1)
	tests := []struct {
		name  string
		proof func() proof
		nonce []byte
		name2 string
	}{
		{"another nonce", func() proof { return good }, newNonce(), "ecp.example.com"},
		{"another server", func() proof { return good }, nonce, "other.example.com"},
		{"another instance", func() proof { p := good; p.Instance = "i-2"; return p }, nonce, "ecp.example.com"},
		{"another agent", func() proof { p := good; p.Agent = "agent-2"; return p }, nonce, "ecp.example.com"},
		{"bytes moved between fields", func() proof { p := good; p.Agent, p.Instance = "agent-1i", "-1"; return p },
			nonce,
			"ecp.example.com"},
		{"a signature for unregister", func() proof {
			p := good
			p.Signature = sign(id.Key, labelUnregister, p.signed(nonce, id.ServerName)...)
			return p
		}, nonce, "ecp.example.com"},
		{"a cut signature", func() proof { p := good; p.Signature = p.Signature[:32]; return p }, nonce,
			"ecp.example.com"},
	}
	keys := keyring{keys: map[string]ed25519.PublicKey{}}
	// one key under every name: only the signature tells them apart
	for _, agent := range []string{"agent-1", "agent-2", "agent-1i"} {
		keys.keys[agent] = known.keys["agent-1"]
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := accepting(keys)
			c.Name = tt.name2
			err := checkProof(t.Context(), c, tt.nonce, tt.proof())
			r, ok := errors.AsType[*Refusal](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, RefusedBadSignature, r.Code)
		})
	}
	require.NoError(t, checkProof(t.Context(), accepting(keys), nonce, good))
}

func TestEveryChallengeHasItsOwnNonce(t *testing.T) {
	_, known := newTestIdentity(t)
	seen := map[string]bool{}
	for range 3 {
		a, b := net.Pipe()
		go func() {
			var asked challenge
			_ = readFrame(a, &asked)
			seen[string(asked.Nonce)] = len(asked.Nonce) == nonceSize
			a.Close()
		}()
		_, err := acceptHandshake(t.Context(), b, accepting(known))
		require.Error(t, err)
		b.Close()
	}
	assert.Len(t, seen, 3)
	for _, long := range seen {
		assert.True(t, long)
	}
}

// TestHandshakeEndsWithItsContext lets either side wait for one that says
// nothing.
func TestHandshakeEndsWithItsContext(t *testing.T) {
	id, known := newTestIdentity(t)
	sides := map[string]func(context.Context, net.Conn) error{
		"server": func(ctx context.Context, c net.Conn) error {
			_, err := acceptHandshake(ctx, c, accepting(known))
			return err
		},
		"agent": func(ctx context.Context, c net.Conn) error { _, err := proveTo(ctx, c, proving(id)); return err },
	}
	for name, side := range sides {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer a.Close()
				defer b.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				begin := time.Now()
				err := side(ctx, b)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 5*time.Second, time.Since(begin))
			})
		})
	}
}

// TestHandshakeLeavesNoDeadline checks that what follows has all its time.
func TestHandshakeLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		refused := make(chan error)
		go func() { refused <- refuseHandshake(ctx, b, &Refusal{Code: RefusedBusy, RetryAfter: 3 * time.Second}) }()
		id, _ := newTestIdentity(t)
		_, err := proveTo(ctx, a, proving(id))
		require.NoError(t, <-refused)
		cancel()
		r, ok := errors.AsType[*Refusal](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, 3*time.Second, r.RetryAfter)
		go func() {
			<-time.After(time.Minute)
			_, _ = b.Write([]byte("x"))
		}()
		_, err = io.ReadFull(a, make([]byte, 1))
		require.NoError(t, err)
	})
}

func TestFrames(t *testing.T) {
	frame := func(size uint32, body string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), body...)
	}
	tests := []struct {
		name string
		raw  []byte
		want error // nil means some error
	}{
		{"nothing", nil, io.EOF},
		{"a cut head", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"no body", frame(2, ""), io.ErrUnexpectedEOF},
		{"a cut body", frame(10, "{}"), io.ErrUnexpectedEOF},
		{"one byte too large", frame(maxFrame+1, strings.Repeat(" ", maxFrame+1)), errFrameTooLarge},
		{"as large as it gets", frame(1<<32-1, "{}"), errFrameTooLarge},
		{"no JSON", frame(2, "ab"), nil},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), errFrameTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p proof
			err := readFrame(bytes.NewReader(tt.raw), &p)
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
		})
	}

	t.Run("no byte too much", func(t *testing.T) {
		var buf bytes.Buffer
		require.NoError(t, writeFrame(&buf, proof{Agent: "a"}))
		buf.WriteString("rest")
		var p proof
		require.NoError(t, readFrame(&buf, &p))
		assert.Equal(t, "a", p.Agent)
		assert.Equal(t, "rest", buf.String())
	})
	t.Run("too large to send", func(t *testing.T) {
		require.ErrorIs(t, writeFrame(io.Discard, strings.Repeat("x", maxFrame)), errFrameTooLarge)
	})
	t.Run("a field of the future", func(t *testing.T) {
		var p proof
		require.NoError(t, readFrame(bytes.NewReader(frame(22, `{"agent":"a","new":[]}`)), &p))
		assert.Equal(t, "a", p.Agent)
	})
}

func TestTextsOfTheOtherSideAreCleaned(t *testing.T) {
	tests := []struct {
		in   string
		max  int
		want string
	}{
		{"plain", 12, "plain"},
		{" a\r\nb\tc ", 12, "a b c"},
		{"\x1b[31mred\x1b[0m\x00", 12, "[31mred[0m"},
		{"x\u202ey\u2066z\u200b", 12, "xyz"},
		{"日本語", 8, "日本"}, // cut before a rune, not in it
		{"日本語", 9, "日本語"},
		{"bad\xff", 12, "bad"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, cleanText(tt.in, tt.max))
	}
	assert.LessOrEqual(t, len(cleanText(strings.Repeat("é", 5000), maxMessage)), maxMessage)

	id, known := newTestIdentity(t)
	agent := proving(id)
	agent.Hello.Hostname = "h\x1b[2J" + strings.Repeat("x", 1000)
	h, err, _, _ := meet(t, accepting(known), agent)
	require.NoError(t, err)
	assert.NotContains(t, h.Connection.Hello.Hostname, "\x1b")
	assert.LessOrEqual(t, len(h.Connection.Hello.Hostname), maxWord)

	_, _, _, err = meet(t, accepting(keyring{err: &Refusal{Code: RefusedRemoved, Message: "gone\x1b[2J"}}), agent)
	assert.Equal(t, "gone[2J", err.Error())
}

func FuzzProof(f *testing.F) {
	id, known := newTestIdentity(f)
	nonce := newNonce()
	good, err := json.Marshal(proving(id).proof(nonce, 1))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"agent":"agent-1","instance":"i","version":1,"hello":{"time":"9999-12-31T23:59:59Z"},"signature":"AA=="}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var buf bytes.Buffer
		buf.Write(binary.BigEndian.AppendUint32(nil, uint32(len(body))))
		buf.Write(body)
		var p proof
		if readFrame(&buf, &p) != nil {
			return
		}
		if err := checkProof(t.Context(), accepting(known), newNonce(), p); err == nil {
			t.Fatalf("accepted for a nonce that nobody signed: %s", body)
		}
	})
}

func FuzzChallenge(f *testing.F) {
	id, _ := newTestIdentity(f)
	for _, c := range []challenge{
		{Nonce: newNonce(), Server: id.ServerName, Versions: protocolVersions, Time: time.Unix(1e9, 0)},
		{Refusal: &Refusal{Code: RefusedBusy, RetryAfter: time.Second}},
	} {
		raw, err := json.Marshal(c)
		require.NoError(f, err)
		f.Add(raw, []byte(`{"heartbeatMs":10000,"authorities":["AA=="],"time":"2026-01-02T03:04:05Z"}`))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		a, b := net.Pipe()
		defer a.Close()
		go func() {
			defer b.Close()
			for i, body := range [][]byte{first, second} {
				if _, err := b.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))),
					body...)); err != nil {
					return
				}
				if i == 0 {
					var p proof
					if readFrame(b, &p) != nil {
						return
					}
				}
			}
		}()
		p, err := proveTo(t.Context(), a, proving(id))
		if err == nil && p.Heartbeat != 0 && (p.Heartbeat < minHeartbeat || p.Heartbeat > maxHeartbeat) {
			t.Fatalf("heartbeat %v", p.Heartbeat)
		}
	})
}
