package agentproto

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveHTTP serves the rig's server on another listener, as a reverse proxy that
// ends TLS would: without the direct carrier.
func (r *rig) serveHTTP(withTLS bool) (url string) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(r.t, err)
	h := &http.Server{Handler: r.server, ReadHeaderTimeout: time.Minute}
	url = "http://" + l.Addr().String()
	if withTLS {
		url = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			Certificates: []tls.Certificate{r.ca.server(r.t, "127.0.0.1").pair()}})
	}
	var served sync.WaitGroup
	served.Go(func() { _ = h.Serve(l) })
	r.t.Cleanup(func() {
		_ = h.Close()
		served.Wait()
	})
	return url
}

func TestWhichCarrier(t *testing.T) {
	r := newRig(t)
	through, plain := r.serveHTTP(true), r.serveHTTP(false)
	for _, c := range []struct {
		url    string
		tunnel TunnelMode
		want   Carrier
		why    string // of the carrier, or of the failure
	}{
		{r.url, TunnelAuto, CarrierDirect, "TLS selected openecp/1"},
		{r.url, TunnelDirect, CarrierDirect, "TLS selected openecp/1"},
		{r.url, TunnelWebSocket, CarrierWebSocket, "configured"},
		{through, TunnelAuto, CarrierWebSocket, "TLS did not select openecp/1"},
		{through, TunnelDirect, "", "--tunnel auto"},
		{plain, TunnelAuto, CarrierWebSocket, "plain HTTP"},
		{plain, TunnelDirect, "", "--tunnel auto"},
	} {
		id := r.identity()
		id.Server = c.url
		a := r.agent(id, c.tunnel, never)
		if c.want == "" {
			r.eventually("it fails", func() bool { return a.status.last().Phase == PhaseWaiting })
			assert.ErrorContains(t, a.status.last().Err, c.why)
			continue
		}
		conn := r.waitConnected(id.Agent)
		assert.Equal(t, c.want, conn.Carrier)
		assert.Contains(t, conn.Hello.CarrierWhy, c.why)
		r.eventually("status says so", func() bool { return a.status.last().Phase == PhaseConnected })
		st := a.status.last()
		assert.Equal(t, c.want, st.Carrier)
		assert.Contains(t, st.Why, c.why)
		assert.Equal(t, c.url, st.Server)
		assert.Equal(t, c.url == plain, st.TLS == nil)
		a.stop()
	}
}

func TestWebSocketThatIsNotPassed(t *testing.T) {
	r := newRig(t)
	for status, code := range map[int]FailureCode{http.StatusNotFound: FailedHTTP, http.StatusOK: FailedHTTP,
		http.StatusFound: FailedHTTP} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		h := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		})}
		go func() { _ = h.Serve(l) }()
		id := r.identity()
		id.Server = "http://" + l.Addr().String()
		a := r.agent(id, TunnelAuto, never)
		r.eventually("it fails", func() bool { return a.status.last().Phase == PhaseWaiting })
		var f *Failure
		require.ErrorAs(t, a.status.last().Err, &f)
		assert.Equal(t, code, f.Code)
		assert.Equal(t, StepWebSocket, f.Step)
		a.stop()
		_ = h.Close()
	}
}

// TestCoalescer writes from a slow reader's point of view: nothing is lost or
// out of order, and pieces grow.
func TestCoalescer(t *testing.T) {
	near, far := net.Pipe()
	c := newCoalescer(near)
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	var writing sync.WaitGroup
	writing.Go(func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+len(rest)%1000)
			if _, err := c.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
		c.drain()
		_ = near.Close()
	})
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	writing.Wait()
	assert.True(t, bytes.Equal(sent, got))

	_, err = c.Write([]byte("x"))
	c.drain()
	_, again := c.Write([]byte("x"))
	assert.Error(t, again, "the error of a write shows at the next one (%v)", err)
}

func TestPauses(t *testing.T) {
	p := newPauses(AgentTimings{BackoffMin: time.Second, BackoffMax: 30 * time.Second})
	most := time.Duration(0)
	for i := range 200 {
		d := p.next(nil, 30*time.Second)
		require.GreaterOrEqual(t, d, time.Second)
		require.LessOrEqual(t, d, 30*time.Second)
		if i == 0 {
			require.LessOrEqual(t, d, 3*time.Second, "the first pause is short")
		}
		most = max(most, d)
	}
	assert.Greater(t, most, 20*time.Second)
	p.reset()
	d := p.next(&Refusal{Code: RefusedGoingAway, RetryAfter: 5 * time.Second}, 30*time.Second)
	assert.GreaterOrEqual(t, d, 6*time.Second, "never before the server's time")
	assert.LessOrEqual(t, d, 13*time.Second)
	p.reset()
	d = p.next(&Refusal{Code: RefusedBadSignature}, 30*time.Second)
	assert.GreaterOrEqual(t, d, 15*time.Second, "what needs a person is asked rarely")
}

func TestConfigsAreChecked(t *testing.T) {
	_, err := NewServer(ServerConfig{})
	require.ErrorContains(t, err, "Name")
	_, err = NewServer(ServerConfig{Name: "a"})
	require.ErrorContains(t, err, "Registry")
	_, err = NewAgent(AgentConfig{})
	require.ErrorContains(t, err, "Identity")
	id, _ := newTestIdentity(t)
	_, err = NewAgent(AgentConfig{Identity: id, Tunnel: "pigeon"})
	require.ErrorContains(t, err, "pigeon")
	id.Server = "ftp://x"
	_, err = NewAgent(AgentConfig{Identity: id})
	require.Error(t, err)
	a, err := NewAgent(AgentConfig{Identity: Identity{Agent: "a", Key: make([]byte, 64),
		Server: "https://127.0.0.1:1"}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.Run(ctx))
}

// TestALPNBeforeOthers configures a server that lists protocols of its own: what
// agents offer besides must not be preferred to the direct carrier.
func TestALPNBeforeOthers(t *testing.T) {
	r := newRig(t)
	h := &http.Server{TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
	r.server.ConfigureTLS(h)
	r.server.ConfigureTLS(h)
	assert.Equal(t, []string{ALPN, "http/1.1", "h2"}, h.TLSConfig.NextProtos)
}

// TestCork writes small pieces, and counts the records that become of them.
func TestCork(t *testing.T) {
	below := &countedWrites{}
	c := &cork{Conn: below}
	c.hold()
	for range 10 {
		_, err := c.Write(make([]byte, 4<<10))
		require.NoError(t, err)
	}
	require.NoError(t, c.release())
	assert.Equal(t, []int{recordBytes, recordBytes, 8 << 10}, below.sizes)
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	assert.Len(t, below.sizes, 4, "what is not held back passes at once")
	require.NoError(t, c.release())
}

type countedWrites struct {
	net.Conn
	sizes []int
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return len(p), nil
}
