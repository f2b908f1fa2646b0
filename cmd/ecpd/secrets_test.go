package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/k8sprovisioner"
	"github.com/stretchr/testify/require"
)

// TestDevKey: a daemon for trying out has a key of its own, for its owner only,
// that stays the same; any other has none unasked.
func TestDevKey(t *testing.T) {
	c := config{dev: true, dataDir: t.TempDir()}
	first, err := newSealer(c)
	require.NoError(t, err)
	sealed, err := first.Seal([]byte("hush"), "x")
	require.NoError(t, err)
	second, err := newSealer(c)
	require.NoError(t, err)
	plain, err := second.Open(sealed, "x")
	require.NoError(t, err)
	require.Equal(t, "hush", string(plain))
	info, err := os.Stat(filepath.Join(c.dataDir, "secrets.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	c.dev = false
	none, err := newSealer(c)
	require.NoError(t, err)
	require.Nil(t, none)
}

// TestTargetsOfKubeconfigs: what would lead to a file or program of this
// machine is refused with the field's name.
func TestTargetsOfKubeconfigs(t *testing.T) {
	target := newTargets(config{}, k8sprovisioner.Config{}, slog.New(slog.DiscardHandler))
	_, err := target(t.Context(), ecp.TargetConfig{Name: "far",
		Kubeconfig: "users: [{name: u, user: {exec: {command: /bin/sh, apiVersion: v1}}}]"})
	require.ErrorContains(t, err, "kubeconfig: ")
	require.ErrorContains(t, err, "exec")
	require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(err))
}

// A start without the key that has encrypted what the database holds says so.
func TestMissingKeyIsTold(t *testing.T) {
	store := memstore.New()
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k", Secret: bytes.Repeat([]byte{1}, 32)})
	require.NoError(t, err)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	m, err := fleet.New(ctx, fleet.Config{Store: store, Sealer: ring})
	require.NoError(t, err)
	var log bytes.Buffer
	start := func() string {
		log.Reset()
		m, err := fleet.New(ctx, fleet.Config{Store: store})
		require.NoError(t, err)
		reseal(ctx, m, false, slog.New(slog.NewTextHandler(&log, nil)))
		return log.String()
	}
	require.Empty(t, start(), "nothing is encrypted yet")
	_, err = m.Catalog.Registries.Create(ctx, ecp.Registry{Name: "ours", Host: "registry.example.com", User: "u"},
		"hush")
	require.NoError(t, err)
	require.Contains(t, start(), "--secrets-key-file")
}
