package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// Links and sessions are bounded, for one and for all.
func TestBookIsBounded(t *testing.T) {
	b, now := newBook(), time.Now()
	someone := func(i int) ecp.Actor { return ecp.Actor{Name: fmt.Sprint("actor", i)} }
	for range linksOfOne {
		_, _, ok := b.mint("c", someone(0), now)
		require.True(t, ok)
	}
	_, _, ok := b.mint("c", someone(0), now)
	require.False(t, ok)
	for i := 1; len(b.links) < linksInAll; i++ {
		_, _, ok := b.mint("c", someone(i), now)
		require.True(t, ok)
	}
	_, _, ok = b.mint("c", ecp.Actor{Name: "one more"}, now)
	require.False(t, ok)
	_, _, ok = b.mint("c", someone(0), now.Add(linkLife))
	require.True(t, ok, "those that are over count no more")
	require.Len(t, b.links, 1)

	first, ok := b.begin(pass{cluster: "c", actor: someone(0)}, "", now)
	require.True(t, ok)
	for i := range sessionsOfOne {
		_, ok := b.begin(pass{cluster: "c", actor: someone(0)}, "", now.Add(time.Duration(i+1)))
		require.True(t, ok)
	}
	require.Len(t, b.sessions, sessionsOfOne)
	_, ok = b.session(first, "c", now)
	require.False(t, ok, "the oldest makes room")
	for i := 1; len(b.sessions) < sessionsInAll; i++ {
		_, ok := b.begin(pass{cluster: "c", actor: someone(i)}, "", now)
		require.True(t, ok)
	}
	_, ok = b.begin(pass{cluster: "c", actor: ecp.Actor{Name: "one more"}}, "", now)
	require.False(t, ok)
	require.True(t, b.uses("c", now))
	require.False(t, b.uses("d", now))
	require.False(t, b.uses("c", now.Add(2*sessionLife)))

	b = newBook()
	for i := range 2 * sessionsOfOne {
		_, ok := b.begin(pass{cluster: "c", actor: ecp.Actor{Name: "ann", Credential: fmt.Sprint("session/", i)}}, "", now)
		require.True(t, ok)
	}
	require.Len(t, b.sessions, sessionsOfOne, "who logs in again is nobody else")
	for i := range 3 {
		_, ok := b.begin(pass{cluster: "c", actor: ecp.Actor{Name: "ann", Credential: fmt.Sprint("token/", i)}}, "", now)
		require.True(t, ok)
	}
	require.Len(t, b.sessions, sessionsOfOne+3, "tokens of one name are")
}
