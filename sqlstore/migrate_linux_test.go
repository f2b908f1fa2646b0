package sqlstore_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// versions are those of all images, by id, and the number of the last change.
func versions(t *testing.T, s ecp.Store) (out map[string]int64, last int64) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) (err error) {
		out = map[string]int64{}
		for r, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			if err != nil {
				return err
			}
			out[r.Key] = r.Version
		}
		last, err = tx.Seq()
		return err
	}))
	return out, last
}

// migrated moves a database on: there and back again.
func migrated(t *testing.T, server *pgtest.Server) {
	dir, back, url := fastDir(t), fastDir(t), server.Database(t)
	config := func(dir, url string) sqlstore.Config {
		return sqlstore.Config{Dir: dir, URL: url, Kinds: fleet.Kinds()}
	}
	_, err := sqlstore.Migrate(t.Context(), config(dir, ""), config("", url))
	require.ErrorIs(t, err, ecp.ErrNotFound, "nothing is made where nothing is")
	require.NoFileExists(t, filepath.Join(dir, "ecpd.db"))
	s := openIn(t, dir)
	put(t, s, ecp.Image{ID: "a", Reference: "é\u0000<>&"}, ecp.Image{ID: "b"}, record(1))
	before, last := versions(t, s)
	_, err = sqlstore.Migrate(t.Context(), config(dir, ""), config("", url))
	require.ErrorIs(t, err, sqlstore.ErrHeld)
	require.NoError(t, s.Close())

	moved, err := sqlstore.Migrate(t.Context(), config(dir, ""), config("", url))
	require.NoError(t, err)
	require.Equal(t, 3, moved.Records)
	require.Equal(t, 1, moved.Clusters)
	on := openAt(t, url)
	after, there := versions(t, on)
	require.Equal(t, before, after)
	require.Equal(t, last+1<<32, there)
	put(t, on, ecp.Image{ID: "c"})
	require.NoError(t, on.Close())
	_, err = sqlstore.Migrate(t.Context(), config(dir, ""), config("", url))
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "is not empty")

	_, err = sqlstore.Migrate(t.Context(), config("", url), config(back, ""))
	require.NoError(t, err)
	home := openIn(t, back)
	after, here := versions(t, home)
	require.Greater(t, here, there+1<<31)
	require.Equal(t, there+1, after["c"])
	put(t, home, ecp.Image{ID: "d"})
	c, err := first(t, home, here)
	require.NoError(t, err)
	require.Equal(t, here+1, c.Seq)
}

// dumped puts a dump back into another database, as after a disaster.
func dumped(t *testing.T, server *pgtest.Server) {
	from, to := server.Database(t), server.Database(t)
	s := openAt(t, from)
	put(t, s, ecp.Image{ID: "a"})
	require.NoError(t, s.Close())
	dump := filepath.Join(t.TempDir(), "dump")
	for _, c := range [][]string{
		{"pg_dump", "--schema=openecp", "--file", dump, from}, {"psql", "--quiet", "--file", dump, to},
	} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(server.Programs(), c[0]), c[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	s = openAt(t, to)
	put(t, s, ecp.Image{ID: "b"})
	after, last := versions(t, s)
	require.EqualValues(t, 1, after["a"])
	require.Greater(t, last, int64(1)<<32, "numbers of before are not given out again")
	_, err := first(t, s, 1)
	require.ErrorIs(t, err, ecp.ErrGone)
}
