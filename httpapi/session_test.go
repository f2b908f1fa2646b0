package httpapi

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// A person logs in, is who they are, changes the password, and goes; who
// guesses is told to wait.
func TestLoginOverHTTP(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.admin(http.MethodPost, "/api/v1/users",
		`{"name":"ann","displayName":"Ann","password":"a long password",`+
			`"grants":[{"role":"user","project":"default/default"}]}`).
		want(http.StatusCreated)
	login := func(password string) reply {
		return f.serve(nobody, http.MethodPost, "/api/v1/login", `{"name":"ann","password":"`+password+`"}`, nil)
	}
	var s sessionView
	login("a long password").want(http.StatusOK).into(&s)
	var me meView
	f.serve(s.Token, http.MethodGet, "/api/v1/me", "", nil).want(http.StatusOK).into(&me)
	require.Equal(t, meView{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}},
		Credential: "session/" + s.ID}, me)
	f.serve(s.Token, http.MethodGet, clustersPath, "", nil).want(http.StatusOK)

	p := f.serve(s.Token, http.MethodPost, "/api/v1/me/password",
		`{"currentPassword":"a long password","password":"short"}`, nil).want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, "/password", p.Errors[0].Pointer)
	f.serve(s.Token, http.MethodPost, "/api/v1/me/password",
		`{"currentPassword":"a long password","password":"another long one"}`, nil).want(http.StatusNoContent)
	f.serve(s.Token, http.MethodGet, "/api/v1/me", "", nil).want(http.StatusUnauthorized)
	require.NotEmpty(t, login("a long password").want(http.StatusUnauthorized).header.Get("WWW-Authenticate"))

	var again sessionView
	login("another long one").want(http.StatusOK).into(&again)
	f.serve(again.Token, http.MethodPost, "/api/v1/logout", "", nil).want(http.StatusNoContent)
	f.serve(again.Token, http.MethodGet, "/api/v1/me", "", nil).want(http.StatusUnauthorized)
	f.serve(again.Token, http.MethodPost, "/api/v1/logout", "", nil).want(http.StatusUnauthorized)

	for range 30 {
		if got := login("a guess at it"); got.status != http.StatusUnauthorized {
			got.want(http.StatusTooManyRequests)
			seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
			require.NoError(t, err)
			require.Positive(t, seconds)
			return
		}
	}
	t.Fatal("nobody was told to wait")
}
