package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// credential is one way to log in to the broker that was found.
type credential struct {
	kind   string // for people
	base   *url.URL
	name   string
	secret string
	logsIn bool // by POST /login, for a token; else it stands in each request
}

// kindUser is the kind of a user of the dashboard.
const kindUser = "dashboard user"

// credentials are the ways to log in to a broker of a major, in the order in
// which they are tried.
func (a *Access) credentials(major int) []credential {
	s := a.settings
	var all []credential
	add := func(kind string, base *url.URL, name, secret string, logsIn bool) {
		if name != "" && base != nil {
			all = append(all, credential{kind: kind, base: base, name: name, secret: secret, logsIn: logsIn})
		}
	}
	if major == 4 {
		add("application", a.api4, s.APIKey, s.APISecret, false)
		add(kindUser, a.dashboard, s.Username, s.Password, false)
		add("application", a.api4, s.Username, s.Password, false)
		return all
	}
	add("API key", a.base5, s.APIKey, s.APISecret, false)
	add(kindUser, a.base5, s.Username, s.Password, true)
	add("API key", a.base5, s.Username, s.Password, false)
	return all
}

// sameWay reports whether both log in alike and at the same place. Those of another
// major do not: what it takes has to be found out anew.
func (c credential) sameWay(o credential) bool {
	return c.kind == o.kind && c.logsIn == o.logsIn && c.base.Host == o.base.Host
}

// basic is the header Authorization of a name and its secret.
func (c credential) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.name+":"+c.secret))
}

// refusal is an answer with which the broker has refused credentials. It is kept, and
// returned again without a request.
type refusal struct {
	status int
	header http.Header
	body   []byte
	at     time.Time
	until  time.Time // until then it stands
	kind   string    // of the credentials
}

// refusalHeaders are the headers of the answer that are kept.
var refusalHeaders = []string{"Content-Type", "Www-Authenticate"}

const mostRefusal = 16 << 10 // bytes of a refusal that are kept

func refusalOf(res *http.Response, body []byte, kind string) *refusal {
	h := http.Header{}
	for _, name := range refusalHeaders {
		if v := res.Header.Values(name); len(v) > 0 {
			h[name] = v
		}
	}
	return &refusal{status: res.StatusCode, header: h, body: body, kind: kind}
}

// response answers a request with the refusal.
func (f *refusal) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(f.status), StatusCode: f.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: f.header.Clone(), Body: &keptRefusal{bytes.NewReader(f.body)}, ContentLength: int64(len(f.body)),
		Request: r,
	}
}

// keptRefusal is the body of an answer for which EMQX was not asked.
type keptRefusal struct{ *bytes.Reader }

// Close implements io.Closer.
func (*keptRefusal) Close() error { return nil }

// said are the code and words of a refusal as 5.x writes them.
func said(body []byte) (code, message string) {
	var r struct {
		Code    any `json:"code"`
		Message any `json:"message"`
	}
	_ = json.Unmarshal(body, &r) // a body without them says nothing
	code, _ = r.Code.(string)
	message, _ = r.Message.(string)
	return code, message
}

// ended are the codes of a 401 after which a new token may do, and refused those
// that say that the credentials are none.
var (
	ended   = map[string]bool{"BAD_TOKEN": true, "TOKEN_TIME_OUT": true}
	refused = map[string]bool{"BAD_API_KEY_OR_SECRET": true, "BAD_USERNAME_OR_PWD": true,
		"AUTHORIZATION_HEADER_ERROR": true}
)

// peek reads the beginning of an answer's body and puts it back.
func peek(res *http.Response) []byte {
	head, _ := io.ReadAll(io.LimitReader(res.Body, mostRefusal)) // half a refusal is one
	res.Body = &rejoined{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
	return head
}

type rejoined struct {
	io.Reader
	io.Closer
}

// loginPath and logoutPath begin and end logins of 5.x.
const (
	loginPath  = base5 + "/login"
	logoutPath = base5 + "/logout"
)

var errNoToken = errors.New("its answer to a login has no token")

// login requests a token, or returns the broker's refusal.
func (a *Access) login(ctx context.Context, c credential) (token string, no *refusal, err error) {
	body, err := json.Marshal(map[string]string{"username": c.name, "password": c.secret})
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+loginPath, bytes.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	res, err := a.transport.RoundTrip(r)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, mostRefusal))
	if err != nil {
		return "", nil, err
	}
	code, _ := said(answer)
	switch {
	case res.StatusCode == http.StatusUnauthorized, code == "LOGIN_LOCKED", refused[code]:
		return "", refusalOf(res, answer, c.kind), nil
	case res.StatusCode != http.StatusOK:
		return "", nil, fail(ecp.CodeUnavailable, "log in to EMQX", "it answered "+res.Status+"; it may be starting")
	}
	var l struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(answer, &l) != nil || l.Token == "" || strings.ContainsFunc(l.Token,
		func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", nil, fail(ecp.CodeUnavailable, "log in to EMQX", errNoToken.Error())
	}
	return l.Token, nil, nil
}

// logout ends a token: EMQX keeps each login for an hour after its last use.
func (a *Access) logout(ctx context.Context, c credential, token string) {
	body, err := json.Marshal(map[string]string{"username": c.name})
	if err != nil {
		return
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+logoutPath, bytes.NewReader(body))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	if res, err := a.transport.RoundTrip(r); err == nil {
		_, _ = io.CopyN(io.Discard, res.Body, mostRefusal)
		res.Body.Close()
	}
}

func fail(code ecp.Code, op, message string) error {
	return &ecp.Error{Code: code, Op: op, Message: message}
}
