package agentproto

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFloodFromOneAddress shows that whoever fills the gate pays for it alone.
func TestFloodFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 50
		g := newGate(most, time.Second)
		var evicted atomic.Int64
		flood := func(n int) (in int) {
			for i := range n {
				if _, ok := g.enter(fmt.Sprintf("192.0.2.1:%d", 1000+i),
					func() error { evicted.Add(1); return nil }); ok {
					in++
				}
			}
			return in
		}
		spared := func() error { t.Error("a connection of another address gave way"); return nil }
		leaveSlow, ok := g.enter("198.51.100.9:1", spared) // over a slow line, before the flood
		require.True(t, ok)
		assert.Equal(t, most-1, flood(10*most), "all that fit")
		leave, ok := g.enter("198.51.100.7:1", spared)
		assert.True(t, ok, "an agent from elsewhere gets in at once")
		synctest.Wait()
		assert.EqualValues(t, 1, evicted.Load(), "one of the flood gave way")
		leave()
		<-time.After(5 * time.Second)
		evicted.Store(0)
		flood(10 * most) // only its own give way
		synctest.Wait()
		assert.EqualValues(t, most-2, evicted.Load())
		leaveSlow()
		assert.Equal(t, most-1, g.len())
	})
}

// TestFloodFromManyAddresses shows that the oldest give way when no address stands
// out.
func TestFloodFromManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 20
		g := newGate(most, time.Second)
		enter := func(i int) bool {
			_, ok := g.enter(fmt.Sprintf("192.0.2.%d:1", i), func() error { return nil })
			return ok
		}
		for i := range most {
			require.True(t, enter(i))
		}
		assert.False(t, enter(most), "nobody has had its time")
		<-time.After(time.Second)
		assert.True(t, enter(most))
		assert.Equal(t, most, g.len())
	})
}

// len returns how many connections wait.
func (g *gate) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.Len()
}
