package emqxv5_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

var (
	asKey  = ecp.Credentials{Username: "key-1f", Password: "secret-8e41", Kind: ecp.CredentialKey}
	asUser = ecp.Credentials{Username: "admin-1f", Password: "word-8e41", Kind: ecp.CredentialUser}
	either = ecp.Credentials{Username: "admin-1f", Password: "word-8e41"}
)

// door is a broker of which only the way in is real: it takes asKey as a key
// and asUser as a user, and counts.
type door struct {
	mu      sync.Mutex
	tokens  map[string]bool // guarded by mu: that are alive
	logins  int             // guarded by mu
	asked   int             // guarded by mu: other calls
	ended   string          // guarded by mu: code for a token that is none; "" = BAD_TOKEN
	refuses string          // guarded by mu: code that each login meets; "" = by the password
	gate    chan struct{}   // nil = open; else a login waits until it can receive
	broken  int             // guarded by mu: status of the next logins, 0 = well
}

// RoundTrip answers.
func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/api/v5/login" {
		return d.login(r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	header := r.Header.Get("Authorization")
	user, password, basic := r.BasicAuth()
	token, bearer := strings.CutPrefix(header, "Bearer ")
	switch {
	case basic && user == asKey.Username && password == asKey.Password:
		if strings.HasSuffix(r.URL.Path, "/listeners") {
			return reply(r, 401, `{"code":"API_KEY_NOT_ALLOW","message":"no"}`), nil
		}
	case basic:
		return reply(r, 401, `{"code":"BAD_API_KEY_OR_SECRET","message":"Check api_key/api_secret"}`), nil
	case !bearer || !d.tokens[token]:
		code := d.ended
		if code == "" {
			code = "BAD_TOKEN"
		}
		return reply(r, 401, `{"code":"`+code+`","message":"Get a token by POST /login"}`), nil
	}
	if r.URL.Path == "/api/v5/listeners" {
		return reply(r, 200, `[]`), nil
	}
	return reply(r, 200, `[{"node":"emqx@a","node_status":"running","version":"5.8.9","edition":"Enterprise"}]`), nil
}

func (d *door) login(r *http.Request) (*http.Response, error) {
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins++
	var who struct{ Username, Password string }
	_ = json.NewDecoder(r.Body).Decode(&who)
	switch {
	case d.broken != 0:
		return reply(r, d.broken, `{"code":"INTERNAL_ERROR"}`), nil
	case d.refuses != "":
		return reply(r, 401, `{"code":"`+d.refuses+`","message":"no"}`), nil
	case r.Header.Get("Authorization") != "", who.Username != asUser.Username, who.Password != asUser.Password:
		return reply(r, 401, `{"code":"BAD_USERNAME_OR_PWD","message":"Auth failed"}`), nil
	}
	token := fmt.Sprintf("token-%d-3c9a", d.logins)
	d.tokens[token] = true
	return reply(r, 200, `{"token":"`+token+`","role":"administrator","version":"5.8.9","license":{"edition":"ee"}}`),
		nil
}

func (d *door) endAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.tokens)
}

func (d *door) counts() (logins, asked int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins, d.asked
}

func reply(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

func enter(t *testing.T, d *door, who ecp.Credentials) ecp.Broker {
	t.Helper()
	d.tokens = map[string]bool{}
	b, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{BaseURL: "http://broker:18083", Transport: d,
		Credentials: who})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// call makes a call of one request.
func call(ctx context.Context, b ecp.Broker) error {
	_, err := b.(ecp.ListenerManager).Listeners(ctx)
	return err
}

// TestLogin: which credentials are sent how, how many logins that takes, and
// what remains of it.
func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name   string
		who    ecp.Credentials
		code   ecp.Code
		says   string
		logins int // for three calls
	}{
		{"a user", asUser, "", "", 1},
		{"either, and it is a user", either, "", "", 1},
		{"a key is never logged in", ecp.Credentials{
			Username: "key-2a", Password: "secret-77f0", Kind: ecp.CredentialKey,
		},
			ecp.CodeDenied, "check API key", 0},
		{"a user with a wrong password is logged in once", ecp.Credentials{
			Username: "admin-1f", Password: "wrong-7", Kind: ecp.CredentialUser,
		}, ecp.CodeDenied, "check name and password", 1},
		{"neither key nor user", ecp.Credentials{Username: "admin-1f", Password: "wrong-7"}, ecp.CodeDenied,
			"neither as an API key nor as a dashboard user", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &door{}
			b := enter(t, d, c.who)
			for range 3 {
				_, err := b.Describe(t.Context())
				require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
				if err != nil {
					require.ErrorContains(t, err, c.says)
					require.NotContains(t, fmt.Sprintf("%v %+v", err, err), c.who.Password)
				}
			}
			logins, _ := d.counts()
			require.Equal(t, c.logins, logins)
		})
	}
}

// TestKeyIsSentAsIs: a key that is taken is not logged in, and what no key may
// do is not tried otherwise.
func TestKeyIsSentAsIs(t *testing.T) {
	for _, who := range []ecp.Credentials{asKey, {Username: asKey.Username, Password: asKey.Password}} {
		d := &door{}
		b := enter(t, d, who)
		_, err := b.Describe(t.Context())
		require.NoError(t, err)
		_, before := d.counts()
		err = call(t.Context(), b)
		refusedAs(t, err, ecp.CodeDenied, "API_KEY_NOT_ALLOW", "give name and password of a dashboard user")
		logins, after := d.counts()
		require.Zero(t, logins)
		require.Equal(t, 1, after-before)
	}
}

// TestLoginAgain: a token that has ended is replaced, and the call goes on.
func TestLoginAgain(t *testing.T) {
	for _, code := range []string{"BAD_TOKEN", "TOKEN_TIME_OUT"} {
		d := &door{ended: code}
		b := enter(t, d, asUser)
		require.NoError(t, call(t.Context(), b))
		d.endAll()
		require.NoError(t, call(t.Context(), b), code)
		logins, asked := d.counts()
		require.Equal(t, 2, logins)
		require.Equal(t, 3, asked, "one was refused")
	}
}

// TestLoginThatDoesNotHold: a broker that takes no token is not asked for ever.
func TestLoginThatDoesNotHold(t *testing.T) {
	d := &door{tokens: map[string]bool{}}
	b, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{BaseURL: "http://broker:18083", Transport: forgetful{d},
		Credentials: asUser})
	require.NoError(t, err)
	defer b.Close()
	refusedAs(t, call(t.Context(), b), ecp.CodeDenied, "BAD_TOKEN", "each login ends as soon as it is made")
	logins, asked := d.counts()
	require.Equal(t, 3, logins)
	require.Equal(t, 3, asked)
}

// forgetful is a door whose tokens end at once.
type forgetful struct{ *door }

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	f.endAll()
	return f.door.RoundTrip(r)
}

// TestOneLogin: of many calls one logs in; the others wait for it, no longer
// than their contexts allow, and share what it got.
func TestOneLogin(t *testing.T) {
	for _, refuses := range []string{"", "BAD_USERNAME_OR_PWD"} {
		synctest.Test(t, func(t *testing.T) {
			d := &door{gate: make(chan struct{}), refuses: refuses}
			b := enter(t, d, asUser)
			errs := make(chan error, 20)
			for range 20 {
				go func() { errs <- call(t.Context(), b) }()
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := call(ctx, b)
			require.ErrorIs(t, err, ecp.ErrUnavailable, "%v", err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			close(d.gate)
			for range 20 {
				require.Equal(t, refuses != "", <-errs != nil)
			}
			logins, _ := d.counts()
			require.Equal(t, 1, logins)
		})
	}
}

// TestOneFailingLogin: those that waited for a login that failed for now do not
// each try it again; who comes later does.
func TestOneFailingLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{gate: make(chan struct{}), broken: 500}
		b := enter(t, d, asUser)
		errs := make(chan error, 20)
		for range 20 {
			go func() { errs <- call(t.Context(), b) }()
		}
		synctest.Wait()
		close(d.gate)
		for range 20 {
			require.ErrorIs(t, <-errs, ecp.ErrUnavailable)
		}
		logins, _ := d.counts()
		require.Equal(t, 1, logins)
		d.mu.Lock()
		d.broken = 0
		d.mu.Unlock()
		require.NoError(t, call(t.Context(), b))
	})
}

// TestLoginGivenUp: who gave up while logging in leaves the turn to the next.
func TestLoginGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{gate: make(chan struct{})}
		b := enter(t, d, asUser)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- call(ctx, b) }()
		synctest.Wait()
		go func() { second <- call(t.Context(), b) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		close(d.gate)
		require.NoError(t, <-second)
	})
}

// TestLockout: a refusal stands for five minutes, so that no account is locked
// for what we send; then it is tried again, the key first.
func TestLockout(t *testing.T) {
	for _, c := range []struct {
		who     ecp.Credentials
		refuses string
		says    string
	}{
		{asUser, "BAD_USERNAME_OR_PWD", "locks a user for ten minutes"},
		{asUser, "LOGIN_LOCKED", "then wait, or make an API key"},
		{asUser, "BAD_MFA_TOKEN", "make an API key"},
		{either, "BAD_USERNAME_OR_PWD", "neither"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &door{refuses: c.refuses}
			b := enter(t, d, c.who)
			for range 10 {
				refusedAs(t, call(t.Context(), b), ecp.CodeDenied, c.refuses, c.says)
				<-time.After(20 * time.Second)
			}
			logins, _ := d.counts()
			require.Equal(t, 1, logins)
			<-time.After(2 * time.Minute)
			d.mu.Lock()
			d.refuses = ""
			d.mu.Unlock()
			require.NoError(t, call(t.Context(), b))
			logins, _ = d.counts()
			require.Equal(t, 2, logins)
		})
	}
}

// TestTokenIsSecret: what a broker sends back of it is in no error.
func TestTokenIsSecret(t *testing.T) {
	d := &door{}
	b := enter(t, d, asUser)
	require.NoError(t, call(t.Context(), b))
	d.mu.Lock()
	d.ended = `X","message":"token-1-3c9a is none`
	clear(d.tokens)
	d.mu.Unlock()
	err := call(t.Context(), b)
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.NotContains(t, fmt.Sprintf("%v %v", err, errors.Unwrap(err)), "3c9a")
}

// TestLogout: a login ends with the broker that made it, once, and that of a
// detection at once; a key has nothing that would have to end.
func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name    string
		who     ecp.Credentials
		logouts int
	}{{"a user", asUser, 1}, {"what turns out to be a user", either, 1}, {"a key", asKey, 0}} {
		t.Run(c.name, func(t *testing.T) {
			d := &door{tokens: map[string]bool{}}
			logouts := 0
			way := roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/api/v5/logout" {
					body, _ := io.ReadAll(r.Body)
					require.JSONEq(t, `{"username":"`+c.who.Username+`"}`, string(body))
					require.True(t, strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "))
					logouts++
				}
				return d.RoundTrip(r)
			})
			e := ecp.Endpoint{BaseURL: "http://broker:18083", Credentials: c.who, Transport: way}
			b, err := emqxv5.New(emqxv5.Config{}).Open(e)
			require.NoError(t, err)
			_, err = b.Describe(t.Context())
			require.NoError(t, err)
			require.Zero(t, logouts)
			b.Close()
			b.Close()
			require.Equal(t, c.logouts, logouts)
			_, err = emqxv5.New(emqxv5.Config{}).(ecp.Detector).Detect(t.Context(), e)
			require.NoError(t, err)
			require.Equal(t, 2*c.logouts, logouts)
		})
	}
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls it.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
