package sched

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestSlots(t *testing.T) {
	s := NewWriteLimiter(1)
	require.Empty(t, s.Next(), "nobody waits")
	require.True(t, s.TryAcquire("", "a"))
	require.False(t, s.TryAcquire("", "b"))
	require.False(t, s.TryAcquire("", "c"))
	require.False(t, s.TryAcquire("", "b"), "in line once")
	require.Empty(t, s.Next(), "nothing is free")
	require.True(t, s.TryAcquire("", "a"), "who has it has it once more")
	s.Release("", "a")
	require.Empty(t, s.Next(), "and still has it")
	s.Release("", "a")
	require.Equal(t, ecp.ID("b"), s.Next())
	require.True(t, s.TryAcquire("", "d"), "whoever comes first has it; the next in line tries again")
	require.False(t, s.TryAcquire("", "b"))
	s.Release("", "d")
	require.Equal(t, ecp.ID("c"), s.Next())
	require.Equal(t, ecp.ID("b"), s.Next(), "c needs none any more: b is not kept waiting")
	require.Empty(t, s.Next())
	require.True(t, s.TryAcquire("", "b"))
	s.Release("", "b")
	require.Empty(t, s.Next())
	require.Empty(t, s.targets)
}

// A target whose slots are all taken holds up none on another.
func TestSlotsOfEachTarget(t *testing.T) {
	s := NewWriteLimiter(2)
	for _, id := range []ecp.ID{"a", "b"} {
		require.True(t, s.TryAcquire("slow", id))
	}
	require.False(t, s.TryAcquire("slow", "c"))
	require.True(t, s.TryAcquire("quick", "d"))
	require.True(t, s.TryAcquire("quick", "e"))
	require.False(t, s.TryAcquire("quick", "f"))
	require.Empty(t, s.Next())
	s.Release("quick", "d")
	require.Equal(t, ecp.ID("f"), s.Next())
	s.Release("quick", "e")
	s.Release("slow", "a")
	s.Release("slow", "b")
	require.Equal(t, ecp.ID("c"), s.Next())
	require.Empty(t, s.targets)
}
