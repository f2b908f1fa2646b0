package ecp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlots(t *testing.T) {
	s := newSlots(1)
	require.Empty(t, s.next(), "nobody waits")
	require.True(t, s.take("", "a"))
	require.False(t, s.take("", "b"))
	require.False(t, s.take("", "c"))
	require.False(t, s.take("", "b"), "in line once")
	require.Empty(t, s.next(), "nothing is free")
	s.give("")
	require.Equal(t, ID("b"), s.next())
	require.True(t, s.take("", "d"), "whoever comes first has it; the next in line tries again")
	require.False(t, s.take("", "b"))
	s.give("")
	require.Equal(t, ID("c"), s.next())
	require.Equal(t, ID("b"), s.next(), "c needs none any more: b is not kept waiting")
	require.Empty(t, s.next())
	require.True(t, s.take("", "b"))
	s.give("")
	require.Empty(t, s.next())
	require.Empty(t, s.targets)
}

// A target whose slots are all taken holds up none on another.
func TestSlotsOfEachTarget(t *testing.T) {
	s := newSlots(2)
	for _, id := range []ID{"a", "b"} {
		require.True(t, s.take("slow", id))
	}
	require.False(t, s.take("slow", "c"))
	require.True(t, s.take("quick", "d"))
	require.True(t, s.take("quick", "e"))
	require.False(t, s.take("quick", "f"))
	require.Empty(t, s.next())
	s.give("quick")
	require.Equal(t, ID("f"), s.next())
	s.give("quick")
	s.give("slow")
	s.give("slow")
	require.Equal(t, ID("c"), s.next())
	require.Empty(t, s.targets)
}

// A cluster in line whose turn comes when nothing is due for it any more hands
// its turn on.
func TestTheLineMovesOn(t *testing.T) {
	b := newBench(t)
	b.m.slots = newSlots(1)
	require.True(t, b.m.slots.take("default", "emqx-00000001"))
	b.look(0)
	require.Zero(t, b.w.applies, "it waits for a slot")
	require.False(t, b.m.slots.take("default", "emqx-00000002"), "another behind it")
	b.m.queue.stop()

	b.w.unseen = true
	b.m.slots.give("default")
	b.m.nextInLine()
	id := take(b.m.queue)
	require.Equal(t, b.id, id)
	b.look(time.Second)
	require.Equal(t, ID("emqx-00000002"), take(b.m.queue))
}
