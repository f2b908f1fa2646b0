package agent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
)

// FuzzStatus reads what an agent's socket answers: what is shown of it is the same
// when it is encoded again.
func FuzzStatus(f *testing.F) {
	f.Add(
		[]byte(
			`{"version":"1","home":"/x","phase":"connected","server":{"url":"https://h","since":"2026-01-02T03:04:05Z"},"broker":{"credentials":"API key"}}`))
	f.Add([]byte(`{"report":{"members":[{"name":"a","status":"running"}],"errors":[{"stage":"nodeConnect"}]},"todo":["x"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var s, again Status
		if json.Unmarshal(body, &s) != nil {
			return
		}
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(raw), string(twice))
	})
}

// FuzzWay changes the way to the server in any agent.yaml: what comes out says so,
// and its other settings are as they were.
func FuzzWay(f *testing.F) {
	for _, text := range []string{"", "# mine\n", "# mine", "!", "null", "---", "logger: warn\n",
		"openecp:\n  proxy: none\n", "monitoring: {interval: 3s}\n", "openecp: &x {tunnel: direct}\ny: *x\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before, err := ParseSettings([]byte(text))
		if err != nil {
			require.Less(t, len(err.Error()), 1<<20)
			return
		}
		after, err := withWay([]byte(text), agentproto.TunnelWebSocket, "http://proxy.example.com:3128")
		if err != nil {
			require.False(t, strings.Contains(err.Error(), "proxy.example.com"))
			return
		}
		got, err := ParseSettings(after)
		require.NoError(t, err)
		require.Equal(t, agentproto.TunnelWebSocket, got.Tunnel, "%q became %q", text, after)
		require.Equal(t, "http://proxy.example.com:3128", got.Proxy)
		require.Equal(t, before.Monitoring, got.Monitoring)
		require.Equal(t, before.LogLevel, got.LogLevel)
	})
}
