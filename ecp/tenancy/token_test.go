package tenancy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// The same password or another is the same or another request, and neither
// can be guessed from what is stored.
func TestIdempotencyOfSecrets(t *testing.T) {
	o := newOffice(t)
	create := func(password string) error {
		_, err := o.accounts.CreateUser(ecp.WithIdempotencyKey(o.system(), "the key itself"),
			UserRequest{Name: "fresh", Password: password, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
		return err
	}
	require.NoError(t, create(goodPassword))
	require.NoError(t, create(goodPassword))
	require.ErrorIs(t, create("another password"), ecp.ErrKeyReused)
	for key, r := range o.s.Records[ecp.KindAnswered] {
		a := r.Payload.(change.Answered)
		require.NotContains(t, key+a.Result+a.Fingerprint, "the key itself")
		require.NotContains(t, a.Result, goodPassword)
	}
}

// The names of tokens are nobody else's.
func TestTokenPrefixIsRefused(t *testing.T) {
	o := newOffice(t)
	_, err := o.accounts.CreateUser(o.system(),
		UserRequest{Name: "token:ci", Password: goodPassword, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.ErrorContains(t, err, `name: begins with "token:", which is for API tokens`)
	_, err = o.accounts.CreateToken(o.system(), TokenRequest{Name: "token:ci", Grant: ecp.Grant{Role: ecp.RoleSystem}})
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

// A token of an earlier release acts under its new name.
func TestRecordOfAnUnmarkedToken(t *testing.T) {
	p, err := Kinds().Decode(ecp.KindToken, []byte(`{"id":"tok-1","hash":"h","name":"alice","role":"project-admin",`+
		`"project":"a/p","createdAt":"2026-01-02T03:04:05Z","createdBy":"ann"}`))
	require.NoError(t, err)
	a, err := tokenActor(p.(ecp.Token), dayOne)
	require.NoError(t, err)
	require.Equal(t, ecp.Actor{
		Name:       "token:alice",
		Grants:     []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "a/p"}},
		Credential: "token/tok-1",
	}, a)
}
