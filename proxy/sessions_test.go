package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Links and sessions are bounded, for one and for all.
func TestSessionsAreBounded(t *testing.T) {
	b, now := newSessions(), time.Now()
	someone := func(i int) ecp.Actor { return ecp.Actor{Name: fmt.Sprint("actor", i)} }
	for range maxLinksPerActor {
		_, _, ok := b.addLink("c", someone(0), now)
		require.True(t, ok)
	}
	_, _, ok := b.addLink("c", someone(0), now)
	require.False(t, ok)
	for i := 1; len(b.links) < maxLinks; i++ {
		_, _, ok := b.addLink("c", someone(i), now)
		require.True(t, ok)
	}
	_, _, ok = b.addLink("c", ecp.Actor{Name: "one more"}, now)
	require.False(t, ok)
	_, _, ok = b.addLink("c", someone(0), now.Add(linkLifetime))
	require.True(t, ok, "those that are over count no more")
	require.Len(t, b.links, 1)

	first, ok := b.begin(ticket{cluster: "c", actor: someone(0)}, "", now)
	require.True(t, ok)
	for i := range maxSessionsPerActor {
		_, ok := b.begin(ticket{cluster: "c", actor: someone(0)}, "", now.Add(time.Duration(i+1)))
		require.True(t, ok)
	}
	require.Len(t, b.open, maxSessionsPerActor)
	_, ok = b.find(first, "c", now)
	require.False(t, ok, "the oldest makes room")
	for i := 1; len(b.open) < maxSessions; i++ {
		_, ok := b.begin(ticket{cluster: "c", actor: someone(i)}, "", now)
		require.True(t, ok)
	}
	_, ok = b.begin(ticket{cluster: "c", actor: ecp.Actor{Name: "one more"}}, "", now)
	require.False(t, ok)
	require.True(t, b.hasAny("c", now))
	require.False(t, b.hasAny("d", now))
	require.False(t, b.hasAny("c", now.Add(2*sessionLifetime)))

	b = newSessions()
	for i := range 2 * maxSessionsPerActor {
		_, ok := b.begin(ticket{cluster: "c", actor: ecp.Actor{Name: "ann", Credential: fmt.Sprint("session/", i)}}, "",
			now)
		require.True(t, ok)
	}
	require.Len(t, b.open, maxSessionsPerActor, "who logs in again is nobody else")
	for i := range 3 {
		_, ok := b.begin(ticket{cluster: "c", actor: ecp.Actor{Name: "ann", Credential: fmt.Sprint("token/", i)}}, "",
			now)
		require.True(t, ok)
	}
	require.Len(t, b.open, maxSessionsPerActor+3, "tokens of one name are")
}
