package agentproto

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RegisterConfig configures [Register]. URL and Token are required. It is printed without
// token and key.
type RegisterConfig struct {
	URL   string // of the server, as [ParseServerURL] reads it
	Token string // secret; sent in the body of one request, after the server is trusted

	// CASHA256 are fingerprints, in hex, of the CAs that may sign the server's
	// certificate. If there are none, the agent trusts the CAs of the operating system.
	CASHA256 []string

	// Key is the key of an agent that is to be registered again as the same agent.
	// ServerName is then the name of the server that it was registered with; if it is
	// empty, that is the host of URL. Register refuses a server of another name, which
	// could use proofs of the key elsewhere. If Key is nil, Register makes a new key.
	Key        ed25519.PrivateKey
	ServerName string

	Hello Hello // what the agent tells the server about itself

	Proxy     func(*url.URL) (*url.URL, error) // nil means HTTPS_PROXY and NO_PROXY
	Now       func() time.Time                 // nil means time.Now
	BuildTime time.Time                        // of the program: a clock that is behind it is wrong
}

// Format prints the configuration without its secrets, for every verb.
func (c RegisterConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "registration at %s (token and key redacted)", showURL(c.URL))
}

// MarshalJSON encodes the configuration without its secrets.
func (c RegisterConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"url": showURL(c.URL), "caSha256": c.CASHA256, "hello": c.Hello})
}

// registerTries is how often a busy server is asked.
const registerTries = 8

// Register exchanges a registration token for an identity, which the caller has to store.
// It makes a key, unless the configuration has one, and proves possession of it. The token
// is sent only to a server that the agent trusts. A busy server is asked again after the
// time that it asks for, until ctx ends. If the server refuses, the error is a *[Refusal];
// if it cannot be reached, a *[Failure].
func Register(ctx context.Context, c RegisterConfig) (Identity, error) {
	c.Token = strings.TrimSpace(c.Token)
	if !validToken(c.Token) {
		return Identity{}, &Failure{Step: StepAddress, Code: FailedAddress,
			Message: "the registration token is empty, or has characters that no token has",
			Hint:    "Copy it from the cluster's setup page: --registration-token TOKEN"}
	}
	server, err := ParseServerURL(c.URL)
	if err != nil {
		return Identity{}, err
	}
	pins, err := parseFingerprints(c.CASHA256)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Key: c.Key, Server: server.String(), ServerName: c.ServerName, CASHA256: pins}
	if c.Key == nil {
		if _, id.Key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return Identity{}, err
		}
	} else if len(c.Key) != ed25519.PrivateKeySize {
		return Identity{}, errors.New("register: the key is no Ed25519 key")
	} else if id.ServerName == "" {
		id.ServerName = server.Host
	}
	call, err := newServerCall(id, c.Proxy, c.Now, c.BuildTime)
	if err != nil {
		return Identity{}, err
	}
	defer call.close()
	var answer registerAnswer
	err = call.untilDone(ctx, func() error {
		answer = registerAnswer{}
		return call.register(ctx, c, &id, &answer)
	})
	if err != nil {
		return Identity{}, err
	}
	id.Agent, id.Cluster = answer.Agent, cleanText(answer.Cluster, maxWord)
	if !validID(id.Agent) {
		return Identity{}, call.notOurs("an answer without an agent id")
	}
	// An announcement that cannot be followed is reported at each connection.
	id, _, _ = id.learnedFrom(call.dialer.trust, call.chain, false, answer.Authorities, answer.Time)
	return id, nil
}

// serverCall makes HTTP requests to one server.
type serverCall struct {
	dialer    *serverDialer
	client    *http.Client
	transport *http.Transport
	chain     []*x509.Certificate // verified; empty over plain HTTP
}

func newServerCall(id Identity, proxy func(*url.URL) (*url.URL, error), now func() time.Time,
	buildTime time.Time) (*serverCall, error) {
	d, err := newServerDialer(id, proxy, now, buildTime)
	if err != nil {
		return nil, err
	}
	return newServerCallOn(d), nil
}

func newServerCallOn(d *serverDialer) *serverCall {
	call := &serverCall{dialer: d}
	call.transport = d.transport(func(chain []*x509.Certificate) { call.chain = chain })
	call.client = &http.Client{
		Transport: call.transport,
		// A token goes to the server it is meant for and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return call
}

func (c *serverCall) close() { c.transport.CloseIdleConnections() }

// untilDone calls try again while the server is busy, at the times that the server asks for.
func (c *serverCall) untilDone(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		busy, ok := errors.AsType[*Refusal](err)
		if !ok || busy.Code != RefusedBusy || n == registerTries {
			return err
		}
		timer := time.NewTimer(max(busy.RetryAfter, 100*time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// register asks for a nonce, signs it, and asks for an identity.
func (c *serverCall) register(ctx context.Context, config RegisterConfig, id *Identity, answer *registerAnswer) error {
	asked, err := c.challenge(ctx, PathRegister)
	if err != nil {
		return err
	}
	if err := checkVersions(protocolVersions, asked.Versions); err != nil {
		return err
	}
	if id.ServerName == "" { // a new key, which has signed nothing yet
		id.ServerName = asked.Server
	}
	if err := checkServerName(asked.Server, id.ServerName); err != nil {
		return err
	}
	pub, _ := id.Key.Public().(ed25519.PublicKey) // of every Ed25519 key
	ask := registerRequest{Token: config.Token, PublicKey: pub, Hello: config.Hello.cleaned(), Nonce: asked.Nonce}
	ask.Hello.Agent, ask.Hello.Time = "", c.dialer.trust.now().UTC()
	ask.Signature = sign(id.Key, labelRegister, ask.signed(id.ServerName)...)
	return c.post(ctx, PathRegister, ask, answer)
}

// challenge asks for a nonce.
func (c *serverCall) challenge(ctx context.Context, path string) (challenge, error) {
	var asked challenge
	if err := c.post(ctx, path, struct{}{}, &asked); err != nil {
		return challenge{}, err
	}
	if len(asked.Nonce) < nonceSize || len(asked.Nonce) > maxHTTPNonce || asked.Server == "" ||
		len(asked.Server) > maxWord {
		return challenge{}, c.notOurs("an answer without a nonce or a name")
	}
	return asked, nil
}

// post sends a request and decodes the answer into out, unless that is nil.
// Errors hold nothing of the request.
func (c *serverCall) post(ctx context.Context, path string, ask, out any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	to := c.dialer.server.JoinPath(path).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", "openecp-agent")
	resp, err := c.client.Do(req)
	if err != nil {
		return c.explainHTTP(ctx, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBody+1))
	if err != nil {
		return c.explainHTTP(ctx, err)
	}
	return c.answer(resp, raw, out)
}

// answer decodes an answer. It returns an error if the server refuses.
func (c *serverCall) answer(resp *http.Response, raw []byte, out any) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var no problem
	switch {
	case len(raw) > maxAnswerBody:
		return c.notOurs("a larger answer than a server has")
	case resp.StatusCode/100 == 2 && out == nil:
		return nil
	case resp.StatusCode/100 == 2 && media == "application/json" && json.Unmarshal(raw, out) == nil:
		return nil
	case resp.StatusCode/100 == 3:
		return c.redirected(resp)
	case media == "application/problem+json" && json.Unmarshal(raw, &no) == nil && no.Refusal != nil:
		return no.Refusal.cleaned()
	case no.Detail != "":
		return c.notOurs(fmt.Sprintf("%s (%s)", cleanText(resp.Status, 100), cleanText(no.Detail, maxWord)))
	}
	return c.notOurs(cleanText(resp.Status, 100))
}

// explainHTTP returns the error for a request without an answer. Errors of the dialer
// explain themselves.
func (c *serverCall) explainHTTP(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return &Failure{Step: StepHTTP, Code: FailedHTTP, Err: err,
		Message: fmt.Sprintf("%s gives no answer to HTTP: %v", c.dialer.server.Host, err),
		Hint:    "Check that the port is that of the OpenECP server, and what stands in between"}
}

// notOurs returns the error for an answer that is not of an OpenECP server.
func (c *serverCall) notOurs(what string) *Failure {
	return &Failure{Step: StepHTTP, Code: FailedHTTP,
		Message: fmt.Sprintf("%s answers agents with %s", c.dialer.server, what),
		Hint:    "Check that the URL is that of an OpenECP server that takes agents, as its setup page shows it"}
}

func (c *serverCall) redirected(resp *http.Response) *Failure {
	f := c.notOurs(cleanText(resp.Status, 100))
	if to, err := resp.Location(); err == nil && to.Host != "" {
		f.Message += " to " + showURL(to.Scheme+"://"+to.Host)
		f.Hint = "Give the URL where the server itself answers; agents follow no redirects"
	}
	return f
}
