package agentproto

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// registrarServer is a registrar behind TLS with a CA of its own.
type registrarServer struct {
	*httptest.Server
	*registrar
	registry *MemoryRegistry
	ca       *testCA
	log      *bytes.Buffer // read it after Close
}

// noProxy keeps the environment of whoever runs the tests out of them.
func noProxy(*url.URL) (*url.URL, error) { return nil, nil }

func newRegistrarServer(t testing.TB) *registrarServer {
	t.Helper()
	s := &registrarServer{registry: NewMemoryRegistry(), ca: newTestCA(t, "CA"), log: new(bytes.Buffer)}
	logger := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.registrar = newRegistrar("", s.registry, nil, logger)
	mux := http.NewServeMux()
	mux.HandleFunc(PathRegister, s.register)
	mux.HandleFunc(PathUnregister, s.unregister)
	s.Server = startTLS(t, mux, s.ca.server(t, "127.0.0.1", "localhost"))
	s.name = strings.TrimPrefix(s.URL, "https://")
	return s
}

// startTLS serves a handler with a certificate.
func startTLS(t testing.TB, h http.Handler, cert *testCA) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair()}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// config registers with a new token.
func (s *registrarServer) config() RegisterConfig {
	return RegisterConfig{URL: s.URL + "/api", Token: s.registry.MintToken(time.Hour),
		CASHA256: []string{Fingerprint(s.ca.cert)},
		Hello:    Hello{Version: "1.2.3", Hostname: "h"}, Proxy: noProxy}
}

func (s *registrarServer) agentOf(id Identity) error {
	return Unregister(context.Background(), AgentConfig{Identity: id, Proxy: noProxy})
}

func TestRegister(t *testing.T) {
	s := newRegistrarServer(t)
	next := newTestCA(t, "Next CA")
	s.authorities = func() []*x509.Certificate { return []*x509.Certificate{s.ca.cert, next.cert} }
	c := s.config()
	id, err := Register(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, s.registry.Agents(), []string{id.Agent})
	assert.Equal(t, s.URL, id.Server, "without /api")
	assert.Equal(t, s.name, id.ServerName)
	assert.Equal(t, [][]byte{s.ca.cert.Raw, next.cert.Raw}, id.Authorities, "what the server announces")
	assert.Equal(t, []string{Fingerprint(s.ca.cert), Fingerprint(next.cert)}, id.CASHA256)
	assert.WithinDuration(t, time.Now(), id.LastServerTime, time.Minute)

	key, err := s.registry.PublicKey(t.Context(), id.Agent)
	require.NoError(t, err)
	assert.Equal(t, id.Key.Public(), key)

	t.Run("another agent with the same token", func(t *testing.T) {
		other, err := Register(t.Context(), c)
		require.NoError(t, err)
		assert.NotEqual(t, id.Agent, other.Agent)
	})
	t.Run("again with the same key", func(t *testing.T) {
		c.Key, c.ServerName = id.Key, id.ServerName
		again, err := Register(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, id.Agent, again.Agent)
		assert.True(t, id.Key.Equal(again.Key))
	})
	t.Run("unregister", func(t *testing.T) {
		left := ""
		s.unregistered = func(agent string) { left = agent }
		require.NoError(t, s.agentOf(id))
		assert.Equal(t, id.Agent, left)
		assert.NotContains(t, s.registry.Agents(), id.Agent)
		require.NoError(t, s.agentOf(id), "once more: it is gone already")
	})
}

func TestRegisterRefusals(t *testing.T) {
	s := newRegistrarServer(t)
	revoked, expired := s.registry.MintToken(time.Hour), s.registry.MintToken(-time.Second)
	s.registry.Revoke(revoked)
	for token, want := range map[string]RefusalCode{
		"00000000000000000000000000000000": RefusedTokenUnknown,
		revoked:                            RefusedTokenRevoked,
		expired:                            RefusedTokenExpired,
	} {
		c := s.config()
		c.Token = token
		_, err := Register(t.Context(), c)
		r, ok := errors.AsType[*Refusal](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, want, r.Code)
	}
	assert.Empty(t, s.registry.Agents())
	assert.Len(t, s.guesses.debt, 1, "wrong tokens count")

	for _, token := range []string{"", "  ", "a b", "x\x00", strings.Repeat("x", maxToken+1), "ü"} {
		c := s.config()
		c.Token = token
		_, err := Register(t.Context(), c)
		f, ok := errors.AsType[*Failure](err)
		require.True(t, ok, "%v", err)
		assert.Contains(t, f.Hint, "--registration-token")
	}
}

func TestKeyIsNotUsedForAnotherServer(t *testing.T) {
	for name, change := range map[string]func(*registrarServer, *RegisterConfig){
		"its name is told": func(_ *registrarServer, c *RegisterConfig) {
			c.ServerName = "ecp.example.com"
		},
		"no name is told, and the URL differs": func(s *registrarServer, _ *RegisterConfig) {
			s.name = "ecp.example.com"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRegistrarServer(t)
			first, err := Register(t.Context(), s.config())
			require.NoError(t, err)
			c := s.config()
			c.Key = first.Key
			change(s, &c)
			_, err = Register(t.Context(), c)
			f, ok := errors.AsType[*Failure](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, FailedServerName, f.Code)
		})
	}
}

// post sends what no honest agent would.
func (s *registrarServer) post(t *testing.T, path string, body any) (int, *Refusal) {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		raw, err = json.Marshal(body)
		require.NoError(t, err)
	}
	resp, err := s.Client().Post(s.URL+path, "application/json", bytes.NewReader(raw))
	require.NoError(t, err)
	defer resp.Body.Close()
	var no problem
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode/100 != 2 {
		require.NoError(t, json.Unmarshal(answer, &no), "%s", answer)
	}
	return resp.StatusCode, no.Refusal
}

func TestForgedRegistrations(t *testing.T) {
	s := newRegistrarServer(t)
	s.Client().Transport = s.Server.Client().Transport
	s.Client().Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	t.Cleanup(s.Client().CloseIdleConnections)
	id, _ := newTestIdentity(t)
	other, _ := newTestIdentity(t)
	token := s.registry.MintToken(time.Hour)
	good := func() registerRequest {
		r := registerRequest{Token: token, PublicKey: id.Key.Public().(ed25519.PublicKey),
			Nonce: s.nonces.make(labelRegister)}
		r.Signature = sign(id.Key, labelRegister, r.signed(s.name)...)
		return r
	}
	tests := map[string]struct {
		body func() any
		want RefusalCode
	}{
		"not JSON":  {func() any { return []byte("{") }, RefusedBadRequest},
		"too large": {func() any { return bytes.Repeat([]byte(" "), maxRegisterBody+1) }, RefusedBadRequest},
		"no key":    {func() any { r := good(); r.PublicKey = nil; return r }, RefusedBadRequest},
		"no token":  {func() any { r := good(); r.Token = ""; return r }, RefusedTokenUnknown},
		"somebody else's key": {func() any {
			r := good()
			r.PublicKey = other.Key.Public().(ed25519.PublicKey)
			return r
		},
			RefusedBadSignature},
		"another token": {func() any { r := good(); r.Token = s.registry.MintToken(time.Hour); return r },
			RefusedBadSignature},
		"signed for another": {func() any {
			r := good()
			r.Signature = sign(id.Key, labelRegister,
				r.signed("evil")...)
			return r
		}, RefusedBadSignature},
		"signed to unregister": {func() any {
			r := good()
			r.Signature = sign(id.Key, labelUnregister,
				r.signed(s.name)...)
			return r
		}, RefusedBadSignature},
		"a nonce of one's own": {func() any { r := good(); r.Nonce = bytes.Repeat([]byte{1}, len(r.Nonce)); return r },
			RefusedBusy},
		"a nonce to unregister": {func() any { r := good(); r.Nonce = s.nonces.make(labelUnregister); return r },
			RefusedBusy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, r := s.post(t, PathRegister, tt.body())
			require.NotNil(t, r)
			assert.Equal(t, tt.want, r.Code)
			assert.Empty(t, s.registry.Agents())
		})
	}
	r := good()
	status, _ := s.post(t, PathRegister, r)
	require.Equal(t, http.StatusOK, status)
	_, no := s.post(t, PathRegister, r)
	require.NotNil(t, no, "replayed")
	assert.Equal(t, RefusedBusy, no.Code)

	id.Agent = s.registry.Agents()[0]
	leave := unregisterRequest{Agent: id.Agent, Nonce: s.nonces.make(labelUnregister)}
	leave.Signature = sign(other.Key, labelUnregister, leave.signed(s.name)...)
	_, no = s.post(t, PathUnregister, leave)
	require.NotNil(t, no)
	assert.Equal(t, RefusedBadSignature, no.Code, "nobody unregisters another one's agent")
	leave.Signature = sign(id.Key, labelUnregister, leave.signed(s.name)...)
	status, _ = s.post(t, PathUnregister, leave)
	require.Equal(t, http.StatusNoContent, status)
	_, no = s.post(t, PathRegister, good())
	require.Nil(t, no)
	leave.Agent = s.registry.Agents()[0]
	_, no = s.post(t, PathUnregister, leave)
	require.NotNil(t, no, "replayed after the agent has registered again")
	assert.Equal(t, RefusedBusy, no.Code)

	resp, err := s.Client().Get(s.URL + PathRegister)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

// slowRegistry holds registrations until it is told to go on.
type slowRegistry struct {
	*MemoryRegistry
	hold chan struct{}
}

func (r slowRegistry) Register(ctx context.Context, x Registration) (Registered, error) {
	select {
	case <-r.hold:
		return r.MemoryRegistry.Register(ctx, x)
	case <-ctx.Done():
		return Registered{}, ctx.Err()
	}
}

func TestRegistrationIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := slowRegistry{NewMemoryRegistry(), make(chan struct{})}
		s := newRegistrar("ecp.example.com", reg, nil, slog.New(slog.DiscardHandler))
		token := reg.MintToken(time.Hour)
		ask := func() *httptest.ResponseRecorder {
			id, _ := newTestIdentity(t)
			r := registerRequest{Token: token, PublicKey: id.Key.Public().(ed25519.PublicKey),
				Nonce: s.nonces.make(labelRegister)}
			r.Signature = sign(id.Key, labelRegister, r.signed(s.name)...)
			raw, err := json.Marshal(r)
			require.NoError(t, err)
			w := httptest.NewRecorder()
			s.register(w, httptest.NewRequest(http.MethodPost, PathRegister,
				bytes.NewReader(raw)).WithContext(t.Context()))
			return w
		}
		var wg sync.WaitGroup
		codes := make(chan int, 2*registerWaiting)
		for range registerWorkers + registerWaiting {
			wg.Go(func() { codes <- ask().Code })
		}
		synctest.Wait()
		begin := time.Now()
		w := ask()
		assert.Equal(t, http.StatusServiceUnavailable, w.Code, "one too many is told at once")
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		assert.Zero(t, time.Since(begin))
		<-time.After(registerPatience + time.Second)
		close(reg.hold)
		wg.Wait()
		close(codes)
		count := map[int]int{}
		for c := range codes {
			count[c]++
		}
		assert.Equal(t, map[int]int{http.StatusOK: registerWorkers, http.StatusServiceUnavailable: registerWaiting},
			count)
	})
}

func TestWrongTokensAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRateLimit[netip.Prefix](guessBurst, guessInterval, maxGuessers, time.Now)
		one, other := networkOf("192.0.2.1:4711"), networkOf("[2001:db8::1]:4711")
		tries := 0
		for g.wait(one) == 0 {
			g.count(one)
			tries++
		}
		assert.Equal(t, g.burst, tries)
		assert.LessOrEqual(t, g.wait(one), g.interval)
		assert.Equal(t, g.wait(one), g.wait(networkOf("192.0.2.1:1")), "the port does not count")
		assert.Zero(t, g.wait(other))
		<-time.After(g.wait(one))
		assert.Zero(t, g.wait(one))

		begin := time.Now()
		for range 100 {
			<-time.After(g.wait(one))
			g.count(one)
		}
		assert.InDelta(t, 100*g.interval, time.Since(begin), float64(2*g.interval))

		for i := range maxGuessers + 100 {
			g.count(networkOf(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
		}
		assert.LessOrEqual(t, len(g.debt), maxGuessers)
	})
	for in, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1/32", "192.0.2.1": "192.0.2.1/32", "[::ffff:192.0.2.1]:5": "192.0.2.1/32",
		"[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::/64", "[fe80::1%eth0]:5": "fe80::/64", "": "invalid Prefix",
		"@": "invalid Prefix",
	} {
		assert.Equal(t, want, networkOf(in).String(), in)
	}
}

func TestNonces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNonces(time.Now)
		nonce := n.make("a")
		assert.False(t, n.valid("b", nonce))
		assert.False(t, newNonces(time.Now).valid("a", nonce), "of another process")
		for i := range nonce {
			forged := bytes.Clone(nonce)
			forged[i] ^= 1
			assert.False(t, n.valid("a", forged), "byte %d", i)
		}
		assert.True(t, n.valid("a", nonce))
		assert.True(t, n.use("a", nonce))
		assert.False(t, n.use("a", nonce))
		assert.False(t, n.valid("a", nonce))
		old := n.make("a")
		<-time.After(nonceLife)
		assert.True(t, n.valid("a", old))
		<-time.After(time.Second)
		assert.False(t, n.valid("a", old))
		assert.False(t, n.valid("a", nil))

		n.limit = 100
		for range n.limit {
			assert.True(t, n.use("a", n.make("a")), "what nobody can use any more gives way")
		}
		assert.False(t, n.use("a", n.make("a")), "full: in doubt no")
		<-time.After(nonceLife + time.Second)
		assert.True(t, n.use("a", n.make("a")))
		assert.Len(t, n.used, 1)
	})
}

// TestAnswersThatAreNotOfAServer talks to what stands where an OpenECP server
// should.
func TestAnswersThatAreNotOfAServer(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"a page":        {answer(200, "text/html", "<html>"), "200 OK"},
		"nothing there": {answer(404, "text/html", "nope"), "404 Not Found"},
		"a gateway":     {answer(502, "text/html", "bad gateway"), "502 Bad Gateway"},
		"another API": {answer(404, "application/problem+json", `{"detail":"no agents are taken here"}`),
			"no agents are taken here"},
		"JSON of another":   {answer(200, "application/json", `{"hello":1}`), "without a nonce"},
		"an endless answer": {answer(200, "application/json", strings.Repeat(" ", maxAnswerBody+1)), "larger answer"},
		"a nonce too long": {answer(200, "application/json", `{"server":"x","nonce":"`+strings.Repeat("AAAA",
			1000)+`"}`),
			"without a nonce"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://u:canary@login.example.com/?x=canary", http.StatusTemporaryRedirect)
		}, "https://login.example.com"},
		"a connection closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"gives no answer"},
		"terminal codes": {answer(403, "application/problem+json",
			`{"refusal":{"code":"removed","message":"a\u001b[2Jb"}}`), "a[2Jb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			defer s.Close()
			_, err := Register(t.Context(), RegisterConfig{URL: s.URL, Token: "canary", Proxy: noProxy})
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "canary")
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
}

// TestRegisterTrustsBeforeItSpeaks checks that no byte of a request reaches a
// server with another certificate.
func TestRegisterTrustsBeforeItSpeaks(t *testing.T) {
	asked := false
	thief := startTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }),
		newTestCA(t, "Thief").server(t, "127.0.0.1"))
	for name, pins := range map[string][]string{"system": nil, "pinned": {strings.Repeat("00", 32)}} {
		_, err := Register(t.Context(), RegisterConfig{URL: thief.URL, Token: "canary", CASHA256: pins, Proxy: noProxy})
		f, ok := errors.AsType[*Failure](err)
		require.True(t, ok, "%s: %v", name, err)
		assert.Equal(t, FailedAuthority, f.Code)
	}
	thief.Close()
	assert.False(t, asked)
}

func TestRegisterWaitsForABusyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, tries := &serverCall{}, 0
		err := call.untilDone(t.Context(), func() error {
			if tries++; tries < 4 {
				return &Refusal{Code: RefusedBusy, RetryAfter: 10 * time.Second}
			}
			return nil
		})
		require.NoError(t, err)
		begin := time.Now()
		err = call.untilDone(t.Context(), func() error {
			return &Refusal{Code: RefusedBusy, RetryAfter: 10 * time.Second}
		})
		require.Error(t, err)
		assert.Equal(t, (registerTries-1)*10*time.Second, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = call.untilDone(ctx, func() error { return &Refusal{Code: RefusedBusy, RetryAfter: time.Hour} })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, errorIs[*Refusal](err), "and what it waited for")
	})
}

// TestRegistrationSecrets looks for the token and the key in everything that is
// printed, on both sides.
func TestRegistrationSecrets(t *testing.T) {
	s := newRegistrarServer(t)
	c := s.config()
	id, err := Register(t.Context(), c)
	require.NoError(t, err)
	c.Key, c.ServerName = id.Key, id.ServerName
	secrets := append(secretsOf(id.Key), c.Token)
	assertNoSecret(t, c, secrets...)
	assertNoSecret(t, &c, secrets...)
	assertNoSecret(t, Registration{Token: c.Token, PublicKey: id.Key.Public().(ed25519.PublicKey)}, c.Token)

	s.registry.Revoke(c.Token)
	_, err = Register(t.Context(), c)
	require.Error(t, err)
	require.NoError(t, s.agentOf(id))
	s.Close()
	for _, secret := range secrets {
		assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), secret)
		assert.NotContains(t, s.log.String(), secret)
	}
	assert.Contains(t, s.log.String(), "registration answered")
	assertNoSecret(t, s.registry, c.Token)
}

// TestSlowBodies checks that a client that sends nothing is not waited for.
func TestSlowBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a real deadline")
	}
	s := newRegistrarServer(t)
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", PathRegister)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*registerReading)))
	_, err = io.ReadAll(conn)
	var timeout net.Error
	assert.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the server closes first: %v", err)
}
