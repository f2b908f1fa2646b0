package sched

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestSlots(t *testing.T) {
	s := NewSlots(1)
	require.Empty(t, s.Next(), "nobody waits")
	require.True(t, s.Take("", "a"))
	require.False(t, s.Take("", "b"))
	require.False(t, s.Take("", "c"))
	require.False(t, s.Take("", "b"), "in line once")
	require.Empty(t, s.Next(), "nothing is free")
	s.Give("")
	require.Equal(t, ecp.ID("b"), s.Next())
	require.True(t, s.Take("", "d"), "whoever comes first has it; the next in line tries again")
	require.False(t, s.Take("", "b"))
	s.Give("")
	require.Equal(t, ecp.ID("c"), s.Next())
	require.Equal(t, ecp.ID("b"), s.Next(), "c needs none any more: b is not kept waiting")
	require.Empty(t, s.Next())
	require.True(t, s.Take("", "b"))
	s.Give("")
	require.Empty(t, s.Next())
	require.Empty(t, s.targets)
}

// A target whose slots are all taken holds up none on another.
func TestSlotsOfEachTarget(t *testing.T) {
	s := NewSlots(2)
	for _, id := range []ecp.ID{"a", "b"} {
		require.True(t, s.Take("slow", id))
	}
	require.False(t, s.Take("slow", "c"))
	require.True(t, s.Take("quick", "d"))
	require.True(t, s.Take("quick", "e"))
	require.False(t, s.Take("quick", "f"))
	require.Empty(t, s.Next())
	s.Give("quick")
	require.Equal(t, ecp.ID("f"), s.Next())
	s.Give("quick")
	s.Give("slow")
	s.Give("slow")
	require.Equal(t, ecp.ID("c"), s.Next())
	require.Empty(t, s.targets)
}
