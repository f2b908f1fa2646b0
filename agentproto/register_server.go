package agentproto

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"time"
)

// How many registrations are worked on at once, how many more may wait, and how long. All
// others are refused as busy.
const (
	registerWorkers  = 32
	registerWaiting  = 512
	registerPatience = 5 * time.Second
	registerReading  = 10 * time.Second // for a request's body
)

// registrar answers the paths of registration.
type registrar struct {
	name         string // of the server: what agents sign
	registry     Registry
	authorities  func() []*x509.Certificate // nil if none are announced
	logger       *slog.Logger
	unregistered func(agent string) // called when an agent has left; ends its connection

	now     func() time.Time
	nonces  *nonces
	guesses *rateLimit[netip.Prefix] // wrong tokens, by address
	inside  chan struct{}            // a place for each request that is worked on or waits
	working chan struct{}
}

// newRegistrar returns the registrar of a server. authorities may be nil.
func newRegistrar(name string, registry Registry, authorities func() []*x509.Certificate,
	logger *slog.Logger) *registrar {
	return &registrar{
		name: name, registry: registry, authorities: authorities, logger: logger, unregistered: func(string) {},
		now: time.Now, nonces: newNonces(time.Now), guesses: newRateLimit[netip.Prefix](guessBurst, guessInterval,
			maxGuessers, time.Now),
		inside: make(chan struct{}, registerWorkers+registerWaiting), working: make(chan struct{}, registerWorkers),
	}
}

// register answers POST [PathRegister].
func (s *registrar) register(w http.ResponseWriter, r *http.Request) {
	var ask registerRequest
	if !s.read(w, r, &ask) {
		return
	}
	if len(ask.Nonce) == 0 {
		s.writeChallenge(w, labelRegister)
		return
	}
	switch {
	case !validToken(ask.Token):
		s.refuse(w, r, 0, &Refusal{Code: RefusedTokenUnknown,
			Message: "the registration token is not one that a server gave: copy it again from the cluster's setup " +
				"page"})
		return
	case !validPublicKey(ask.PublicKey):
		s.refuse(w, r, 0, &Refusal{Code: RefusedBadRequest, Message: "the request has no Ed25519 public key"})
		return
	case !s.nonces.valid(labelRegister, ask.Nonce):
		s.refuse(w, r, 0, staleNonce())
		return
	case !verify(ask.PublicKey, ask.Signature, labelRegister, ask.signed(s.name)...):
		s.refuse(w, r, 0, &Refusal{Code: RefusedBadSignature,
			Message: "the request is not signed with the key that it brings, for server " + s.name})
		return
	}
	if wait := s.guesses.wait(networkOf(r.RemoteAddr)); wait > 0 {
		s.refuse(w, r, http.StatusTooManyRequests, &Refusal{Code: RefusedBusy,
			Message: "too many wrong registration tokens came from this address", RetryAfter: wait})
		return
	}
	done, ok := s.enter(r.Context())
	if !ok {
		s.refuse(w, r, 0, busyNow())
		return
	}
	defer done()
	ask.Hello.Agent = ""
	got, err := s.registry.Register(r.Context(), Registration{Token: ask.Token, PublicKey: ask.PublicKey,
		Hello: ask.Hello.cleaned(), Remote: r.RemoteAddr})
	if err == nil && !validID(got.Agent) {
		err = errors.New("the registry returned an agent id that cannot travel")
	}
	if err != nil {
		s.registerFailed(w, r, err)
		return
	}
	_ = s.nonces.use(labelRegister, ask.Nonce) // a second request with it was the same one
	s.logger.DebugContext(r.Context(), "registration answered", "agent", got.Agent, "cluster", got.Cluster, "remote",
		r.RemoteAddr,
		"host", ask.Hello.cleaned().Hostname, "node", ask.Hello.cleaned().Node)
	writeJSON(w, http.StatusOK, "application/json", registerAnswer{
		Agent: got.Agent, Cluster: got.Cluster, Time: s.now().UTC(), Authorities: announced(s.authorities, s.logger),
	})
}

// registerFailed answers with the error of the registry. Wrong tokens count against the
// address.
func (s *registrar) registerFailed(w http.ResponseWriter, r *http.Request, err error) {
	refusal := refusalFor(err)
	if refusal.ofToken() {
		s.guesses.count(networkOf(r.RemoteAddr))
	}
	if _, known := errors.AsType[*Refusal](err); !known {
		s.logger.ErrorContext(r.Context(), "registration failed", "remote", r.RemoteAddr, "err", err)
	}
	s.refuse(w, r, 0, refusal)
}

// unregister answers POST [PathUnregister].
func (s *registrar) unregister(w http.ResponseWriter, r *http.Request) {
	var ask unregisterRequest
	if !s.read(w, r, &ask) {
		return
	}
	if len(ask.Nonce) == 0 {
		s.writeChallenge(w, labelUnregister)
		return
	}
	done, ok := s.enter(r.Context())
	if !ok {
		s.refuse(w, r, 0, busyNow())
		return
	}
	defer done()
	if err := s.forget(r.Context(), ask); err != nil {
		if _, known := errors.AsType[*Refusal](err); !known {
			s.logger.ErrorContext(r.Context(), "unregistering failed", "agent", ask.Agent, "remote", r.RemoteAddr,
				"err", err)
		}
		s.refuse(w, r, 0, refusalFor(err))
		return
	}
	s.logger.InfoContext(r.Context(), "agent unregistered", "agent", ask.Agent, "remote", r.RemoteAddr)
	s.unregistered(ask.Agent)
	w.WriteHeader(http.StatusNoContent)
}

// forget lets the registry forget an agent that proves itself.
func (s *registrar) forget(ctx context.Context, ask unregisterRequest) error {
	if !validID(ask.Agent) {
		return &Refusal{Code: RefusedBadRequest, Message: "the request has no valid agent id"}
	}
	if !s.nonces.valid(labelUnregister, ask.Nonce) {
		return staleNonce()
	}
	key, err := s.registry.PublicKey(ctx, ask.Agent)
	if err != nil {
		return err
	}
	if !verify(key, ask.Signature, labelUnregister, ask.signed(s.name)...) {
		return &Refusal{Code: RefusedBadSignature,
			Message: "the request is not signed with the agent's key, for server " +
				s.name}
	}
	if !s.nonces.use(labelUnregister, ask.Nonce) {
		return staleNonce()
	}
	return s.registry.Unregister(ctx, ask.Agent)
}

func staleNonce() *Refusal {
	return &Refusal{Code: RefusedBusy,
		Message:    "the nonce of the request is not of this server, too old, or used: ask for a new one",
		RetryAfter: time.Second}
}

// busyNow refuses agents that come at once, with different times to try again.
func busyNow() *Refusal {
	return &Refusal{Code: RefusedBusy, Message: "the server has more registrations to do than it can",
		RetryAfter: time.Second + rand.N(4*time.Second)}
}

// writeChallenge answers with a nonce for one purpose.
func (s *registrar) writeChallenge(w http.ResponseWriter, purpose string) {
	writeJSON(w, http.StatusOK, "application/json",
		challenge{Nonce: s.nonces.make(purpose), Server: s.name, Versions: protocolVersions, Time: s.now().UTC()})
}

// enter waits for a place among the requests that are worked on; done releases it. It
// reports false if there are too many.
func (s *registrar) enter(ctx context.Context) (done func(), ok bool) {
	select {
	case s.inside <- struct{}{}:
	default:
		return nil, false
	}
	timer := time.NewTimer(registerPatience)
	defer timer.Stop()
	select {
	case s.working <- struct{}{}:
		return func() { <-s.working; <-s.inside }, true
	case <-timer.C:
	case <-ctx.Done():
	}
	<-s.inside
	return nil, false
}

// read decodes a request of bounded size. If it cannot, it answers with an error and returns
// false.
func (s *registrar) read(w http.ResponseWriter, r *http.Request, v any) bool {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, r, http.StatusMethodNotAllowed, &Refusal{Code: RefusedBadRequest,
			Message: "registration takes POST only"})
		return false
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(registerReading)) // where it can be set
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegisterBody))
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err == nil {
		return true
	}
	status, message := 0, "the request is not the JSON that registration takes"
	if errorIs[*http.MaxBytesError](err) {
		status, message = http.StatusRequestEntityTooLarge, "the request is too large"
	}
	s.refuse(w, r, status, &Refusal{Code: RefusedBadRequest, Message: message})
	return false
}

func (s *registrar) refuse(w http.ResponseWriter, r *http.Request, status int, refusal *Refusal) {
	level := slog.LevelDebug // a stranger can send any number
	if refusal.ofToken() {
		level = slog.LevelWarn // these are counted, and bounded, by address
	}
	s.logger.Log(r.Context(), level, "request of an agent refused", "path", r.URL.Path, "remote", r.RemoteAddr, "code",
		refusal.Code)
	writeRefusal(w, status, refusal)
}
