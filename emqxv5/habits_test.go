package emqxv5

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// recordings adds the bodies of all recordings as seeds.
func recordings(f *testing.F) {
	names, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(b), "\n\n")
		f.Add([]byte(body))
	}
}

// FuzzNodes: whatever comes, members have names and figures that count
// something.
func FuzzNodes(f *testing.F) {
	recordings(f)
	f.Add([]byte(`[{"node":"a","node_status":"running","uptime":"9e300","connections":-1,"live_connections":null,"memory_used":"1e300T","edition":"?"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := decodeNodes(body)
		if err != nil {
			require.Empty(t, d)
			return
		}
		require.NotEmpty(t, d.Nodes)
		require.Contains(t, []string{"", "enterprise", "opensource"}, d.Edition)
		for _, n := range d.Nodes {
			require.NotEmpty(t, n.Name)
			require.Contains(t, []ecp.NodeStatus{ecp.NodeRunning, ecp.NodeStopped, ecp.NodeUnknown}, n.Status)
			require.Equal(t, n.Status == ecp.NodeUnknown, n.Error != "")
			require.Less(t, len(n.Error), 500)
			for _, figure := range []int64{int64(n.Uptime), int64(n.Connections), int64(n.Sessions), n.MemoryUsed, n.MemoryTotal} {
				require.GreaterOrEqual(t, figure, int64(0))
			}
		}
	})
}

// FuzzLicense: a limit is a number of connections or not said.
func FuzzLicense(f *testing.F) {
	recordings(f)
	f.Add([]byte(`{"max_connections":100}`))
	f.Add([]byte(`{"max_connections":1,"max_sessions":"infinity"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		limit, _ := decodeLicense(body)
		require.GreaterOrEqual(t, limit, 0)
	})
}

// FuzzSelf: any body is read or refused.
func FuzzSelf(f *testing.F) {
	recordings(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if name, err := decodeSelf(body); err != nil {
			require.Empty(t, name)
		}
	})
}
