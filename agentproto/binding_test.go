package agentproto

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// relay is a man in the middle with a certificate that the agent believes: it ends
// TLS on both sides, with the protocols of its choice, and passes all bytes on.
func (r *rig) relay(alpn ...string) (url string) {
	r.t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{r.ca.server(r.t,
			"127.0.0.1").pair()}, NextProtos: alpn, MinVersion: tls.VersionTLS12,
	})
	require.NoError(r.t, err)
	roots := x509.NewCertPool()
	roots.AddCert(r.ca.cert)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer near.Close()
				secure := near.(*tls.Conn)
				if secure.HandshakeContext(r.t.Context()) != nil {
					return
				}
				far, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: roots,
					NextProtos: []string{secure.ConnectionState().NegotiatedProtocol}, MinVersion: tls.VersionTLS12})
				if err != nil {
					return
				}
				defer func() { _ = far.Close() }()
				go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
				_, _ = io.Copy(near, far)
			})
		}
	})
	r.t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return "https://" + l.Addr().String()
}

// TestManInTheMiddle ends TLS between agent and server with a certificate that the
// agent believes. On the direct carrier the server notices: no request of anybody
// comes to the agent through such a connection.
func TestManInTheMiddle(t *testing.T) {
	r := newRig(t)
	through := func(tunnel TunnelMode, alpn ...string) (st AgentStatus) {
		id := r.identity()
		id.Server = r.relay(alpn...)
		a := r.agent(id, tunnel)
		r.eventually("the agent is refused, or connected", func() bool {
			st = a.status.last()
			return st.Phase == PhaseConnected || st.Err != nil && st.Phase != PhaseConnecting
		})
		return st
	}
	st := through(TunnelDirect, ALPN)
	require.NotNil(t, st.Refusal, "%+v", st)
	assert.Equal(t, RefusedBadSignature, st.Refusal.Code)
	assert.Empty(t, r.server.Connections())

	st = through(TunnelDirect, "http/1.1") // nor does the agent let itself be talked down
	require.Error(t, st.Err)
	assert.Empty(t, r.server.Connections())

	st = through(TunnelAuto, "http/1.1") // which is what auto is for: proxies that end TLS
	assert.Equal(t, PhaseConnected, st.Phase)
	assert.Equal(t, CarrierWebSocket, st.Carrier)
}

// TestBinding shows that only the two ends of one TLS connection agree.
func TestBinding(t *testing.T) {
	r := newRig(t)
	one, other := r.dialTLS(ALPN), r.dialTLS(ALPN)
	nonce := newNonce()
	a, err := bound(nonce, one)
	require.NoError(t, err)
	b, err := bound(nonce, newDirectConn(other))
	require.NoError(t, err)
	assert.Len(t, a, nonceSize+bindingSize)
	assert.NotEqual(t, a, b)
	plain, unbound := net.Pipe()
	defer plain.Close()
	defer unbound.Close()
	c, err := bound(nonce, plain)
	require.NoError(t, err)
	assert.Equal(t, nonce, c)
}
