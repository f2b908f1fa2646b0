package agentproto

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestVersionsAreAgreedOn lets servers and agents of neighbouring releases meet:
// each speaks its newest version and the two before it.
func TestVersionsAreAgreedOn(t *testing.T) {
	id, known := newTestIdentity(t)
	for name, c := range map[string]struct {
		server, agent []int
		want          int    // 0 means refused
		words         string // of the refusal
	}{
		"the same":                     {[]int{1}, []int{1}, 1, ""},
		"the same three":               {[]int{4, 5, 6}, []int{4, 5, 6}, 6, ""},
		"an agent one behind":          {[]int{4, 5, 6}, []int{3, 4, 5}, 5, ""},
		"an agent two behind":          {[]int{4, 5, 6}, []int{2, 3, 4}, 4, ""},
		"an agent three behind":        {[]int{4, 5, 6}, []int{1, 2, 3}, 0, "The agent is too old"},
		"a server one behind":          {[]int{3, 4, 5}, []int{4, 5, 6}, 5, ""},
		"a server two behind":          {[]int{2, 3, 4}, []int{4, 5, 6}, 4, ""},
		"a server three behind":        {[]int{1, 2, 3}, []int{4, 5, 6}, 0, "The server is too old"},
		"a new agent and a first one":  {[]int{1}, []int{2, 3, 4}, 0, "server version 1. The server is too old"},
		"a server that left out a bad": {[]int{4, 6}, []int{4, 5}, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server, agent := accepting(known), proving(id)
			server.Versions, agent.Versions = c.server, c.agent
			h, serverErr, p, agentErr := meet(t, server, agent)
			if c.want != 0 {
				require.NoError(t, serverErr)
				require.NoError(t, agentErr)
				assert.Equal(t, c.want, p.Version)
				assert.Equal(t, c.want, h.Connection.Protocol)
				assert.NoError(t, checkVersions(c.agent, c.server))
				return
			}
			require.Error(t, serverErr)
			// when it connects, and before it registers
			for _, err := range []error{agentErr, checkVersions(c.agent, c.server)} {
				r, ok := errors.AsType[*Refusal](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, RefusedUnsupportedProtocol, r.Code)
				assert.Contains(t, r.Message, c.words)
				assert.False(t, r.Final(), "an update of the other side helps, and no hand is needed at the agent")
			}
		})
	}
}

func TestOldAgentsSpendNoToken(t *testing.T) {
	s := newRegistrarServer(t)
	config := s.config()
	other := startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, "application/json", challenge{Nonce: newNonce(), Server: "ecp.example.com",
			Versions: []int{7, 8, 9}})
	}), s.ca.server(t, "127.0.0.1"))
	config.URL = other.URL
	_, err := Register(t.Context(), config)
	r, ok := errors.AsType[*Refusal](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, RefusedUnsupportedProtocol, r.Code)
	assert.Contains(t, r.Message, "versions 7 to 9")
}

// TestOnlyThreeVersionsAreSpoken keeps the promise of spec.md: the newest and the
// two before it.
func TestOnlyThreeVersionsAreSpoken(t *testing.T) {
	require.NotEmpty(t, protocolVersions)
	require.LessOrEqual(t, len(protocolVersions), 3)
	for i, v := range protocolVersions {
		require.Equal(t, protocolVersions[0]+i, v)
	}
}

// TestTooManyAuthorities announces what agents would not take: they are served
// all the same.
func TestTooManyAuthorities(t *testing.T) {
	ca := newTestCA(t, "one of many").cert
	many := make([]*x509.Certificate, 140) // a bundle of the public ones
	for i := range many {
		many[i] = ca
	}
	require.ErrorContains(t, CheckAuthorities(many), "140 certificates")
	big := *ca
	big.Raw = make([]byte, maxAnnounced+1)
	require.ErrorContains(t, CheckAuthorities([]*x509.Certificate{&big}), "bytes")
	require.NoError(t, CheckAuthorities(many[:maxAuthorities]))
	require.Empty(t, announced(func() []*x509.Certificate { return many }, slog.New(slog.DiscardHandler)))

	r := newRig(t, func(c *ServerConfig) { c.Authorities = func() []*x509.Certificate { return many } })
	r.connected(TunnelDirect)
	assert.Contains(t, r.logs.String(), "no authorities are announced")
}
