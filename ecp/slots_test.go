package ecp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSlots(t *testing.T) {
	s := newSlots(1)
	require.True(t, s.take("a"))
	require.False(t, s.take("b"))
	require.False(t, s.take("c"))
	require.False(t, s.take("b"), "in line once")
	require.Equal(t, ID("b"), s.give())
	require.True(t, s.take("d"), "whoever comes first has it; the next in line tries again")
	require.False(t, s.take("b"))
	require.Equal(t, ID("c"), s.give())
	require.True(t, s.take("c"))
	require.Equal(t, ID("b"), s.give())
	require.True(t, s.take("b"))
	require.Equal(t, ID(""), s.give())
}
