package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
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

// TestStoredSessions: programs that share a store take the links and sessions of one
// another, a link once, and a session until one of them has ended it.
func TestStoredSessions(t *testing.T) {
	ctx, now, store := t.Context(), time.Now(), memstore.New()
	one, other := storedSessions{store}, storedSessions{store}
	ann := ecp.Actor{Name: "ann", Credential: "session/1", Grants: []ecp.Grant{{Role: ecp.RoleSystem}}}
	link, _, ok, err := one.addLink(ctx, "c", ann, now)
	require.NoError(t, err)
	require.True(t, ok)
	redeem := func(k storedSessions, id ecp.ID, at time.Time) (ticket, bool) {
		t.Helper()
		got, ok, err := k.redeem(ctx, link, id, at)
		require.NoError(t, err)
		return got, ok
	}
	_, ok = redeem(other, "another", now)
	require.False(t, ok)
	got, ok := redeem(other, "c", now)
	require.True(t, ok)
	require.Equal(t, ann, got.actor)
	_, ok = redeem(one, "c", now)
	require.False(t, ok, "it was used already")

	session, ok, err := other.begin(ctx, got, "", now)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, one.setNode(ctx, session, "emqx@2"))
	find := func(k storedSessions, id ecp.ID, at time.Time) (ticket, bool) {
		t.Helper()
		got, ok, err := k.find(ctx, session, id, at)
		require.NoError(t, err)
		return got, ok
	}
	got, ok = find(one, "c", now)
	require.True(t, ok)
	require.Equal(t, "emqx@2", got.node)
	_, ok = find(one, "another", now)
	require.False(t, ok)
	_, ok = find(one, "c", now.Add(sessionLifetime))
	require.False(t, ok)
	_, ok, err = one.redeem(ctx, session, "c", now)
	require.NoError(t, err)
	require.False(t, ok, "a session is no link")
	require.NoError(t, one.end(ctx, session))
	require.NoError(t, one.end(ctx, session))
	_, ok = find(other, "c", now)
	require.False(t, ok)
}

// TestStoredSessionsAreBounded as those in memory are, over all programs together.
func TestStoredSessionsAreBounded(t *testing.T) {
	ctx, now, store := t.Context(), time.Now(), memstore.New()
	keepers := []storedSessions{{store}, {store}}
	ann := ecp.Actor{Name: "ann", Credential: "session/1"}
	for i := range maxLinksPerActor {
		_, _, ok, err := keepers[i%2].addLink(ctx, "c", ann, now)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, _, ok, err := keepers[0].addLink(ctx, "c", ann, now)
	require.NoError(t, err)
	require.False(t, ok)
	_, _, ok, err = keepers[0].addLink(ctx, "c", ann, now.Add(linkLifetime))
	require.NoError(t, err)
	require.True(t, ok, "those that are over count no more")

	var secrets []string
	for i := range maxSessionsPerActor + 1 {
		secret, ok, err := keepers[i%2].begin(ctx, ticket{cluster: "c", actor: ann}, "", now.Add(time.Duration(i)))
		require.NoError(t, err)
		require.True(t, ok)
		secrets = append(secrets, secret)
	}
	for i, secret := range secrets {
		_, ok, err := keepers[0].find(ctx, secret, "c", now)
		require.NoError(t, err)
		require.Equal(t, i > 0, ok, "the oldest makes room")
	}
	again, ok, err := keepers[1].begin(ctx, ticket{cluster: "c", actor: ann}, secrets[5], now)
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = keepers[0].find(ctx, secrets[5], "c", now)
	require.NoError(t, err)
	require.False(t, ok, "one browser has one session with a cluster")
	_, ok, err = keepers[0].find(ctx, again, "c", now)
	require.NoError(t, err)
	require.True(t, ok)
}
