package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// Whatever a token is called, what it does is never taken for what a person did.
func TestTokensAreNotTakenForPersons(t *testing.T) {
	o := newCompany(t)
	for _, name := range []string{"root", "admin", "ap-lead"} {
		n, err := o.m.Accounts.CreateToken(o.as("ap-lead"),
			tenancy.TokenRequest{Name: name, Grant: ecp.Grant{Role: ecp.RoleProjectAdmin, Project: "a/p"}})
		require.NoError(t, err)
		require.Equal(t, name, n.Name)
		a, err := o.m.Accounts.Authenticate(context.Background(), n.Secret)
		require.NoError(t, err)
		require.Equal(t, "token:"+name, a.Name)
		again, err := o.m.Accounts.Reauthenticate(context.Background(), a)
		require.NoError(t, err)
		require.Equal(t, a, again)

		o.now = o.now.Add(time.Second)
		c, op, err := o.m.Create(ecp.WithActor(context.Background(), a), CreateRequest{
			Mode:    ecp.Hosted,
			Project: "a/p",
			Name:    name,
			Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
		})
		require.NoError(t, err)
		require.Equal(t, []string{"token:" + name, "", "token:" + name, ""},
			[]string{c.Creator, c.CreatorUser, op.Actor, op.User})
		_, err = o.m.Directory.CreateOrg(ecp.WithActor(context.Background(), a), "new", "")
		require.ErrorIs(t, err, ecp.ErrDenied)
		for _, e := range o.audit(o.system(), change.AuditOptions{Since: o.now, Limit: 10}) {
			require.Equal(t, []string{"token:" + name, "", "token/" + n.ID}, []string{e.Actor, e.User, e.Credential},
				"%+v", e)
		}
		require.Len(t, o.audit(o.system(), change.AuditOptions{Actor: "token:" + name, Since: o.now}), 2)
	}
}

// Who had logged in stands apart, beside the name under which something was done.
func TestTheUserBehindASessionIsTold(t *testing.T) {
	o := newCompany(t)
	o.now = o.now.Add(time.Second)
	a, err := o.m.Accounts.Authenticate(context.Background(), o.login("ap-lead").Secret)
	require.NoError(t, err)
	c, op, err := o.m.Create(ecp.WithActor(context.Background(), a), CreateRequest{
		Mode:    ecp.Hosted,
		Project: "a/p",
		Name:    "x",
		Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"ap-lead", "ap-lead", "ap-lead", "ap-lead"},
		[]string{c.Creator, c.CreatorUser, op.Actor, op.User})
	for _, e := range o.audit(o.system(), change.AuditOptions{Since: o.now, Limit: 10}) { // the login, too
		require.Equal(t, []string{"ap-lead", "ap-lead", a.Credential}, []string{e.Actor, e.User, e.Credential}, "%+v",
			e)
	}
	// An embedder's own actor is nobody who logged in, whatever it is called.
	c, _, err = o.m.Create(ecp.WithActor(context.Background(), ecp.Actor{
		Name:   "ap-lead",
		Grants: []ecp.Grant{{Role: ecp.RoleSystem}},
	}), CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "y"})
	require.NoError(t, err)
	require.Equal(t, []string{"ap-lead", ""}, []string{c.Creator, c.CreatorUser})
}

// What a token did under its bare name stays as an earlier release has written it.
func TestRecordsOfUnmarkedTokens(t *testing.T) {
	p, err := Kinds().Decode(ecp.KindAudit, []byte(`{"id":"1","at":"2026-01-02T03:04:05Z","actor":"alice","credential":"token/tok-1","action":"create","kind":"cluster","key":"c","scope":"a/p","outcome":"done"}`))
	require.NoError(t, err)
	require.Equal(t, "alice", p.(change.AuditEntry).Actor)
	p, err = Kinds().Decode(ecp.KindCluster, []byte(`{"id":"emqx-0a1b2c3d","name":"x","creator":"alice"}`))
	require.NoError(t, err)
	require.Equal(t, "alice", p.(ecp.ClusterRecord).Creator)
}
