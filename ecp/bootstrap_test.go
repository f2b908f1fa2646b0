package ecp

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A token that was deleted does not come back with the variable that made it.
func TestBootstrapTokenStaysDeleted(t *testing.T) {
	s := newMapStore()
	m := newDirectory(directoryConfig{Changes: newWriter(s, slog.New(slog.DiscardHandler), time.Now)})
	ctx := WithActor(context.Background(), System)
	stored, err := m.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.True(t, stored)
	require.NoError(t, s.Write(ctx, func(tx Tx) error {
		return Put(tx, User{Name: "ann", PasswordSet: true, Grants: []Grant{{Role: RoleSystem}}}, 0)
	}))
	require.NoError(t, m.DeleteToken(ctx, "bootstrap"))
	stored, err = m.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.False(t, stored)
	_, err = m.Authenticate(ctx, "sixteen letters!")
	require.ErrorIs(t, err, ErrDenied)
}
