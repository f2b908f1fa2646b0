package agentproto

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func withAPI(h http.HandlerFunc) func(*AgentConfig) { return func(c *AgentConfig) { c.API = h } }

func TestAnswersStream(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		next := make(chan string)
		a := r.connected(tunnel, withAPI(func(w http.ResponseWriter, _ *http.Request) {
			for line := range next {
				fmt.Fprintln(w, line)
				_ = http.NewResponseController(w).Flush()
			}
		}))
		next2 := sync.OnceFunc(func() { close(next) })
		defer next2()
		go func() { next <- "one" }()
		resp, err := r.client(a, HostAPI).Get("http://x/")
		require.NoError(t, err)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		require.True(t, lines.Scan())
		assert.Equal(t, "one", lines.Text())
		next <- "two" // only now: each piece arrives by itself
		require.True(t, lines.Scan())
		assert.Equal(t, "two", lines.Text())
		next2()
		assert.False(t, lines.Scan())
	})
}

// TestManyStreams holds more streams open than HTTP/2 allows by default, and
// asks something else meanwhile.
func TestManyStreams(t *testing.T) {
	const streams = 300
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		release := make(chan struct{})
		var arrived sync.WaitGroup
		arrived.Add(streams)
		a := r.connected(tunnel, withAPI(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/hold" {
				arrived.Done()
				<-release
			}
			fmt.Fprint(w, q.URL.Path)
		}))
		var held sync.WaitGroup
		for range streams {
			held.Go(func() {
				if code, body := get(t, r.client(a, HostAPI), "http://x/hold"); code != 200 || body != "/hold" {
					t.Errorf("got %d %q", code, body)
				}
			})
		}
		arrived.Wait()
		_, body := get(t, r.client(a, HostAPI), "http://x/small")
		assert.Equal(t, "/small", body)
		close(release)
		held.Wait()
	})
}

// TestBulkLeavesRoomForControl takes every place that requests of people have.
func TestBulkLeavesRoomForControl(t *testing.T) {
	r := newRig(t)
	var arrived sync.WaitGroup
	arrived.Add(maxStreams - reservedStreams)
	a := r.connected(TunnelDirect, withAPI(func(_ http.ResponseWriter, q *http.Request) {
		arrived.Done()
		<-q.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	var held sync.WaitGroup
	for range maxStreams - reservedStreams {
		held.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/", http.NoBody)
			if resp, err := r.server.Transport(a.id, HostAPI).RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		})
	}
	arrived.Wait()
	late, cancelLate := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelLate()
	req, err := http.NewRequestWithContext(late, http.MethodGet, "http://x/", http.NoBody)
	require.NoError(t, err)
	_, err = r.server.Transport(a.id, HostAPI).RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.DeadlineExceeded, "one more has to wait")
	sess, ok := r.server.session(a.id)
	require.True(t, ok)
	assert.True(t, sess.ping(t.Context(), patience), "control calls have places of their own")
	cancel()
	held.Wait()
}

// endless is a body without end.
type endless struct{ sent chan int }

func (e endless) Read(p []byte) (int, error) {
	select {
	case e.sent <- len(p):
	default:
	}
	return len(p), nil
}

func TestStalledStreamsBlockNobody(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel, withAPI(func(w http.ResponseWriter, q *http.Request) {
			switch q.URL.Path {
			case "/stall": // reads nothing
				_ = http.NewResponseController(w).Flush()
				<-q.Context().Done()
			case "/flood":
				for q.Context().Err() == nil {
					_, _ = w.Write(make([]byte, 64<<10))
				}
			default:
				n, _ := io.Copy(io.Discard, q.Body)
				fmt.Fprint(w, n)
			}
		}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		client := r.client(a, HostAPI)
		for range 8 { // more than one window of the connection, were it as small as that of a stream
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x/stall", endless{})
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			req, err = http.NewRequestWithContext(ctx, http.MethodGet, "http://x/flood", http.NoBody)
			require.NoError(t, err)
			resp, err = client.Do(req) // and reads nothing of the answer
			require.NoError(t, err)
			defer resp.Body.Close()
		}
		for range 3 {
			const size = 3 * agentStreamWindow
			resp, err := client.Post("http://x/take", "", io.LimitReader(endless{}, size))
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, fmt.Sprint(size), string(got))
		}
	})
}

// TestVirtualHosts tries to reach one host by the transport of another one.
func TestVirtualHosts(t *testing.T) {
	mark := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { fmt.Fprint(w, name, " ", q.Host) })
	}
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel, func(c *AgentConfig) { c.API, c.Dashboard = mark("the API"), mark("the dashboard") })
		for _, at := range []string{"http://api/", "https://control/v1/ping", "http://api:80/x", "http://u@api/",
			"http://dashboard/"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
			require.NoError(t, err)
			for _, host := range []string{"", "api", "api:80", "control"} {
				req.Host = host
				req.Header.Set("Host", "api")
				for _, opaque := range []string{"", "//api/v5", "http://api/v5"} {
					req.URL.Opaque = opaque
					for _, upgrade := range []string{"", "websocket"} {
						req.Header.Del("Upgrade")
						req.Header.Del("Connection")
						if upgrade != "" {
							req.Header.Set("Upgrade", upgrade)
							req.Header.Set("Connection", "keep-alive, Upgrade")
						}
						resp, err := r.server.Transport(a.id, HostDashboard).RoundTrip(req)
						require.NoError(t, err, "%s host %q opaque %q upgrade %q", at, host, opaque, upgrade)
						body, err := io.ReadAll(resp.Body)
						require.NoError(t, err)
						require.NoError(t, resp.Body.Close())
						assert.Equal(t, "the dashboard dashboard", string(body), "%s host %q opaque %q upgrade %q", at,
							host, opaque,
							upgrade)
					}
				}
			}
		}
		req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Scheme: "http", Host: "api"}, Host: "api",
			Header: http.Header{}}
		//nolint:bodyclose // there is none
		_, err := r.server.Transport(a.id, HostDashboard).RoundTrip(req.WithContext(t.Context()))
		require.ErrorContains(t, err, "CONNECT")
		//nolint:bodyclose // there is none
		_, err = r.server.Transport(a.id, "elsewhere").RoundTrip(req.WithContext(t.Context()))
		require.ErrorContains(t, err, "no virtual host")
		_, err = r.server.Dial(t.Context(), a.id, "elsewhere")
		require.ErrorContains(t, err, "no virtual host")
		_, err = r.server.Dial(t.Context(), a.id, HostControl)
		require.ErrorContains(t, err, "405")
	})
}

func TestHostsThatAreNotOffered(t *testing.T) {
	r := newRig(t)
	a := r.connected(TunnelDirect)
	for _, host := range []Host{HostAPI, HostDashboard} {
		code, body := get(t, r.client(a, host), "http://x/")
		assert.Equal(t, http.StatusNotFound, code)
		assert.Contains(t, body, "does not offer")
	}
}

func TestPanicsAreContained(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel, withAPI(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/panic" {
				panic("a fault in a handler")
			}
			fmt.Fprint(w, "ok")
		}))
		before, _ := r.server.Connection(a.id)
		_, err := r.client(a, HostAPI).Get("http://x/panic") //nolint:bodyclose // there is none
		require.Error(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/panic", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("Connection", "Upgrade")
		_, err = r.client(a, HostAPI).Do(req) //nolint:bodyclose // there is none
		require.Error(t, err)
		_, body := get(t, r.client(a, HostAPI), "http://x/")
		assert.Equal(t, "ok", body)
		after, _ := r.server.Connection(a.id)
		assert.Equal(t, before.Since, after.Since, "the connection is the same")
	})
}

// shout answers an upgrade with each line in capitals.
func shout(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhello\n")
	_ = rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		if line == "bye\n" {
			fmt.Fprint(rw, "last words\n")
			_ = rw.Flush()
			return
		}
		fmt.Fprint(rw, strings.ToUpper(line))
		_ = rw.Flush()
	}
}

func TestUpgrade(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel, func(c *AgentConfig) { c.Dashboard = http.HandlerFunc(shout) })
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/socket", http.NoBody)
			require.NoError(t, err)
			req.Header.Set("Upgrade", "shout")
			req.Header.Set("Connection", "Upgrade")
			resp, err := r.server.Transport(a.id, HostDashboard).RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
			assert.Equal(t, "shout", resp.Header.Get("Upgrade"))
			defer func() { _ = resp.Body.Close() }()
			both, ok := resp.Body.(io.ReadWriteCloser)
			require.True(t, ok)
			lines := bufio.NewReader(both)
			line, err := lines.ReadString('\n') // the agent's side speaks first
			require.NoError(t, err)
			assert.Equal(t, "hello\n", line)
			big := strings.Repeat("a", 200<<10) + "\n"
			go func() { _, _ = io.WriteString(both, big) }()
			line, err = lines.ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, strings.ToUpper(big), line)
			_, err = io.WriteString(both, "bye\n")
			require.NoError(t, err)
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			assert.Equal(t, "last words\n", string(rest), "what was written before the end arrives")
			require.NoError(t, both.Close())
		}
	})
}

func TestDialHasDeadlines(t *testing.T) {
	r := newRig(t)
	a := r.connected(TunnelDirect, func(c *AgentConfig) { c.Dashboard = http.HandlerFunc(shout) })
	conn, err := r.server.Dial(t.Context(), a.id, HostDashboard)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\nhi\nbye\n")
	require.NoError(t, err)
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(got), "hello\nHI\nlast words\n"), "%q", got)
}
