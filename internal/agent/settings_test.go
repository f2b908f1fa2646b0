package agent_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
)

// TestParseSettings: the product's keys and ours; what is not known of the product's
// is told, of ours refused with its line.
func TestParseSettings(t *testing.T) {
	s, err := agent.ParseSettings([]byte(`
logger:
  level: debug
  file: /x
heartbeat:
  interval: 5s
monitoring.interval: 20s
monitoring:
  exporter_url: http://127.0.0.1:8085
elasticsearch: {urls: [a]}
openecp:
  tunnel: websocket
  proxy: http://u:p@proxy:3128
`))
	require.NoError(t, err)
	require.Equal(t, slog.LevelDebug, s.LogLevel)
	require.Equal(t, 5*time.Second, s.Heartbeat)
	require.Equal(t, 20*time.Second, s.Monitoring)
	require.Equal(t, agentproto.TunnelWebSocket, s.Tunnel)
	require.Equal(t, "http://u:p@proxy:3128", s.Proxy)
	require.Equal(t, []string{"line 4: logger.file is not used", "line 9: monitoring.exporter_url is not used",
		"line 10: elasticsearch is not used"}, s.Ignored)

	for text, says := range map[string]string{
		"openecp: {tunel: auto}": "line 1: openecp.tunel is not known; known are openecp.buffer.age, " +
			"openecp.buffer.size, openecp.proxy, openecp.tunnel",
		"\nopenecp:\n  tunnel: fast":         "line 3: openecp.tunnel has to be auto",
		"openecp: 5":                         "has to be a section",
		"openecp: {proxy: ftp://u:canary@x}": "openecp.proxy has to be the URL of a proxy",
		"heartbeat: {interval: 1h}":          "line 1: heartbeat.interval has to be a time from 1s to 30s",
		"heartbeat: {interval: [1]}":         "has to be a single value",
		"monitoring: {interval: 5}":          "has to be a time",
		"logger: loud":                       "line 1: logger has to be debug",
		"a: [":                               "it is not YAML",
		"- a":                                "has to be a section",
		"logger: info\nlogger: debug":        "line 2: logger is there twice, first in line 1",
		"heartbeat: {interval: 5s}\nheartbeat.interval: 6s": "line 2: heartbeat.interval is there twice, first in " +
			"line 1",
	} {
		_, err := agent.ParseSettings([]byte(text))
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "canary")
	}
	for _, text := range []string{"", "# nothing", "null", "logger:", "logger: info"} {
		s, err := agent.ParseSettings([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, 10*time.Second, s.Monitoring)
	}
	wrong, err := agent.ParseSettings([]byte("logger: loud\nmonitoring: {interval: 3s}"))
	require.Error(t, err)
	require.Equal(t, 3*time.Second, wrong.Monitoring, "what is right counts")
}

// FuzzParseSettings: any text gives settings within their bounds, in bounded time. A
// worker of go test -fuzz seems to stand still while it makes an input smaller, which
// may take a minute for each: use -fuzzminimizetime=2s.
func FuzzParseSettings(f *testing.F) {
	for _, text := range []string{"a: &a [*a]", "a: &a {b: *a}", "logger: &x {level: *x}", "heartbeat: {interval: 10s}",
		"openecp: {tunnel: auto}", "? {a: b} : c", "!!binary x: y", "heartbeat: &h\n  heartbeat: *h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		s, _ := agent.ParseSettings([]byte(text))
		if took := time.Since(begin); took > 5*time.Second {
			t.Fatalf("%d bytes take %s", len(text), took)
		}
		if s.Monitoring < time.Second || s.Monitoring > 30*time.Second || s.Heartbeat < time.Second ||
			s.Heartbeat > 30*time.Second {
			t.Fatalf("%+v", s)
		}
	})
}

// TestBufferSettings: what is kept for a server that is away.
func TestBufferSettings(t *testing.T) {
	usual := agent.BufferSettings{Age: 6 * time.Hour, Size: 32 << 20}
	for text, want := range map[string]agent.BufferSettings{
		"":                                       usual,
		"openecp: {buffer: {}}":                  usual,
		"openecp: {buffer: {age: 90m}}":          {Age: 90 * time.Minute, Size: 32 << 20},
		"openecp: {buffer: {size: 4 MiB}}":       {Age: 6 * time.Hour, Size: 4 << 20},
		"openecp: {buffer: {size: 2000000}}":     {Age: 6 * time.Hour, Size: 2_000_000},
		"openecp: {buffer: {age: 0}}":            {Size: 32 << 20},
		"openecp: {buffer: {age: 24h, size: 0}}": {Age: 24 * time.Hour},
	} {
		s, err := agent.ParseSettings([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, s.Buffer, text)
	}
	for text, says := range map[string]string{
		"openecp: {buffer: {age: 5s}}":       "openecp.buffer.age has to be a time from 10m0s",
		"openecp: {buffer: {age: 2000h}}":    "openecp.buffer.age has to be a time",
		"openecp: {buffer: {size: 5}}":       "openecp.buffer.size has to be a size from 1MiB",
		"openecp: {buffer: {size: 9999GiB}}": "openecp.buffer.size has to be a size",
		"openecp: {buffer: {size: -1}}":      "openecp.buffer.size has to be a size",
	} {
		_, err := agent.ParseSettings([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
}
