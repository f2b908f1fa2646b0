package fleet

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/sched"
	"github.com/stretchr/testify/require"
)

// A cluster in line whose turn comes when nothing is due for it any more hands
// its turn on.
func TestTheLineMovesOn(t *testing.T) {
	b := newBench(t)
	b.m.slots = sched.NewWriteLimiter(1)
	require.True(t, b.m.slots.TryAcquire("default", "emqx-00000001"))
	b.look(0)
	require.Zero(t, b.w.applies, "it waits for a slot")
	require.Nil(t, b.w.at(b.id).seen, "and asks nothing before it has one")
	require.False(t, b.m.slots.TryAcquire("default", "emqx-00000002"), "another behind it")
	b.m.queue.Stop()

	b.w.unseen = true
	b.m.slots.Release("default", "emqx-00000001")
	b.m.nextInLine()
	id := take(b.m.queue)
	require.Equal(t, b.id, id)
	b.look(time.Second)
	require.Equal(t, ecp.ID("emqx-00000002"), take(b.m.queue))
}
