package agentproto

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slow is longer than any input of a fuzz test may take.
const slow = 30 * time.Second

// within fails the test if f has not returned in time: the input made a loop, or
// somebody waits for ever.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	late := time.NewTimer(slow)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		t.Fatalf("%s takes longer than %s", what, slow)
	}
}

// fuzzInBubble is Fuzz for what waits for its peer: in a bubble of synctest nobody
// waits for a clock, so that there are thousands of executions and not dozens.
func fuzzInBubble(f *testing.F, test func(t *testing.T, bytes []byte)) {
	f.Helper()
	f.Fuzz(func(t *testing.T, bytes []byte) {
		synctest.Test(t, func(t *testing.T) {
			test(t, bytes)
			// net/http ends a connection a second after its GOAWAY: no goroutine may be left after more
			<-time.After(time.Minute)
		})
	})
}

// FuzzFrame reads messages of the handshake: never more than one, never more than
// its bound, and what was read can be written and read again.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}rest"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00\x00\x0e{\"agent\":\"a\"}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := bytes.NewReader(raw)
		var p proof
		if err := readFrame(in, &p); err != nil {
			return
		}
		if read, want := len(raw)-in.Len(), 4+int(binary.BigEndian.Uint32(raw)); read != want || want > 4+maxFrame {
			t.Fatalf("read %d bytes of a message of %d", read, want)
		}
		var out bytes.Buffer
		err := writeFrame(&out, p)
		if errors.Is(err, errFrameTooLarge) || p.Hello.Time.Year() > 9999 {
			return
		}
		require.NoError(t, err)
		var again proof
		require.NoError(t, readFrame(&out, &again))
		require.Equal(t, toJSON(t, p), toJSON(t, again))
	})
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// FuzzRegisterBody posts bodies to both paths of registration. Nobody registers
// by chance, the answer is always a challenge or a refusal, and a token shows
// nowhere.
func FuzzRegisterBody(f *testing.F) {
	const canary = "canary0123456789abcdef0123456789"
	f.Add([]byte(`{}`), true)
	f.Add([]byte(`{"token":"`+canary+`","publicKey":"AA==","nonce":"AAAA","signature":"AA=="}`), true)
	f.Add([]byte(`{"token":"`+canary+
		`","publicKey":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","hello":{"time":"2026-01-02T03:04:05Z"},"nonce":"AAAA"}`), true)
	f.Add([]byte(`{"agent":"agent-1","nonce":"AAAA"}`), false)
	f.Fuzz(func(t *testing.T, body []byte, register bool) {
		registry := NewMemoryRegistry()
		var log bytes.Buffer
		s := newRegistrar("ecp.example.com", registry, nil, slog.New(slog.NewJSONHandler(&log,
			&slog.HandlerOptions{Level: slog.LevelDebug})))
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, PathRegister, bytes.NewReader(body))
		if register {
			s.register(w, r)
		} else {
			s.unregister(w, r)
		}
		require.Empty(t, registry.Agents())
		if w.Code == http.StatusOK {
			var asked challenge
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &asked))
			require.Equal(t, "ecp.example.com", asked.Server)
			return
		}
		var no problem
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &no))
		require.NotNil(t, no.Refusal)
		require.NotEmpty(t, no.Refusal.Message)
		require.NotContains(t, log.String()+w.Body.String(), canary)
	})
}

// FuzzAnswer reads what is answered to a registration, by whoever answers.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", "", []byte(`{"agent":"a"}`))
	f.Add(403, "application/problem+json", "",
		[]byte(`{"status":403,"detail":"x","refusal":{"code":"token_unknown","message":"m"}}`))
	f.Add(302, "text/html", "https://user:canary@else.example.com/?token=canary", []byte(`<html>`))
	f.Add(503, "application/problem+json", "", []byte(`{"refusal":{"code":"busy","retryAfterMs":99999999999999}}`))
	f.Fuzz(func(t *testing.T, status int, media, location string, body []byte) {
		call := &serverCall{dialer: &serverDialer{server: &url.URL{Scheme: "https", Host: "ecp.example.com"}}}
		resp := &http.Response{StatusCode: status, Status: http.StatusText(status),
			Header: http.Header{"Content-Type": {media}, "Location": {location}, "Retry-After": {media}}}
		if d := retryAfter(media); d < 0 || d > maxRetryAfter {
			t.Fatalf("retry after %s", d)
		}
		var got registerAnswer
		err := call.answer(resp, body, &got)
		if err == nil {
			return
		}
		if text := err.Error(); len(text) > 2*maxMessage || cleanText(text, 1<<20) != strings.TrimSpace(text) {
			t.Fatalf("an error that is not fit to be shown: %q", text)
		}
		require.NotContains(t, err.Error(), "user:canary")
	})
}

// FuzzFingerprint reads fingerprints as people paste them.
func FuzzFingerprint(f *testing.F) {
	f.Add("SHA256:" + strings.Repeat("AB:", 31) + "AB")
	f.Add(strings.Repeat("ab", 32))
	f.Fuzz(func(t *testing.T, word string) {
		got, err := parseFingerprints([]string{word})
		if err != nil {
			return
		}
		require.Regexp(t, "^[0-9a-f]{64}$", got[0])
		again, err := parseFingerprints(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

// FuzzProxyAnswer is what a proxy says to CONNECT: of a tunnel no byte behind the
// header is taken, and the proxy's password shows nowhere.
func FuzzProxyAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nrest"))
	f.Add([]byte("HTTP/1.1 407 no\r\nProxy-Authenticate: Basic\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 200\n\n"))
	proxy, err := url.Parse("http://user:canary@proxy.example.com")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		conn := &oneSided{in: bytes.NewReader(raw)}
		err := connect(conn, proxy, "ecp.example.com:443")
		if err == nil {
			head := raw[:len(raw)-conn.in.Len()]
			require.True(t, bytes.HasSuffix(head, []byte("\n\n")) || bytes.HasSuffix(head, []byte("\r\n\r\n")))
			require.LessOrEqual(t, len(head), maxProxyAnswer)
			return
		}
		shown := explainProxy(err, "proxy.example.com:80", "ecp.example.com:443").Error()
		require.NotContains(t, shown, "canary")
		require.Equal(t, cleanText(shown, 1<<20), shown)
	})
}

// oneSided is a connection that reads what it was given and writes into nothing.
type oneSided struct {
	net.Conn
	in *bytes.Reader
}

func (c *oneSided) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *oneSided) Write(p []byte) (int, error) { return len(p), nil }

// FuzzGoodbyeFrame reads a stream in pieces of any size: it ended with a goodbye if
// its last bytes are one, and not otherwise.
func FuzzGoodbyeFrame(f *testing.F) {
	f.Add([]byte(goodbyeFrame), byte(3))
	f.Add([]byte("x"+goodbyeFrame+goodbyeFrame[:9]), byte(1))
	f.Add([]byte(goodbyeFrame[:8]+goodbyeFrame), byte(5))
	f.Add([]byte(goodbyeFrame+"x"), byte(17))
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		c := newCarrierConn(CarrierDirect, &oneSided{in: bytes.NewReader(stream)}, nil, nil)
		buf := make([]byte, int(piece)+1)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
		clean, _ := c.ending("peer", time.Minute)
		require.Equal(t, bytes.HasSuffix(stream, []byte(goodbyeFrame)), clean, "%q", stream)
	})
}

// FuzzCoalescer writes in pieces of any size: nothing is lost, doubled or out of
// order.
func FuzzCoalescer(f *testing.F) {
	f.Add([]byte("abc"), []byte{1, 2})
	f.Add(bytes.Repeat([]byte("x"), 40000), []byte{0, 255, 7})
	f.Fuzz(func(t *testing.T, sent, sizes []byte) {
		near, far := net.Pipe()
		c := newCoalescer(near)
		go func() {
			rest := sent
			for i := 0; len(rest) > 0; i++ {
				n := len(rest)
				if len(sizes) > 0 {
					n = min(n, 1+int(sizes[i%len(sizes)])*(1+i%100))
				}
				if _, err := c.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			c.drain()
			_ = near.Close()
		}()
		var got []byte
		within(t, "coalescing", func() { got, _ = io.ReadAll(far) })
		require.True(t, bytes.Equal(sent, got), "%d bytes became %d", len(sent), len(got))
	})
}

// FuzzRefusal: what was decoded is the same after it has travelled.
func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"code":"removed","message":"by a person","retryAfterMs":5}`))
	f.Add([]byte(`{"code":"busy","retryAfterMs":-1}`))
	f.Add([]byte(`{"retryAfterMs":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, again Refusal
		if json.Unmarshal(data, &r) != nil {
			return
		}
		require.GreaterOrEqual(t, r.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, r.RetryAfter, maxRetryAfter)
		require.NoError(t, json.Unmarshal([]byte(toJSON(t, r)), &again))
		require.Equal(t, r, again)
		clean := r.cleaned()
		require.Equal(t, clean, clean.cleaned())
	})
}

// FuzzHostileAgent is whatever an agent that has proved itself sends in place of
// HTTP/2. The server's calls end, and so does the session.
func FuzzHostileAgent(f *testing.F) {
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	f.Add([]byte(settings))
	// an answer 200
	f.Add([]byte(settings + settings[:4] + "\x01\x00\x00\x00\x00" + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"))
	f.Add([]byte(settings + "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")) // GOAWAY
	// no streams at all
	f.Add([]byte("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00"))
	f.Add([]byte(settings + goodbyeFrame))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	timings := ServerTimings{Heartbeat: 20 * time.Millisecond, Silence: 60 * time.Millisecond}.withDefaults()
	fuzzInBubble(f, func(t *testing.T, bytes []byte) {
		dialer := newDialer(timings)
		defer dialer.CloseIdleConnections()
		near, far := net.Pipe()
		c := newCarrierConn(CarrierDirect, near, near.Close, near.Close)
		c.onNews = func() {}
		sess := newSession(Connection{Agent: "agent-1"}, c)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, far)
		}()
		go func() { _, _ = far.Write(bytes) }()
		within(t, "a call of the agent", func() {
			if err := sess.start(t.Context(), dialer); err == nil {
				_ = sess.ping(t.Context(), 30*time.Millisecond)
				for _, err := range sess.reports(context.WithoutCancel(t.Context()), pathReports, Position{}) {
					_ = err // whatever it is
				}
			}
			_ = c.Close()
			<-drained
		})
		_ = far.Close()
		require.False(t, sess.live())
	})
}

// FuzzHostileServer is whatever a server sends after its verdict. The agent gives
// up by itself, and nobody gets past the virtual hosts.
func FuzzHostileServer(f *testing.F) {
	const start = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	f.Add([]byte(start))
	f.Add([]byte(start + "\x00\x00\x00\x04\x01\x00\x00\x00\x00" + goodbyeFrame))
	f.Add([]byte(start + "\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x86\x84"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: api\r\n\r\n"))
	f.Add([]byte{})
	id, _ := newTestIdentity(f)
	fuzzInBubble(f, func(t *testing.T, bytes []byte) {
		a, err := NewAgent(AgentConfig{
			Identity: id, Timings: AgentTimings{Heartbeat: 20 * time.Millisecond, Silence: 60 * time.Millisecond,
				Handshake: 50 * time.Millisecond, Drain: 10 * time.Millisecond},
			API: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.Host != string(HostAPI) {
					t.Errorf("the API was reached as host %q", r.Host)
				}
			}),
		})
		require.NoError(t, err)
		near, far := net.Pipe()
		c := newCarrierConn(CarrierDirect, near, near.Close, near.Close)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		go func() { _, _ = far.Write(bytes) }()
		within(t, "a server that says nothing more", func() {
			_ = a.serve(ctx, way{conn: c}, proven{Version: 1})
			a.work.Wait()
		})
		_ = far.Close()
	})
}

// FuzzWebSocket sends bytes to the WebSocket carrier before any proof: frames of
// any kind, or none. The server ends it, keeps nobody and leaks nothing.
func FuzzWebSocket(f *testing.F) {
	f.Add([]byte("\x82\x80\x00\x00\x00\x00"))                     // an empty binary message, masked
	f.Add([]byte("\x82\x86\x00\x00\x00\x00\x00\x00\x00\x02{}"))   // a message of the handshake
	f.Add([]byte("\x81\x82\x00\x00\x00\x00hi"))                   // text
	f.Add([]byte("\x88\x82\x00\x00\x00\x00\x03\xe8"))             // close
	f.Add([]byte("\x89\x80\x00\x00\x00\x00"))                     // ping
	f.Add([]byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00")) // a length without an end
	f.Add([]byte("\x02\x01x"))                                    // not masked, not final
	_, known := newTestIdentity(f)
	s, err := NewServer(ServerConfig{Name: "ecp.example.com", Registry: known,
		Timings: ServerTimings{Handshake: time.Second}})
	require.NoError(f, err)
	const ask = "GET " + PathConnect +
		" HTTP/1.1\r\nHost: ecp.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	f.Fuzz(func(t *testing.T, bytes []byte) {
		near, far := net.Pipe()
		l := newSingleListener(near)
		h := &http.Server{Handler: s, ReadHeaderTimeout: time.Second,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = h.Serve(l)
		}()
		go func() {
			_, _ = far.Write(append([]byte(ask), bytes...))
			_ = far.Close()
		}()
		within(t, "a WebSocket without a proof", func() {
			_, _ = io.Copy(io.Discard, far)
			_ = far.Close()
			<-ended
			s.work.Wait()
		})
		_ = h.Close()
		require.Zero(t, s.gate.len())
		require.Empty(t, s.Connections())
	})
}

// FuzzLogs reads pages of logs: what comes out is bounded whatever went in, and can be
// shown; a page without an end is an error.
func FuzzLogs(f *testing.F) {
	f.Add([]byte(`{"passed":true}` + "\n" + `{"at":"2026-11-29T08:00:00Z","text":"a\u0000\n b","mark":"1"}` + "\n" +
		`{"end":"done"}` + "\n"))
	f.Add([]byte(`{"gap":"x\u001b[31m","mark":"1"}` + "\n" + `{"end":"more"}`))
	f.Add([]byte(`{"error":{"code":"unreadable","message":"no\nway"}}` + "\n"))
	f.Add([]byte(`{"at":"9999-12-31T23:59:59-23:00","text":"` + strings.Repeat("x", maxLogText+1) + `"}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var err error
		ended := false
		for m, e := range decodeLogs(bytes.NewReader(raw)) {
			require.False(t, ended || err != nil, "something behind the end")
			ended, err = m.End != "", e
			require.LessOrEqual(t, len(m.Text), maxLogText)
			require.LessOrEqual(t, len(m.Mark), maxLogMark)
			require.Equal(t, cleanText(m.Gap, maxMessage), m.Gap)
			var out bytes.Buffer
			require.NoError(t, m.encode(&out), "what was read can be shown")
			require.LessOrEqual(t, out.Len(), maxLogMessage)
		}
		require.True(t, ended || err != nil)
	})
}
