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

// lockout is how long a login that was refused is not tried again. From 5.9 on
// EMQX locks a user for ten minutes after five refusals within five.
const lockout = 5 * time.Minute

// authOf gives what authenticates with these credentials: a key in every
// request, a user by a token; where it is not said which, the key is tried
// first.
func authOf(who ecp.Credentials) emqxhttp.Auth {
	if who.Kind == ecp.CredentialKey {
		return emqxhttp.Basic(who)
	}
	l := &login{who: who, turn: make(chan struct{}, 1)}
	if who.Kind != ecp.CredentialUser {
		l.key = emqxhttp.BasicHeader(who)
	}
	return l
}

// login authenticates by the token of a user, and by a key for as long as that
// is not refused.
type login struct {
	who  ecp.Credentials
	key  string        // the key's header; "" = it is no key
	turn chan struct{} // is full while somebody logs in

	mu      sync.Mutex
	asUser  bool      // guarded by mu: the key was refused
	token   string    // guarded by mu; "" = none
	tried   int       // guarded by mu: logins that have ended
	refusal error     // guarded by mu: what the last one ended with; nil = well
	hold    time.Time // guarded by mu: until then the refusal stands; zero = it does not
}

// Header gives the key or the token. One caller at a time logs in; those that
// waited for it share what it got, a failure too.
func (l *login) Header(ctx context.Context, c *emqxhttp.Client) (string, error) {
	header, tried, err := l.have(-1)
	if header != "" || err != nil {
		return header, err
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return "", c.Fail(ecp.CodeUnavailable, "no answer in time to the login of another call", ctx.Err())
	}
	defer func() { <-l.turn }()
	if header, _, err := l.have(tried); header != "" || err != nil {
		return header, err
	}
	token, err := l.logIn(ctx, c)
	if err != nil && ctx.Err() != nil { // ours alone: it was given up
		return "", err
	}
	return l.keep(token, err)
}

// have gives what is there to be sent or to be said. seen is the number of
// logins that had ended when the caller came: one that has ended since was
// waited for.
func (l *login) have(seen int) (header string, tried int, refusal error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hold.IsZero() && !time.Now().Before(l.hold) { // begin anew
		l.refusal, l.hold, l.asUser = nil, time.Time{}, false
	}
	switch {
	case l.key != "" && !l.asUser:
		return l.key, l.tried, nil
	case l.token != "":
		return "Bearer " + l.token, l.tried, nil
	case l.refusal != nil && (!l.hold.IsZero() || seen >= 0 && seen != l.tried):
		return "", l.tried, l.refusal
	}
	return "", l.tried, nil
}

// keep takes note of how a login ended.
func (l *login) keep(token string, err error) (header string, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried++
	l.token, l.refusal, l.hold = token, err, time.Time{}
	if errors.Is(err, ecp.ErrDenied) {
		l.hold = time.Now().Add(lockout)
	}
	if err != nil {
		return "", err
	}
	return "Bearer " + token, nil
}

// endings are the codes of a 401 after which a new token may do.
var endings = map[string]bool{"BAD_TOKEN": true, "TOKEN_TIME_OUT": true}

// Refused forgets a token that has ended, or the key where it is none.
func (l *login) Refused(a emqxhttp.Answer, sent string) bool {
	code := said(a.Body).Code
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case sent == l.key && code == "BAD_API_KEY_OR_SECRET":
		l.asUser = true
		return true
	case !endings[code]: // API_KEY_NOT_ALLOW, too
		return false
	case sent == "Bearer "+l.token:
		l.token = ""
	}
	return true
}

// End logs out: EMQX keeps each login until it ends by itself, an hour after it
// was last used.
func (l *login) End(c *emqxhttp.Client) {
	l.mu.Lock()
	token := l.token
	l.token = ""
	l.mu.Unlock()
	if token != "" {
		c.Farewell(emqxhttp.Request{Method: http.MethodPost, Path: logoutPath, Body: map[string]string{"username": l.who.Username}}, "Bearer "+token)
	}
}

// logIn asks for a token.
func (l *login) logIn(ctx context.Context, c *emqxhttp.Client) (string, error) {
	r := emqxhttp.Request{
		Method: http.MethodPost, Path: loginPath, Open: true, Again: true,
		Body: map[string]string{"username": l.who.Username, "password": l.who.Password},
	}
	return emqxhttp.Ask(ctx, c, r, func(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
		if !a.OK() {
			return nil, l.why(ctx, c, a)
		}
		return a.Body, nil
	}, func(body []byte) (string, error) {
		token, err := decodeToken(body)
		if err == nil {
			c.Hide(token)
		}
		return token, err
	})
}

// neither are the codes of a login that is refused for what was sent.
var neither = map[string]bool{"BAD_USERNAME_OR_PWD": true, "BAD_API_KEY_OR_SECRET": true}

// why gives the error for a login that is refused.
func (l *login) why(ctx context.Context, c *emqxhttp.Client, a emqxhttp.Answer) error {
	words := said(a.Body)
	switch {
	case l.key != "" && neither[words.Code], l.key != "" && words.Message == pathMissing: // the key was refused by a broker that is up
		return c.RefusedAs(a, ecp.CodeDenied, "the credentials are accepted neither as an API key nor as a dashboard user; check API key and secret, and that the key is enabled and not expired, or name and password", words)
	case a.Status == http.StatusNotFound && c.Speaks(ctx, olderPath):
		return older(c)
	case a.Status == http.StatusNotFound && (starting(a) || words.Message == pathMissing):
		return c.RefusedAs(a, ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major", words)
	}
	return refusal(c, a, words)
}

var errNoToken = errors.New("it has no token that could be sent")

// decodeToken reads the answer of /login.
func decodeToken(body []byte) (string, error) {
	var l struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return "", errNoToken // the decoder's words may have it
	}
	if l.Token == "" || strings.ContainsFunc(l.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errNoToken
	}
	return l.Token, nil
}
