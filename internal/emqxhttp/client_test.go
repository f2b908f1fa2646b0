package emqxhttp

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var login = ecp.Credentials{Username: "user-4c1f", Password: `word "93ab"`}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over opens a client over a transport.
func over(t *testing.T, f roundTrip) *Client {
	t.Helper()
	c, err := Open(ecp.Endpoint{BaseURL: "http://broker:18083", Transport: f, Credentials: login},
		Config{Name: "EMQX 5",
			Booting: func(status int, kind string) bool { return status == 404 && kind == "text/html" }})
	require.NoError(t, err)
	return c
}

// to opens a client to a server with a transport of its own.
func to(t *testing.T, url string) *Client {
	t.Helper()
	c, err := Open(ecp.Endpoint{BaseURL: url, Credentials: login}, Config{Name: "EMQX 5"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func answer(r *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r,
	}
}

func TestDefaultTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, cancel := c.Bound(t.Context())
		defer cancel()
		start := time.Now()
		_, err := c.Get(ctx, "/x")
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no answer in time")
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// TestRepeats: what is worth repeating is repeated twice at most, after pauses
// within bounds; a POST only where nothing can have been done.
func TestRepeats(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	const most = 1200*time.Millisecond + 2*time.Millisecond
	for _, c := range []struct {
		name        string
		request     Request
		status      int
		kind        string
		err         error
		after       string
		sent        int
		least, most time.Duration
	}{
		{name: "refused", err: refused, sent: 3, most: most},
		{name: "POST refused", request: Request{Method: "POST"}, err: refused, sent: 3, most: most},
		{name: "502", status: 502, sent: 3, most: most},
		{name: "503", status: 503, sent: 3, most: most},
		{name: "504", status: 504, sent: 3, most: most},
		{name: "429", status: 429, sent: 3, most: most},
		{name: "503 to a POST", request: Request{Method: "POST"}, status: 503, sent: 1},
		{name: "503 to a POST that may come twice", request: Request{Method: "POST", Idempotent: true}, status: 503,
			sent: 3,
			most: most},
		{name: "503 to a PUT", request: Request{Method: "PUT"}, status: 503, sent: 3, most: most},
		{name: "503 to a DELETE", request: Request{Method: "DELETE"}, status: 503, sent: 3, most: most},
		{name: "503 is the answer", request: Request{NoRetry: []int{503}}, status: 503, sent: 1},
		{name: "503 in a second", status: 503, after: "1", sent: 3, least: 2 * time.Second, most: 2 * time.Second},
		{name: "429 in two seconds", status: 429, after: "2", sent: 3, least: 4 * time.Second, most: 4 * time.Second},
		{name: "503 tomorrow", status: 503, after: "86400", sent: 1},
		{name: "503 after the end of time", status: 503, after: "99999999999999999999", sent: 1},
		{name: "503 now", status: 503, after: "0", sent: 3},
		{name: "503 some day", status: 503, after: "soon", sent: 3, most: most},
		{name: "503 on a day gone by", status: 503, after: "Fri, 01 Jan 1999 15:04:05 GMT", sent: 3},
		{name: "reset", err: reset, sent: 3, most: most},
		{name: "an idle connection closed", err: io.EOF, sent: 3, most: most},
		{name: "POST reset", request: Request{Method: "POST"}, err: reset, sent: 1},
		{name: "no such host", err: &net.DNSError{}, sent: 1},
		{name: "booting", status: 404, kind: "text/html", sent: 3, most: most},
		{name: "POST to one that boots", request: Request{Method: "POST"}, status: 404,
			kind: "text/html; charset=utf-8",
			sent: 3, most: most},
		{name: "500", status: 500, sent: 1},
		{name: "404", status: 404, kind: "application/json", sent: 1},
		{name: "200", status: 200, sent: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				client := over(t, func(r *http.Request) (*http.Response, error) {
					sent++
					if c.err != nil {
						return nil, c.err
					}
					return answer(r, c.status, http.Header{"Retry-After": {c.after}, "Content-Type": {c.kind}}, "x"),
						nil
				})
				c.request.Path = "/x"
				start := time.Now()
				a, err := client.Do(t.Context(), c.request)
				require.Equal(t, c.sent, sent)
				require.Equal(t, c.status, a.Status)
				require.Equal(t, c.err != nil, err != nil, "%v", err)
				require.GreaterOrEqual(t, time.Since(start), c.least)
				require.LessOrEqual(t, time.Since(start), c.most)
			})
		})
	}
}

// TestCutShort: an answer that ends early is asked for again, and its beginning
// is forgotten.
func TestCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bodies := []io.Reader{
			io.MultiReader(strings.NewReader("[1,"), iotest.ErrReader(io.ErrUnexpectedEOF)), strings.NewReader("[2]"),
		}
		c := over(t, func(r *http.Request) (*http.Response, error) {
			a := answer(r, 200, nil, "")
			a.Body, bodies = io.NopCloser(bodies[0]), bodies[1:]
			return a, nil
		})
		a, err := c.Get(t.Context(), "/x")
		require.NoError(t, err)
		require.Equal(t, "[2]", string(a.Body))
	})
}

// TestPauseEndsWithContext: nobody waits for a pause whose caller has gone.
func TestPauseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			return answer(r, 503, http.Header{"Retry-After": {"1"}}, ""), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Get(ctx, "/x")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "the caller's deadline")
		require.Equal(t, 500*time.Millisecond, time.Since(start))
	})
}

// TestOptional: it takes half of what is left, and its failure is nobody's.
func TestOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, nil)
		ctx, cancel := c.Bound(t.Context())
		defer cancel()
		start := time.Now()
		c.Optional(ctx, "anything", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.Equal(t, 5*time.Second, time.Since(start))
		require.NoError(t, c.CallerGone(ctx))
		cancel()
		require.ErrorIs(t, c.CallerGone(ctx), context.Canceled)
	})
}

// renewed is a login whose token has ended once.
type renewed struct{ token string }

func (a *renewed) Header(context.Context, *Client) (string, error) { return "Bearer " + a.token, nil }

func (a *renewed) Refused(_ Answer, sent string) bool {
	again := a.token == "old"
	a.token = "new"
	return again && sent == "Bearer old"
}

// TestLoginIsRenewed: the request is sent again with what is valid now, its
// body whole, and a second refusal is the answer.
func TestLoginIsRenewed(t *testing.T) {
	for takes, want := range map[string]int{"Bearer new": 200, "Bearer other": 401} {
		var sent []string
		c := over(t, func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			require.JSONEq(t, `{"a":1}`, string(b))
			sent = append(sent, r.Header.Get("Authorization"))
			if r.Header.Get("Authorization") != takes {
				return answer(r, 401, nil, ""), nil
			}
			return answer(r, 200, nil, ""), nil
		})
		c.auth = &renewed{"old"}
		a, err := c.Do(t.Context(), Request{Method: "PUT", Path: "/x", Body: map[string]int{"a": 1}})
		require.NoError(t, err)
		require.Equal(t, want, a.Status)
		require.Equal(t, []string{"Bearer old", "Bearer new"}, sent)
	}
}

// TestPaths: what is escaped in an id arrives as it was escaped.
func TestPaths(t *testing.T) {
	for id, want := range map[string]string{
		"rule:1": "/r/rule:1", "a/b": "/r/a%2Fb", "..": "/r/%2E%2E", "a b?": "/r/a%20b%3F", "ü%": "/r/%C3%BC%25",
	} {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			require.Equal(t, want, r.URL.EscapedPath())
			require.Equal(t, "page=1", r.URL.RawQuery)
			return answer(r, 200, nil, ""), nil
		})
		_, err := c.Do(t.Context(), Request{Path: "/r/" + Segment(id), Query: url.Values{"page": {"1"}}})
		require.NoError(t, err)
	}
	c := over(t, func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "/r/rule%3A1", r.URL.RequestURI())
		return answer(r, 200, nil, ""), nil
	})
	_, err := c.Get(t.Context(), "/r/rule%3A1")
	require.NoError(t, err)
}

// TestAddresses: what a URL names is what is asked.
func TestAddresses(t *testing.T) {
	for given, want := range map[string]string{
		"http://10.1.2.3:18083/": "10.1.2.3:18083", "HTTPS://Broker": "Broker",
		"http://[2001:db8::1]:18083": "[2001:db8::1]:18083", "http://[fe80::1%25eth0]:18083": "[fe80::1%eth0]:18083",
	} {
		asked := ""
		c, err := Open(ecp.Endpoint{BaseURL: given, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.Host
			return answer(r, 200, nil, ""), nil
		})}, Config{Name: "EMQX 5"})
		require.NoError(t, err)
		_, err = c.Get(t.Context(), "/x")
		require.NoError(t, err)
		require.Equal(t, want, asked)
	}
}

// TestStream: a success is copied as it comes, within bounds; what is none is
// given back.
func TestStream(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "emqx_x 1\n") })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 200))
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := to(t, s.URL)
	begin := func(a Answer) error {
		if a.Type == "" {
			return errors.New("no type")
		}
		return nil
	}
	for _, k := range []struct {
		path   string
		status int
		copied string
		is     error
	}{
		{"/good", 200, "emqx_x 1\n", nil},
		{"/long", 200, strings.Repeat("x", 101), errTooLong},
		{"/half", 200, "half", io.ErrUnexpectedEOF},
		{"/none", 404, "", nil},
	} {
		var b strings.Builder
		a, n, err := c.Stream(t.Context(), Request{Path: k.path}, &b, 100, begin)
		require.ErrorIs(t, err, k.is, k.path)
		require.Equal(t, k.status, a.Status)
		require.Equal(t, k.copied, b.String())
		require.Len(t, k.copied, int(n))
	}
	_, n, err := c.Stream(t.Context(), Request{Path: "/good"}, failingWriter{}, 100, begin)
	require.Zero(t, n)
	require.ErrorContains(t, err, "could not be written")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestEveryRequest(t *testing.T) {
	c := over(t, func(r *http.Request) (*http.Response, error) {
		require.Equal(t, http.MethodGet, r.Method)
		require.Equal(t, "http://broker:18083/api/v5/nodes", r.URL.String())
		require.Equal(t, "application/json", r.Header.Get("Accept"))
		return answer(r, 200, http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}}, "[]"), nil
	})
	a, err := c.Get(t.Context(), "/api/v5/nodes")
	require.NoError(t, err)
	require.Equal(t, Answer{
		Request: Request{Path: "/api/v5/nodes"}, Status: 200, Type: "application/json", Body: []byte("[]"),
	}, a)
}

// TestLessIsEnough: a request may say that less is read than of others.
func TestLessIsEnough(t *testing.T) {
	c := over(t, func(r *http.Request) (*http.Response, error) { return answer(r, 200, nil, "12345"), nil })
	a, err := c.Do(t.Context(), Request{Path: "/x", MaxAnswer: 5})
	require.NoError(t, err)
	require.Equal(t, "12345", string(a.Body))
	_, err = c.Do(t.Context(), Request{Path: "/x", MaxAnswer: 4})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
}

func TestBodiesAreBounded(t *testing.T) {
	full := strings.Repeat("x", defaultMaxAnswer)
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		ok   bool
		most int
	}{
		{"just fits", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, full) }, true,
			defaultMaxAnswer},
		{"a byte too long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, full+"x") }, false,
			0},
		{"says that it is too long", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length",
				"99999999999")
		}, false, 0},
		{"grows when it is unpacked", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, full+"x")
			_ = z.Close()
		}, false, 0},
		{"a refusal is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, full)
		}, true, maxRefusal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(c.h)
			defer s.Close()
			a, err := to(t, s.URL).Get(t.Context(), "/x")
			require.Equal(t, c.ok, err == nil, "%v", err)
			require.Len(t, a.Body, c.most)
			if err != nil {
				require.ErrorIs(t, err, errTooLong)
				require.ErrorIs(t, err, ecp.ErrUnavailable)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		t.Errorf("the other host was asked for %s", r.URL)
	}))
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/near", http.RedirectHandler("/there", http.StatusMovedPermanently))
	mux.Handle("/far", http.RedirectHandler(other.URL+"/there", http.StatusFound))
	mux.Handle("/circle", http.RedirectHandler("/circle", http.StatusFound))
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := to(t, s.URL)
	a, err := c.Get(t.Context(), "/near")
	require.NoError(t, err)
	require.Equal(t, login.Username, string(a.Body), "credentials go along on the same host")
	for _, path := range []string{"/far", "/circle"} {
		a, err := c.Get(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, http.StatusFound, a.Status)
		err = c.Refused(a, Checks{}, ecp.BrokerError{})
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.ErrorContains(t, err, "redirects")
	}
}

// TestUnreached: each way to get no answer says what to check.
func TestUnreached(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, c := range []struct {
		name string
		c    *Client
		code ecp.Code
		says string
	}{
		{"not trusted", to(t, secure.URL), ecp.CodeUnavailable, "certificate is not trusted"},
		{"plain", to(t, strings.Replace(plain.URL, "http:", "https:", 1)), ecp.CodeUnavailable, "use http://"},
		{"another's certificate", failing(t,
			&tls.CertificateVerificationError{Err: x509.HostnameError{
				Certificate: &x509.Certificate{}, Host: "10.1.2.3",
			}}), ecp.CodeUnavailable, "certificate is for other names"},
		{"no TLS", failing(t, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
			ecp.CodeUnavailable, "use http://"},
		{"no such host", failing(t, &net.DNSError{Err: "no such host"}), ecp.CodeUnavailable, "host name is not known"},
		{"reset", failing(t, syscall.ECONNRESET), ecp.CodeUnavailable, "closed the connection"},
		{"anything", failing(t, errors.New("odd")), ecp.CodeUnavailable, "cannot be reached"},
		{"a tunnel's own error", failing(t, &ecp.Error{
			Code: ecp.CodeConflict, Op: "reach agent", Message: "two agents",
		}),
			ecp.CodeConflict, "reach agent: two agents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.c.Get(t.Context(), "/x")
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "EMQX 5 at ")
		})
	}
}

func failing(t *testing.T, err error) *Client {
	return over(t, func(*http.Request) (*http.Response, error) { return nil, err })
}

// TestErrorsAreShortAndClean: whatever is in an answer, an error is short and
// has no credentials, not even the half that a cut would leave.
func TestErrorsAreShortAndClean(t *testing.T) {
	c := over(t, nil)
	long := strings.Repeat(login.Password+" "+login.Username+" ", 1000)
	for _, err := range []error{
		c.Refused(Answer{Request: Request{Path: "/x"}, Status: 401, Type: long, Body: []byte(long)}, Checks{},
			ecp.BrokerError{Message: long}),
		c.Unreadable(Answer{Request: Request{Path: "/x"}, Status: 200, Type: "text/html", Body: []byte(long)},
			errors.New(long)),
		c.Fail(ecp.CodeUnavailable, "no", errors.New(long)),
	} {
		require.Less(t, len(err.Error()), 600)
		require.Less(t, len(errors.Unwrap(err).Error()), 700)
		for _, text := range []string{err.Error(), errors.Unwrap(err).Error()} {
			require.NotContains(t, text, "93ab")
			require.NotContains(t, text, "4c1f")
		}
	}
	quote := c.quote(Answer{Body: []byte(strings.Repeat("é", 1000))}).Error()
	require.Less(t, len(quote), 300)
	require.NotContains(t, quote, "�")
}

func TestRefused(t *testing.T) {
	c := over(t, nil)
	for status, want := range map[int]ecp.Code{
		301: ecp.CodeUnsupported, 400: ecp.CodeInternal, 401: ecp.CodeDenied, 403: ecp.CodeDenied,
		404: ecp.CodeUnsupported,
		405: ecp.CodeUnsupported, 429: ecp.CodeUnavailable, 500: ecp.CodeUnavailable, 503: ecp.CodeUnavailable,
	} {
		err := c.Refused(Answer{Request: Request{Path: "/x"}, Status: status}, Checks{
			Login: "check the key", Role: "check the role",
		}, ecp.BrokerError{})
		require.Equal(t, want, ecp.CodeOf(err), status)
	}
}

// FuzzOpen: an endpoint is taken or refused, and a refusal repeats none of it.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{"http://10.1.2.3:18083", "https://[::1]:18084/", "http://u:secretsecret@h",
		"u:secretsecret@h", "http://h/%zz", "//h", "http://h:70000", "http://h?q"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		c, err := Open(ecp.Endpoint{BaseURL: url}, Config{})
		if err == nil {
			require.Regexp(t, `^https?://[^/?#@]+$`, c.base)
			return
		}
		require.ErrorIs(t, err, ecp.ErrInvalid)
		if len(url) > 10 && !strings.HasPrefix("http://10.1.2.3:18083", url) {
			require.NotContains(t, err.Error(), url)
		}
	})
}
