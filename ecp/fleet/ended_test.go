package fleet_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// plainPasswords keeps passwords as they are.
type plainPasswords struct{}

func (plainPasswords) Hash(_ context.Context, password string) (string, error) {
	return "plain:" + password, nil
}

func (plainPasswords) Verify(_ context.Context, hash, password string) (bool, bool, error) {
	return strings.TrimPrefix(hash, "plain:") == password, false, nil
}

// credentials is a Manager with a user and a token that end in an hour.
type credentials struct {
	t     *testing.T
	store ecp.Store
	m     *fleet.Manager
	token tenancy.NewToken
	login tenancy.Session
}

func newCredentials(t *testing.T) *credentials {
	store := memstore.New()
	m, err := fleet.New(context.Background(),
		fleet.Config{Store: store, Hasher: plainPasswords{}, SessionLife: time.Hour})
	require.NoError(t, err)
	c := &credentials{t: t, store: store, m: m}
	grant := ecp.Grant{Role: ecp.RoleUser, Project: "default/default"}
	_, err = m.Accounts.CreateUser(asSystem(),
		tenancy.UserRequest{Name: "ann", Password: "a good password", Grants: []ecp.Grant{grant}})
	require.NoError(t, err)
	c.token, err = m.Accounts.CreateToken(asSystem(),
		tenancy.TokenRequest{Name: "robot", Grant: grant, ExpiresAt: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	c.login, err = m.Accounts.Login(context.Background(), "ann", "a good password")
	require.NoError(t, err)
	return c
}

func (c *credentials) as(secret string) context.Context {
	c.t.Helper()
	a, err := c.m.Accounts.Authenticate(context.Background(), secret)
	require.NoError(c.t, err)
	return ecp.WithActor(context.Background(), a)
}

// Who watches does so no longer than the credential is good that was shown.
func TestWatchesEndWithTheirCredential(t *testing.T) {
	t.Parallel()
	user := func(change tenancy.UserChange) func(*credentials) error {
		return func(c *credentials) error { _, err := c.m.Accounts.UpdateUser(asSystem(), "ann", change); return err }
	}
	yes, other, grants := true, "another password", []ecp.Grant{{Role: ecp.RoleSystem}}
	for _, c := range []struct {
		what  string
		token bool
		end   func(*credentials) error // nil = an hour passes
		want  ecp.Code
	}{
		{"the token expires", true, nil, ecp.CodeDenied},
		{
			"the token is deleted", true,
			func(c *credentials) error { return c.m.Accounts.DeleteToken(asSystem(), c.token.ID) }, ecp.CodeDenied,
		},
		{"the session's time is over", false, nil, ecp.CodeDenied},
		{
			"logout", false, func(c *credentials) error { return c.m.Accounts.Logout(c.as(c.login.Secret)) },
			ecp.CodeDenied,
		},
		{"the user is disabled", false, user(tenancy.UserChange{Disabled: &yes}), ecp.CodeDenied},
		{"the user has another password", false, user(tenancy.UserChange{Password: &other}), ecp.CodeDenied},
		{
			"the user is deleted", false,
			func(c *credentials) error { return c.m.Accounts.DeleteUser(asSystem(), "ann", 0) }, ecp.CodeDenied,
		},
		{"the user has other rights", false, user(tenancy.UserChange{Grants: &grants}), ecp.CodeUnavailable},
	} {
		for _, when := range []string{"before the watch", "during it"} {
			synctest.Test(t, func(t *testing.T) {
				creds := newCredentials(t)
				secret := creds.login.Secret
				if c.token {
					secret = creds.token.Secret
				}
				ctx, cancel := context.WithTimeout(creds.as(secret), 24*time.Hour)
				defer cancel()
				end := func() {
					if c.end == nil {
						<-time.After(time.Hour)
						return
					}
					require.NoError(t, c.end(creds))
				}
				if when == "before the watch" {
					end()
				}
				ended := make(chan error, 1)
				go func() {
					for _, err := range creds.m.Watch(ctx, -1) {
						if err != nil {
							ended <- err
						}
					}
				}()
				synctest.Wait()
				if when == "during it" {
					end()
				}
				err := <-ended
				require.Equal(t, c.want, ecp.CodeOf(err), "%s %s: %v", c.what, when, err)
				require.NoError(t, ctx.Err())
			})
		}
	}
}

// Waiting for an operation is watching, too.
func TestWaitingEndsWithTheCredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		creds := newCredentials(t)
		op := ecp.Operation{
			ID:      "op-0123456789abcdef",
			Cluster: "emqx-00000000",
			Project: "default/default",
			Phase:   ecp.PhaseRunning,
		}
		require.NoError(t, creds.store.Write(context.Background(), func(tx ecp.Tx) error { return ecp.Put(tx, op, 0) }))
		_, err := creds.m.WaitOperation(creds.as(creds.token.Secret), op.ID, 24*time.Hour)
		require.ErrorIs(t, err, ecp.ErrDenied)
	})
}
