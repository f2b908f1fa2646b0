package sqlstore_test

import (
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Watchers that begin at old changes and then do not go on hold a little of them
// each, however many and large these are.
func TestWatchersThatDoNotGoOnHoldLittle(t *testing.T) {
	const watchers, changes, size = 300, 400, 8 << 10
	s := open(t)
	for n := range changes {
		require.NoError(t, s.Write(t.Context(), func(tx ecp.Tx) error {
			return ecp.Put(tx, ecp.Org{Name: "large", Description: strings.Repeat("x", size), Revision: int64(n)},
				ecp.AnyVersion)
		}))
	}
	before := heap()
	for range watchers {
		next, stop := iter.Pull2(s.Changes(t.Context(), 0))
		t.Cleanup(stop)
		c, err, _ := next()
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Seq)
	}
	each := (heap() - before) / watchers
	require.Less(t, each, int64(100<<10), "bytes that one watcher holds")
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
