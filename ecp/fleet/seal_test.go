package fleet

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestRotation(t *testing.T) {
	o := newShop(t)
	ctx := o.system()
	_, err := o.m.Catalog.Registries.Create(ctx, aRegistry, "hush")
	require.NoError(t, err)
	open := func() (ecp.Secret, error) {
		var s ecp.Secret
		err := o.s.Read(ctx, func(tx ecp.Tx) (err error) {
			s, err = o.m.Catalog.Secret(tx, ecp.KindRegistry, "ours", "password")
			return err
		})
		return s, err
	}
	only2, err := ecp.NewKeyRing(aKey("k2", 2))
	require.NoError(t, err)
	o.begin(func(c *Config) { c.Sealer = only2 })
	_, err = open()
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, `the password of registry "ours" cannot be read`)
	require.ErrorContains(t, err, `the key "k1"`)
	_, err = o.m.ResealSecrets(ctx)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	r, err := o.m.Catalog.Registries.Get(ctx, "ours")
	require.NoError(t, err, "everything but the secret is there")
	require.True(t, r.PasswordSet)

	both, err := ecp.NewKeyRing(aKey("k2", 2), aKey("k1", 1))
	require.NoError(t, err)
	o.begin(func(c *Config) { c.Sealer = both })
	s, err := open()
	require.NoError(t, err)
	require.Equal(t, "hush", string(s), "nothing was lost")
	n, err := o.m.ResealSecrets(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	o.begin(func(c *Config) { c.Sealer = only2 })
	s, err = open()
	require.NoError(t, err)
	require.Equal(t, "hush", string(s))
	n, err = o.m.ResealSecrets(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = o.m.ResealSecrets(o.as("a-boss"))
	require.ErrorIs(t, err, ecp.ErrDenied)
	o.begin(func(c *Config) { c.Sealer = nil })
	_, err = open()
	require.ErrorContains(t, err, "no key is configured")
}
