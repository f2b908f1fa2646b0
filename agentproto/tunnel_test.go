package agentproto

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// echo answers with what it was asked.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.Host, " ", r.URL.RequestURI(), " ", r.Header.Get("X-Token")))
	w.WriteHeader(http.StatusCreated)
	_, _ = io.Copy(w, r.Body)
})

func TestRoundTrip(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel, func(c *AgentConfig) { c.API = echo })
		payload := make([]byte, 5<<20)
		_, _ = rand.Read(payload)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://somewhere.example/a%2Fb?x=1;y",
			bytes.NewReader(payload))
		require.NoError(t, err)
		req.Header.Set("X-Token", "t")
		req.Header.Set("Connection", "X-Hop")
		resp, err := r.client(a, HostAPI).Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusCreated, resp.StatusCode)
		assert.Equal(t, "POST api /a%2Fb?x=1;y t", resp.Header.Get("X-Seen"))
		assert.True(t, bytes.Equal(payload, got))

		c, ok := r.server.Connection(a.id)
		require.True(t, ok)
		assert.Equal(t, string(tunnel), string(c.Carrier))
		st := a.status.last()
		assert.Equal(t, PhaseConnected, st.Phase)
		assert.Equal(t, c.Carrier, st.Carrier)
		assert.NotEmpty(t, st.Why)
		assert.Equal(t, "TLS 1.3", st.TLS.Version)
	})
}

func TestAgentStopsCleanly(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel)
		began := time.Now()
		a.stop()
		require.NoError(t, <-a.err)
		r.eventually("the end is shown", func() bool { _, ok := r.events.last("disconnected"); return ok })
		e, _ := r.events.last("disconnected")
		assert.True(t, e.ending.Clean, "%s", e)
		assert.Less(t, time.Since(began), quickServer.Silence/2)
	})
}
