package emqxv5

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// lockout is how long a refused login is not tried again. From 5.9 on EMQX locks a user for
// ten minutes after five failures within five minutes.
const lockout = 5 * time.Minute

// authOf returns the authentication for credentials: an API key is sent with every request,
// a user logs in for a token. If the kind is not given, the key is tried first.
func authOf(who ecp.Credentials) emqxhttp.Auth {
	if who.Kind == ecp.CredentialKey {
		return emqxhttp.Basic(who)
	}
	l := &login{who: who, loggingIn: make(chan struct{}, 1)}
	if who.Kind != ecp.CredentialUser {
		l.key = emqxhttp.BasicHeader(who)
	}
	return l
}

// login authenticates by the token of a user, and by a key until that is refused.
type login struct {
	who       ecp.Credentials
	key       string        // header of the key; empty if it is not a key
	loggingIn chan struct{} // full while somebody logs in

	mu           sync.Mutex
	asUser       bool      // guarded by mu; the key was refused
	token        string    // guarded by mu; empty if there is none
	attempts     int       // guarded by mu; number of completed logins
	refusal      error     // guarded by mu; error of the last login
	refusedUntil time.Time // guarded by mu; until then the error counts for new calls; zero if it does not
}

// Header returns the key or the token. One caller at a time logs in. Callers that wait for
// it share the result, also a failure.
func (l *login) Header(ctx context.Context, c *emqxhttp.Client) (string, error) {
	header, tried, err := l.cached(-1)
	if header != "" || err != nil {
		return header, err
	}
	select {
	case l.loggingIn <- struct{}{}:
	case <-ctx.Done():
		return "", c.Fail(ecp.CodeUnavailable, "no answer in time to the login of another call", ctx.Err())
	}
	defer func() { <-l.loggingIn }()
	if header, _, err := l.cached(tried); header != "" || err != nil {
		return header, err
	}
	token, err := l.logIn(ctx, c)
	if err != nil && ctx.Err() != nil { // only this caller gave up
		return "", err
	}
	return l.store(token, err)
}

// cached returns the header or the error that is known already. seen is the number of
// completed logins when the caller came: it has waited for any later one.
func (l *login) cached(seen int) (header string, tried int, refusal error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refusedUntil.IsZero() && !time.Now().Before(l.refusedUntil) { // try again from the beginning
		l.refusal, l.refusedUntil, l.asUser = nil, time.Time{}, false
	}
	switch {
	case l.key != "" && !l.asUser:
		return l.key, l.attempts, nil
	case l.token != "":
		return "Bearer " + l.token, l.attempts, nil
	case l.refusal != nil && (!l.refusedUntil.IsZero() || seen >= 0 && seen != l.attempts):
		return "", l.attempts, l.refusal
	}
	return "", l.attempts, nil
}

// store stores the result of a login.
func (l *login) store(token string, err error) (header string, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	l.token, l.refusal, l.refusedUntil = token, err, time.Time{}
	if errors.Is(err, ecp.ErrDenied) {
		l.refusedUntil = time.Now().Add(lockout)
	}
	if err != nil {
		return "", err
	}
	return "Bearer " + token, nil
}

// expiredTokenCodes are the codes of a 401 after which a new token may help.
var expiredTokenCodes = map[string]bool{"BAD_TOKEN": true, "TOKEN_TIME_OUT": true}

// Refused drops a token that has expired, or a key that is not one.
func (l *login) Refused(a emqxhttp.Answer, sent string) bool {
	code := parseRefusal(a.Body).Code
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case sent == l.key && code == "BAD_API_KEY_OR_SECRET":
		l.asUser = true
		return true
	case !expiredTokenCodes[code]: // includes API_KEY_NOT_ALLOW
		return false
	case sent == "Bearer "+l.token:
		l.token = ""
	}
	return true
}

// End logs out. Otherwise EMQX would keep the login for an hour after its last use.
func (l *login) End(c *emqxhttp.Client) {
	l.mu.Lock()
	token := l.token
	l.token = ""
	l.mu.Unlock()
	if token != "" {
		c.SendDetached(emqxhttp.Request{
			Method: http.MethodPost, Path: logoutPath, Body: map[string]string{"username": l.who.Username},
		}, "Bearer "+token)
	}
}

// logIn logs in and returns the token.
func (l *login) logIn(ctx context.Context, c *emqxhttp.Client) (string, error) {
	r := emqxhttp.Request{
		Method: http.MethodPost, Path: loginPath, NoAuth: true, Idempotent: true,
		Body: map[string]string{"username": l.who.Username, "password": l.who.Password},
	}
	return emqxhttp.Query(ctx, c, r, func(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
		if !a.OK() {
			return nil, l.loginError(ctx, c, a)
		}
		return a.Body, nil
	}, func(body []byte) (string, error) {
		token, err := decodeToken(body)
		if err == nil {
			c.Redact(token)
		}
		return token, err
	})
}

// badCredentialCodes are the codes of a login with wrong credentials.
var badCredentialCodes = map[string]bool{"BAD_USERNAME_OR_PWD": true, "BAD_API_KEY_OR_SECRET": true}

// loginError returns the error for a refused login.
func (l *login) loginError(ctx context.Context, c *emqxhttp.Client, a emqxhttp.Answer) error {
	words := parseRefusal(a.Body)
	switch {
	// The broker is up and refused the key.
	case l.key != "" && badCredentialCodes[words.Code], l.key != "" && words.Message == pathMissing:
		return c.RefusedAs(a, ecp.CodeDenied, "the credentials are accepted neither as an API key nor as a dashboard "+
			"user; check API key and secret, and that the key is enabled and not expired, or name and password", words)
	case a.Status == http.StatusNotFound && c.AnswersLikeEMQX(ctx, olderPath):
		return olderMajor(c)
	case a.Status == http.StatusNotFound && (starting(a) || words.Message == pathMissing):
		return c.RefusedAs(a, ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major", words)
	}
	return refusal(c, a, words)
}

var errNoToken = errors.New("it has no valid token")

// decodeToken reads the answer of /login.
func decodeToken(body []byte) (string, error) {
	var l struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return "", errNoToken // the decoder's error may contain the token
	}
	if l.Token == "" || strings.ContainsFunc(l.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errNoToken
	}
	return l.Token, nil
}
