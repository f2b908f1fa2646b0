package ecp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever a token is called, what it does is never taken for what a person did.
func TestTokensAreNotTakenForPersons(t *testing.T) {
	o := newCompany(t)
	for _, name := range []string{"root", "admin", "ap-lead"} {
		n, err := o.m.CreateToken(o.as("ap-lead"), TokenRequest{Name: name, Grant: Grant{Role: RoleProjectAdmin, Project: "a/p"}})
		require.NoError(t, err)
		require.Equal(t, name, n.Name)
		a, err := o.m.Authenticate(context.Background(), n.Secret)
		require.NoError(t, err)
		require.Equal(t, "token:"+name, a.Name)
		again, err := o.m.Reauthenticate(context.Background(), a)
		require.NoError(t, err)
		require.Equal(t, a, again)

		o.now = o.now.Add(time.Second)
		c, op, err := o.m.Create(WithActor(context.Background(), a), CreateRequest{Mode: Hosted, Project: "a/p", Name: name, Spec: Spec{Hosted: &HostedSpec{Nodes: 1, Connections: 5}}})
		require.NoError(t, err)
		require.Equal(t, []string{"token:" + name, "", "token:" + name, ""}, []string{c.Creator, c.CreatorUser, op.Actor, op.User})
		_, err = o.m.CreateOrg(WithActor(context.Background(), a), "new", "")
		require.ErrorIs(t, err, ErrDenied)
		for _, e := range o.audit(o.system(), AuditOptions{Since: o.now, Limit: 10}) {
			require.Equal(t, []string{"token:" + name, "", "token/" + n.ID}, []string{e.Actor, e.User, e.Credential}, "%+v", e)
		}
		require.Len(t, o.audit(o.system(), AuditOptions{Actor: "token:" + name, Since: o.now}), 2)
	}
}

// Who had logged in stands apart, beside the name under which something was done.
func TestTheUserBehindASessionIsTold(t *testing.T) {
	o := newCompany(t)
	o.now = o.now.Add(time.Second)
	a, err := o.m.Authenticate(context.Background(), o.login("ap-lead").Secret)
	require.NoError(t, err)
	c, op, err := o.m.Create(WithActor(context.Background(), a), CreateRequest{Mode: Hosted, Project: "a/p", Name: "x", Spec: Spec{Hosted: &HostedSpec{Nodes: 1, Connections: 5}}})
	require.NoError(t, err)
	require.Equal(t, []string{"ap-lead", "ap-lead", "ap-lead", "ap-lead"}, []string{c.Creator, c.CreatorUser, op.Actor, op.User})
	for _, e := range o.audit(o.system(), AuditOptions{Since: o.now, Limit: 10}) { // the login, too
		require.Equal(t, []string{"ap-lead", "ap-lead", a.Credential}, []string{e.Actor, e.User, e.Credential}, "%+v", e)
	}
	// An embedder's own actor is nobody who logged in, whatever it is called.
	c, _, err = o.m.Create(WithActor(context.Background(), Actor{Name: "ap-lead", Grants: []Grant{{Role: RoleSystem}}}), CreateRequest{Mode: Adopted, Project: "a/p", Name: "y"})
	require.NoError(t, err)
	require.Equal(t, []string{"ap-lead", ""}, []string{c.Creator, c.CreatorUser})
}

// The names of tokens are nobody else's.
func TestTokenPrefixIsRefused(t *testing.T) {
	o := newCompany(t)
	_, err := o.m.CreateUser(o.system(), UserRequest{Name: "token:ci", Password: companyPassword, Grants: []Grant{{Role: RoleSystem}}})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, `name: begins with "token:", which is for API tokens`)
	_, err = o.m.CreateToken(o.system(), TokenRequest{Name: "token:ci", Grant: Grant{Role: RoleSystem}})
	require.ErrorIs(t, err, ErrInvalid)
}

// Records of earlier releases are read: a token acts under its new name, and what
// it did under its bare one stays as it was written.
func TestRecordsOfUnmarkedTokens(t *testing.T) {
	p, err := Kinds().Decode(KindToken, []byte(`{"id":"tok-1","hash":"h","name":"alice","role":"project-admin","project":"a/p","createdAt":"2026-01-02T03:04:05Z","createdBy":"ann"}`))
	require.NoError(t, err)
	a, err := tokenActor(p.(Token), t0)
	require.NoError(t, err)
	require.Equal(t, Actor{Name: "token:alice", Grants: []Grant{{Role: RoleProjectAdmin, Project: "a/p"}}, Credential: "token/tok-1"}, a)
	p, err = Kinds().Decode(KindAudit, []byte(`{"id":"1","at":"2026-01-02T03:04:05Z","actor":"alice","credential":"token/tok-1","action":"create","kind":"cluster","key":"c","scope":"a/p","outcome":"done"}`))
	require.NoError(t, err)
	require.Equal(t, "alice", p.(AuditEntry).Actor)
	p, err = Kinds().Decode(KindCluster, []byte(`{"id":"emqx-0a1b2c3d","name":"x","creator":"alice"}`))
	require.NoError(t, err)
	require.Equal(t, "alice", p.(ClusterRecord).Creator)
}

// A call that is repeated after the program was replaced is the same call.
func TestIdempotencyKeysOutliveTheName(t *testing.T) {
	require.Equal(t, "ci", keyHolder(Actor{Name: "token:ci", Credential: "token/tok-1"}))
	require.Equal(t, "ann", keyHolder(Actor{Name: "ann", Credential: "session/1"}))
	require.Equal(t, "token:own", keyHolder(Actor{Name: "token:own"}))
}
