package tenancy

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// What lasts longer than a request goes by the rights of today.
func TestReauthenticate(t *testing.T) {
	o := newOffice(t)
	again := func(a ecp.Actor) (ecp.Actor, error) { return o.accounts.Reauthenticate(t.Context(), a) }
	ended := func(a ecp.Actor) {
		t.Helper()
		_, err := again(a)
		require.ErrorIs(t, err, ecp.ErrDenied)
	}

	own := ecp.Actor{Name: "embedder", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}}}
	got, err := again(own)
	require.NoError(t, err)
	require.Equal(t, own, got, "who comes without a credential is vouched for")
	ended(ecp.Actor{Name: "x", Credential: "badge/1"})

	made, err := o.accounts.CreateToken(o.system(), TokenRequest{
		Name:      "robot",
		Grant:     ecp.Grant{Role: ecp.RoleUser, Project: "a/p"},
		ExpiresAt: o.now.Add(time.Hour),
	})
	require.NoError(t, err)
	robot, err := o.accounts.Authenticate(t.Context(), made.Secret)
	require.NoError(t, err)
	got, err = again(robot)
	require.NoError(t, err)
	require.Equal(t, robot, got)
	o.now = o.now.Add(time.Hour)
	ended(robot)
	o.now = o.now.Add(-time.Hour)
	require.NoError(t, o.accounts.DeleteToken(o.system(), made.ID))
	ended(robot)

	login := func() ecp.Actor {
		t.Helper()
		a, err := o.accounts.Authenticate(t.Context(), o.login("ap-user").Secret)
		require.NoError(t, err)
		return a
	}
	first, second := login(), login()
	require.NotEqual(t, first.Credential, second.Credential)
	got, err = again(first)
	require.NoError(t, err)
	require.Equal(t, first, got)
	grants := []ecp.Grant{{Role: ecp.RoleUser, Project: "a/q"}}
	_, err = o.accounts.UpdateUser(o.system(), "ap-user", UserChange{Grants: &grants})
	require.NoError(t, err)
	got, err = again(first)
	require.NoError(t, err)
	require.False(t, got.May(ecp.RightRead, "a/p"))
	require.True(t, got.May(ecp.RightRead, "a/q"))
	require.NoError(t, o.accounts.Logout(ecp.WithActor(t.Context(), first)))
	ended(first)
	_, err = again(second)
	require.NoError(t, err, "another session of the same person goes on")
	stolen := second
	stolen.Name = "ap-lead"
	ended(stolen)
	disabled := true
	_, err = o.accounts.UpdateUser(o.system(), "ap-user", UserChange{Disabled: &disabled})
	require.NoError(t, err)
	ended(second)
}
