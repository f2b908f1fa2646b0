package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// keyIsUnknown: a daemon that would encrypt with a key that another one does not know, or the
// reverse, does not start, and leaves everything as it was.
func keyIsUnknown(t *testing.T, server *pgtest.Server) {
	g := newTogether(t, server)
	first, second := "first:"+strings.Repeat("A", 43)+"=\n", "second:"+strings.Repeat("B", 43)+"=\n"
	with := func(keys ...string) *together {
		other := *g
		other.keys = filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(other.keys, []byte(strings.Join(keys, "")), 0o600))
		return &other
	}
	refused := func(g *together, says ...string) {
		t.Helper()
		p := g.begin(t)
		require.Equal(t, 1, p.Wait(t, 20*time.Second))
		lines := strings.Split(strings.TrimSpace(p.Stderr.String()), "\n")
		for _, word := range says {
			require.Contains(t, lines[len(lines)-1], word)
		}
	}
	a := g.ready(t, g.begin(t))
	a.call(t, "POST", "/api/v1/registries",
		`{"name":"r","host":"registry.example.com","user":"u","password":"hush"}`, nil, 201)
	sealed := func() (key string) {
		server.Get(t, g.url, `SELECT split_part(substring(payload::text from 'ecp1[.][^"]*'), '.', 2)
			FROM openecp.records WHERE kind = 'secret' AND payload LIKE '%registry%'`, &key)
		return key
	}
	refused(with(second, first), `"second", is not known to the daemon `, "behind the key that is in front at all daemons")
	a.works(t)
	require.Equal(t, "first", sealed())

	both := g.ready(t, with(first, second).begin(t))
	code, _ := a.Terminate(t)
	require.Zero(t, code)
	newest := g.ready(t, with(second, first).begin(t))
	require.Equal(t, "second", sealed())
	refused(g, "give the same keys")
	newest.shares(t, 2, 20*time.Second)
	if os.Getenv("OPENECP_LONG") == "" { // a daemon that was killed stays in the list for its time
		return
	}
	both.Kill()
	code, _ = newest.Terminate(t)
	require.Zero(t, code)
	third := "third:" + strings.Repeat("C", 43) + "=\n"
	g.ready(t, with(third, second, first).begin(t))
	require.Equal(t, "third", sealed())
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
