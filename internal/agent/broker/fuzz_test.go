package broker

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/agent/home"
)

// FuzzHOCONText: a text that is written in quotes is read as it was.
func FuzzHOCONText(f *testing.F) {
	f.Add("public")
	f.Add(`a"b\c`)
	f.Add("${x} # y // z }")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\n") {
			return // a text of one line
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		if text == "" || strings.HasPrefix(quoted, `""`) {
			return
		}
		got := parseHOCON("dashboard {\n default_password = \"" + quoted + "\" # set\n default_username = admin\n}")
		require.Equal(t, text, got[keyPassword])
		require.Equal(t, "admin", got[keyUser])
	})
}

// FuzzBrokerFile reads broker.json, whatever is in it: an error repeats no secret,
// and what was read can be stored and read again.
func FuzzBrokerFile(f *testing.F) {
	f.Add([]byte(`{"username":"admin","password":"canary-password"}`))
	f.Add([]byte(`{"apiKey":"k","apiSecret":"canary-secret","dashboardUrl":"http://127.0.0.1:18083"}`))
	f.Add([]byte(`{"dashboardUrl":"http://admin:canary-password@h","password":["canary-password"]}`))
	f.Add([]byte(`{"password":"canary-password","username":5`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := home.Dir(t.TempDir())
		require.NoError(t, os.MkdirAll(filepath.Dir(dir.Broker()), 0o700))
		require.NoError(t, os.WriteFile(dir.Broker(), raw, 0o600))
		s, err := Load(dir)
		if err != nil {
			require.NotContains(t, err.Error(), "canary-")
			return
		}
		require.NoError(t, Save(dir, s))
		again, err := Load(dir)
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

// answering is a broker that answers everything with the same.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: a.status, Status: http.StatusText(a.status), Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(a.body)), Request: r}, nil
}

// FuzzKeyFile reads a file of keys: what is taken is a key and a secret of one line.
func FuzzKeyFile(f *testing.F) {
	f.Add("# keys\nkey:secret:administrator\n")
	f.Add("viewer:x:viewer\nkey:secret")
	f.Add(":::\n\n:")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		key, secret, err := keyIn(path)
		if err != nil {
			return
		}
		require.NotEmpty(t, key)
		require.NotEmpty(t, secret)
		require.NotContains(t, key+secret, "\n")
		require.Contains(t, text, key+":"+secret)
	})
}

// FuzzLogin is whatever EMQX, or what stands in its place, answers to a login: a
// token that is taken can stand in a header, and no error has the password.
func FuzzLogin(f *testing.F) {
	f.Add(200, []byte(`{"token":"abc"}`))
	f.Add(200, []byte(`{"token":"a\r\nX: y"}`))
	f.Add(401, []byte(`{"code":"BAD_USERNAME_OR_PWD","message":"Auth failed"}`))
	f.Add(503, []byte(`{"code":{},"message":[]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 999 {
			return
		}
		a, err := New(Config{Settings: Settings{Username: "admin", Password: "canary-password"}})
		require.NoError(t, err)
		defer a.Close(t.Context())
		a.base5 = a.dashboard
		a.transport.RegisterProtocol("http", answering{status, body})
		token, no, err := a.login(t.Context(), a.credentials(5)[0])
		switch {
		case err != nil:
			require.NotContains(t, err.Error(), "canary-password")
		case no != nil:
			require.LessOrEqual(t, len(no.body), mostRefusal)
		default:
			require.Regexp(t, "^[!-~]+$", token)
		}
		res, err := (answering{status, body}).RoundTrip(&http.Request{})
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		require.LessOrEqual(t, len(peek(res)), mostRefusal)
		whole, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, whole), "peek lost something")
	})
}

// FuzzPath: a path that is let through has no step up, however often somebody
// behind unescapes it.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/api/v5/nodes", "/a/%2e%2e/b", "/%252e%252e%255c", "/..;x/y", "/a%2Fb",
		"/%25%32%65%25%32%65/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if checkPath(raw) != "" {
			return
		}
		for range deepest {
			for part := range strings.SplitSeq(strings.ReplaceAll(raw, `\`, "/"), "/") {
				name, _, _ := strings.Cut(part, ";")
				require.NotEqual(t, "..", name, "%q", raw)
			}
			raw = unescape(raw)
		}
	})
}
