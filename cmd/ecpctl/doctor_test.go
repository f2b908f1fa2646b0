package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDaemonsThatDisagree: different versions and clocks are named, with their hosts.
func TestDaemonsThatDisagree(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	well := []seenDaemon{
		{Host: "a", Version: "1.2.0", LastSeen: now.Add(-2 * time.Second), Self: true},
		{Host: "b", Version: "1.2.0", LastSeen: now.Add(-4 * time.Second)},
	}
	require.NoError(t, disagree(well, now))
	require.NoError(t, disagree(nil, now))
	err := disagree(append(well, seenDaemon{Host: "c", Version: "1.1.0", LastSeen: now.Add(time.Hour)},
		seenDaemon{Host: "d", Version: "1.2.0", LastSeen: now.Add(-time.Minute)}), now)
	require.ErrorAs(t, err, &warning{})
	require.EqualError(t, err, "the clock of c is 1h0m0s ahead of the server's; set the one that is wrong; "+
		"d was last seen 1m0s ago: it has just died, or its clock is behind the server's; "+
		"they are of different versions: 1.1.0 on c; 1.2.0 on a, b, d; finish the upgrade")
}
