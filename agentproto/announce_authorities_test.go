package agentproto

import (
	"crypto/x509"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestConnectedAgentsHearOfAuthorities announces a change of the CA while an agent
// is connected: it follows without another connection, and not where it would lock
// itself out.
func TestConnectedAgentsHearOfAuthorities(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		var list atomic.Pointer[[]*x509.Certificate]
		list.Store(&[]*x509.Certificate{})
		r := newRig(t, func(c *ServerConfig) { c.Authorities = func() []*x509.Certificate { return *list.Load() } })
		var mu sync.Mutex
		var kept [][]byte
		a := r.connected(tunnel, func(c *AgentConfig) {
			c.Save = func(id Identity) error {
				mu.Lock()
				defer mu.Unlock()
				kept = id.Authorities
				return nil
			}
		})
		now := func() [][]byte {
			mu.Lock()
			defer mu.Unlock()
			return kept
		}
		next := newTestCA(t, "next CA")
		list.Store(&[]*x509.Certificate{r.ca.cert, next.cert})
		r.server.Announce(t.Context())
		require.Equal(t, [][]byte{r.ca.cert.Raw, next.cert.Raw}, now())

		list.Store(&[]*x509.Certificate{next.cert})
		r.server.Announce(t.Context())
		assert.Len(t, now(), 2, "it does not fit the server's own certificate")
		assert.Contains(t, r.logs.String(), "an agent does not take the authorities")
		c, ok := r.server.Connection(a.id)
		require.True(t, ok)
		assert.Len(t, r.events.all(), 1, "the connection is the one of before: %v", c)
	})
}
