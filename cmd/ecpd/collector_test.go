package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCollector checks that garbage is collected more often than by default, and that
// the operator's word counts.
func TestCollector(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "70")
	tuneCollector()
	require.Equal(t, 100, debug.SetGCPercent(100), "the runtime has read GOGC itself")
	t.Setenv("GOGC", "")
	tuneCollector()
	require.Equal(t, gcPercent, debug.SetGCPercent(100))
}
