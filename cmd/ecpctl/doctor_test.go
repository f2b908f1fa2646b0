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
		{ID: "1", Host: "a", Version: "1.2.0", AgentAddress: "https://ecp", PublicURL: "https://ecp",
			LastSeen: now.Add(-2 * time.Second), Self: true},
		{ID: "2", Host: "b", Version: "1.2.0", AgentAddress: "https://ecp", PublicURL: "https://ecp",
			LastSeen: now.Add(-4 * time.Second), ClockSkewSeconds: -4},
	}
	require.NoError(t, disagree(well, now))
	require.NoError(t, disagree(nil, now))
	err := disagree(append(well, seenDaemon{ID: "3", Host: "c", Version: "1.1.0", LastSeen: now,
		ClockSkewSeconds: 3600}, seenDaemon{ID: "4", Host: "d", Version: "1.2.0", LastSeen: now.Add(-time.Minute),
		AgentAddress: "https://other", PublicURL: "https://ecp"},
		seenDaemon{ID: "5", Host: "e", Version: "1.2.0", LastSeen: now, AgentAddress: "https://ecp",
			Unheard: "no route"}), now)
	require.ErrorAs(t, err, &warning{})
	require.EqualError(t, err, "the clock of c is 1h0m0s ahead of the server's; set the one that is wrong; "+
		"d (4) was last seen 1m0s ago: it has just died; e (5) cannot be reached by the server: no route; "+
		"they are of different versions: 1.1.0 on c; 1.2.0 on a, b, d, e; finish the upgrade; "+
		"they tell agents different addresses: https://ecp on a, b, e; https://other on d; give all of them the same "+
		"--cluster-agent; they say that the API is at different URLs: none on e; https://ecp on a, b, d; give all of "+
		"them the same --public-url")
}
