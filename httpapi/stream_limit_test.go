package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// Streams are bounded for one user or token and in all; who wants one more is
// told so, and everything else goes on. A stream that ends makes room.
func TestStreamsAreBounded(t *testing.T) {
	f := newFixture(t, setup{run: true})
	id := f.create()
	f.awaitState(id, "running")
	const password = "correct horse battery"
	ctx := ecp.WithActor(t.Context(), ecp.System)
	_, err := f.manager.Accounts.CreateUser(ctx, tenancy.UserRequest{Name: "sam", Password: password,
		Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})
	require.NoError(t, err)
	login := func() string {
		s, err := f.manager.Accounts.Login(t.Context(), "sam", password)
		require.NoError(t, err)
		return s.Secret
	}
	f.api.streams = newStreamCount(Streams{InAll: 5, PerActor: 2})
	const events, logs = "/api/v1/events", "/logs?follow=true"
	refused := func(token, says string) {
		t.Helper()
		for _, path := range []string{events, clustersPath + "/" + id + logs} {
			r := f.call(token, http.MethodGet, path, "").want(http.StatusTooManyRequests)
			require.Equal(t, ecp.CodeThrottled, r.problem().Code)
			require.Contains(t, r.problem().Detail, says)
			require.NotEmpty(t, r.header.Get("Retry-After"))
		}
		f.call(token, http.MethodGet, clustersPath, "").want(http.StatusOK)
	}

	first := f.listen(login(), "", "")
	f.listen(login(), "?since=0", "")
	refused(login(), "sam has 2 streams")
	f.listen(asUser, "", "")
	f.listen(asUser, "", "")
	refused(asUser, "2 streams")
	f.listen(asAdmin, "", "")
	refused(asSystem, "5 streams of events or logs are open, which is the limit of this server")

	first.close()
	f.eventually("the stream has ended", func() (bool, any) {
		r := f.call(asSystem, http.MethodHead, events, "")
		return r.status == http.StatusOK, r.status
	})
	again := f.listen(asSystem, "?since=0", "")
	require.NotEmpty(t, again.next().id)
	refused(login(), "5 streams")
}

// Every stream shows a change in the same words, which are written once for all
// who are there, and forgotten when there are many later ones.
func TestEventTextsAreShared(t *testing.T) {
	e := newEventCache()
	change := func(seq int64, size int) ecp.Change {
		return ecp.Change{Seq: seq, Kind: ecp.KindOrg,
			Payload: ecp.Org{Name: "a", Description: strings.Repeat("x", size)}}
	}
	one, err := e.of(t.Context(), change(1, 1))
	require.NoError(t, err)
	other, err := e.of(t.Context(), change(1, 1))
	require.NoError(t, err)
	require.Same(t, &one[0], &other[0])
	require.Contains(t, string(one), "id: 1\nevent: org\ndata: {")
	hidden, err := e.of(t.Context(), ecp.Change{Seq: 2, Kind: ecp.KindToken, Payload: ecp.Token{Name: "secret"}})
	require.NoError(t, err)
	require.Nil(t, hidden)
	for seq := range int64(10 * eventCacheCount) {
		text, err := e.of(t.Context(), change(3+seq, 64<<10))
		require.NoError(t, err)
		require.Contains(t, string(text[:20]), fmt.Sprintf("id: %d\n", 3+seq))
		require.LessOrEqual(t, e.bytes, eventCacheBytes)
		require.LessOrEqual(t, len(e.texts), eventCacheCount)
	}
	require.Len(t, e.texts, len(e.order))
}
