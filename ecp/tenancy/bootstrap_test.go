package tenancy

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/stretchr/testify/require"
)

// A token that was deleted does not come back with the variable that made it.
func TestBootstrapTokenStaysDeleted(t *testing.T) {
	s := mapstore.New()
	m := NewAccounts(AccountsConfig{Changes: change.New(s, slog.New(slog.DiscardHandler), time.Now)})
	ctx := ecp.WithActor(context.Background(), ecp.System)
	stored, err := m.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.True(t, stored)
	require.NoError(t, s.Write(ctx, func(tx ecp.Tx) error {
		return ecp.Put(tx, ecp.User{Name: "ann", PasswordSet: true, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}}, 0)
	}))
	require.NoError(t, m.DeleteToken(ctx, "bootstrap"))
	stored, err = m.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.False(t, stored)
	_, err = m.Authenticate(ctx, "sixteen letters!")
	require.ErrorIs(t, err, ecp.ErrDenied)
}
