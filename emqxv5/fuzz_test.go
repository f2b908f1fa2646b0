package emqxv5

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/emqxtest"
)

// FuzzNodes: whatever comes, members have names and figures that count
// something.
func FuzzNodes(f *testing.F) {
	emqxtest.AddBodies(f)
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
			emqxtest.CheckNode(t, n)
		}
	})
}

// FuzzLicense: a limit is a number of connections or not said.
func FuzzLicense(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(`{"max_connections":100}`))
	f.Add([]byte(`{"max_connections":1,"max_sessions":"infinity"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		limit, _ := decodeLimit(body)
		require.GreaterOrEqual(t, limit, 0)
	})
}

// FuzzSelf: any body is read or refused.
func FuzzSelf(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if name, err := decodeSelf(body); err != nil {
			require.Empty(t, name)
		}
	})
}
