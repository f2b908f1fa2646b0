package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
)

func TestSaveWay(t *testing.T) {
	for name, c := range map[string]struct{ before, tunnel, proxy, after string }{
		"nothing said":   {"logger: info\n", "", "", "logger: info\n"},
		"no file":        {"", "websocket", "none", "openecp:\n  tunnel: websocket\n  proxy: none\n"},
		"comments alone": {"# mine\n", "", "none", "# mine\nopenecp:\n  proxy: none\n"},
		"theirs stays": {
			"# mine\nlogger: debug # loud\nopenecp:\n  # why\n  proxy: http://old:3128\nmonitoring:\n  " +
				"exporter_url: x\n",
			"direct", "http://new:3128",
			"# mine\nlogger: debug # loud\nopenecp:\n  # why\n  proxy: http://new:3128\n  tunnel: " +
				"direct\nmonitoring:\n  " +
				"exporter_url: x\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "etc", "agent.yaml")
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			if c.before != "" {
				require.NoError(t, os.WriteFile(path, []byte(c.before), 0o600))
			}
			require.NoError(t, SaveWay(dir, agentproto.TunnelMode(c.tunnel), c.proxy))
			after, err := os.ReadFile(path)
			if c.after != "" {
				require.NoError(t, err)
			}
			require.Equal(t, c.after, string(after))
			s, err := ReadSettings(dir)
			require.NoError(t, err)
			if c.proxy != "" {
				require.Equal(t, c.proxy, s.Proxy)
			}
			if c.tunnel != "" {
				require.Equal(t, agentproto.TunnelMode(c.tunnel), s.Tunnel)
			}
		})
	}
}

// A file that is wrong is left as it is: a person has to look at it.
func TestSaveWayLeavesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etc", "agent.yaml")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("logger: [\n"), 0o600))
	require.ErrorContains(t, SaveWay(dir, agentproto.TunnelDirect, ""), path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "logger: [\n", string(after))
}
