package main_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/peers"
	"github.com/openecp/openecp/sqlstore"
)

// keyed is a Manager that shares a database, with keys of secrets of its own.
type keyed struct {
	*fleet.Manager
	store *sqlstore.Store
	ring  *ecp.KeyRing
}

func newKeyed(t *testing.T, url string, keys ...string) *keyed {
	t.Helper()
	store, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Config{URL: url, Kinds: fleet.Kinds(),
		Postgres: sqlstore.Postgres{Shared: true}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	var all []ecp.Key
	for _, id := range keys {
		all = append(all, ecp.Key{ID: id, Secret: bytes.Repeat([]byte(id), 16)})
	}
	ring, err := ecp.NewKeyRing(all...)
	require.NoError(t, err)
	m, err := fleet.New(t.Context(), fleet.Config{Store: store, Sealer: ring, Shared: &fleet.Shared{}})
	require.NoError(t, err)
	return &keyed{m, store, ring}
}

// passwords reads those of all registries, as a daemon does for clusters.
func (k *keyed) passwords(ctx context.Context, n int) (out []string, _ error) {
	err := k.store.Read(ctx, func(tx ecp.Tx) error {
		out = nil
		for i := range n {
			s, err := k.Catalog.Registries.Secret(tx, fmt.Sprint("r", i))
			if err != nil {
				return err
			}
			out = append(out, string(s))
		}
		return nil
	})
	return out, err
}

// keyIsReplaced: two daemons encrypt everything anew at once, while others that know the new
// key, too, read and write. Nothing is lost, nothing is done twice, and then the old key can go.
func keyIsReplaced(t *testing.T, server *pgtest.Server) {
	const n = 25
	url, ctx := server.Database(t), ecp.WithActor(t.Context(), ecp.System)
	before, slow := newKeyed(t, url, "k1"), newKeyed(t, url, "k1", "k2")
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("hush-", i))
		_, err := before.Catalog.Registries.Create(ctx, ecp.Registry{Name: fmt.Sprint("r", i),
			Host: fmt.Sprintf("r%d.example.com", i), User: "u"}, ecp.Secret(want[i]))
		require.NoError(t, err)
	}
	require.NoError(t, peers.Check(ctx, before.store, before.ring))

	a, b := newKeyed(t, url, "k2", "k1"), newKeyed(t, url, "k2", "k1")
	over := make(chan struct{})
	var reading, sealing sync.WaitGroup
	for _, k := range []*keyed{a, slow} {
		reading.Go(func() {
			for {
				if got, err := k.passwords(ctx, n); err != nil || len(got) != n {
					t.Error(got, err)
				}
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	var done [2]int
	for i, k := range []*keyed{a, b} {
		sealing.Go(func() {
			var err error
			if done[i], err = k.ResealSecrets(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	sealing.Go(func() { // with the old key
		if _, err := slow.Catalog.Registries.Create(ctx, ecp.Registry{Name: "late", Host: "registry.example.com",
			User: "u"}, "hush-late"); err != nil {
			t.Error(err)
		}
	})
	sealing.Wait()
	close(over)
	reading.Wait()
	all := n + 1 // with the authority of the daemons
	require.Contains(t, []int{all, all + 1}, done[0]+done[1], "%v", done)
	late, err := b.ResealSecrets(ctx)
	require.NoError(t, err)
	require.Equal(t, all+1, done[0]+done[1]+late)

	last := newKeyed(t, url, "k2")
	got, err := last.passwords(ctx, n)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, last.store.Read(ctx, func(tx ecp.Tx) error {
		s, err := last.Catalog.Registries.Secret(tx, "late")
		require.Equal(t, ecp.Secret("hush-late"), s)
		return err
	}))
	require.NoError(t, peers.Check(ctx, last.store, last.ring), "daemons know one another with the new key")
	require.ErrorContains(t, peers.Check(ctx, before.store, before.ring), `the key "k2"`)
}
