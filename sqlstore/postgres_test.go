//go:build linux

package sqlstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// reach is how long a test waits for what happens between processes.
const reach = time.Minute

// openAt opens the store at a URL, to be closed with the test at the latest.
func openAt(t testing.TB, url string, set ...func(*sqlstore.Config)) *sqlstore.Store {
	t.Helper()
	s, err := tryAt(t, url, set...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func tryAt(t testing.TB, url string, set ...func(*sqlstore.Config)) (*sqlstore.Store, error) {
	t.Helper()
	c := sqlstore.Config{URL: url, Kinds: fleet.Kinds()}
	for _, s := range set {
		s(&c)
	}
	return sqlstore.Open(context.WithoutCancel(t.Context()), c)
}

func shared(c *sqlstore.Config) { c.Postgres.Shared, c.Postgres.Poll = true, 20*time.Millisecond }

// TestPostgres holds a Store on PostgreSQL to all that one in a folder is held to, and
// to what several processes expect of it.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	open := func(t *testing.T) ecp.Store { return openAt(t, server.Database(t)) }
	t.Run("Store", func(t *testing.T) { ecptest.TestStore(t, open) })
	t.Run("StoreConcurrency", func(t *testing.T) { ecptest.TestStoreConcurrency(t, open) })
	t.Run("DurableStore", func(t *testing.T) {
		databases := map[string]string{}
		ecptest.TestDurableStore(t, func(t *testing.T, dir string) ecp.Store {
			if databases[dir] == "" {
				databases[dir] = server.Database(t)
			}
			return openAt(t, databases[dir])
		})
	})
	t.Run("LikeMemstore", func(t *testing.T) {
		if os.Getenv("OPENECP_LONG") == "" { // opening takes longer than in a folder
			checks := flag.Lookup("rapid.checks").Value
			before := checks.String()
			require.NoError(t, checks.Set("6"))
			defer func() { require.NoError(t, checks.Set(before)) }()
		}
		rapid.Check(t, func(r *rapid.T) {
			url := server.Database(t)
			r.Cleanup(func() { server.Ask(t, url, "DROP SCHEMA openecp CASCADE") })
			likeMemstore(r, sqlstore.Config{URL: url})
		})
	})
	t.Run("through a pooler", func(t *testing.T) {
		through := server.Pooler(t)
		ecptest.TestStore(t, func(t *testing.T) ecp.Store { return openAt(t, through(server.Database(t))) })
	})
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"one process at a time":        oneAtATime,
		"who was stopped writes none":  overtaken,
		"alone or shared, never both":  aloneOrShared,
		"several see each other":       several,
		"nobody is held up":            standsStill,
		"any isolation by default":     serializable,
		"another state of itself":      anotherState,
		"what cannot be opened":        refused,
		"tables that are gone":         tablesGone,
		"a password is replaced":       passwordIsReplaced,
		"a newer version":              newer,
		"moved there and back":         migrated,
		"a dump that is put back":      dumped,
		"purged changes stay numbered": purgedOnPostgres,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

func oneAtATime(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	first := openAt(t, url, func(c *sqlstore.Config) { c.Postgres.Host = "first.example" })
	put(t, first, ecp.Image{ID: "a"})
	_, err := tryAt(t, url)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "another process has the database")
	require.ErrorContains(t, err, "on host first.example since 2")
	put(t, first, ecp.Image{ID: "b"})
	require.NoError(t, first.Close())
	second := openAt(t, url)
	put(t, second, ecp.Image{ID: "c"})
	require.NotEqual(t, first.Incarnation(), second.Incarnation())
	require.Empty(t, second.Dead())
}

// overtaken: a process that was stopped for too long finds that another one has the
// database, and writes nothing.
func overtaken(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	first := openAt(t, url)
	put(t, first, ecp.Image{ID: "a"})
	second := overtake(t, server, url)
	err := first.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "late"}, 0) })
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "another process has taken the database over; nothing was written")
	<-first.Lost()
	require.ErrorContains(t, first.Writable(t.Context()), "taken the database over")
	put(t, second, ecp.Image{ID: "b"})
	require.Equal(t, []string{"a", "b"}, images(t, second))
	require.NoError(t, first.Close())
	put(t, second, ecp.Image{ID: "c"}) // the first has not given free what is the second's
}

// overtake opens a database as if those that have it had been stopped for long.
func overtake(t *testing.T, server *pgtest.Server, url string) (s *sqlstore.Store) {
	t.Helper()
	processtest.Eventually(t, reach, func() (bool, error) { // they may renew their hold in between
		server.Ask(t, url, "UPDATE openecp.store SET renewed = renewed - interval '13 s'")
		var err error
		s, err = tryAt(t, url)
		return err == nil, err
	})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// aloneOrShared: processes that share a database keep away one that would have it alone,
// and the reverse, also where all of them come at once.
func aloneOrShared(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	first, second := openAt(t, url, shared), openAt(t, url, shared)
	refusedAlone := func() {
		t.Helper()
		_, err := tryAt(t, url)
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "processes that share the database")
	}
	refusedAlone()
	beside := openAt(t, url, func(c *sqlstore.Config) { c.Postgres.Beside = true })
	put(t, beside, ecp.Image{ID: "a"})
	server.Ask(t, url, "INSERT INTO openecp.records VALUES ('daemon', 'd', '', '', '', '', 1, 0, '{}')")
	require.NoError(t, first.Close())
	refusedAlone() // the other one lives
	put(t, second, ecp.Image{ID: "b"})
	server.Ask(t, url, "DELETE FROM openecp.records WHERE kind = 'daemon'")
	require.NoError(t, second.Close())

	alone := openAt(t, url)
	put(t, alone, ecp.Image{ID: "c"})
	_, err := tryAt(t, url, shared)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "that one does not share it")
	require.NoError(t, alone.Close())

	third := openAt(t, url, shared)
	alone = overtake(t, server, url)
	err = third.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "late"}, 0) })
	require.ErrorContains(t, err, "another process has taken the database over")
	<-third.Lost()
	put(t, alone, ecp.Image{ID: "d"})
	require.Equal(t, []string{"a", "b", "c", "d"}, images(t, alone))

	for range 3 { // on an empty database, too, where one makes the tables
		url := server.Database(t)
		var mu sync.Mutex
		opened := map[bool]int{}
		var comers sync.WaitGroup
		for i := range 8 {
			comers.Go(func() {
				s, err := tryAt(t, url, func(c *sqlstore.Config) {
					c.Postgres.Shared, c.Postgres.Connections = i%2 == 0, 3
				})
				if errors.Is(err, ecp.ErrConflict) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = s.Close() })
				mu.Lock()
				defer mu.Unlock()
				opened[i%2 == 0]++
			})
		}
		comers.Wait()
		if opened[true] > 0 {
			require.Equal(t, map[bool]int{true: 4}, opened)
		} else {
			require.Equal(t, map[bool]int{false: 1}, opened)
		}
	}
}

func images(t *testing.T, s ecp.Store) (ids []string) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) error {
		ids = nil
		for r, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			if err != nil {
				return err
			}
			ids = append(ids, r.Key)
		}
		return nil
	}))
	return ids
}

// several write at once, and each sees all changes in one order, without a gap.
func several(t *testing.T, server *pgtest.Server) {
	const stores, each = 3, 40
	url := server.Database(t)
	var all []*sqlstore.Store
	for range stores {
		all = append(all, openAt(t, url, shared))
	}
	seen := make([][]string, stores)
	var watchers, writers sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), reach)
	defer cancel()
	for i, s := range all {
		watchers.Go(func() {
			last := int64(0)
			for c, err := range s.Changes(ctx, 0) {
				if err != nil || c.Seq != last+1 {
					t.Errorf("after %d: %+v, %v", last, c, err)
					return
				}
				last = c.Seq
				if seen[i] = append(seen[i], c.Key); len(seen[i]) == stores*each {
					return
				}
			}
		})
		writers.Go(func() {
			for n := range each {
				err := s.Write(ctx, func(tx ecp.Tx) error {
					pool, version, err := ecp.Get[ecp.Pool](tx, "pool")
					if err != nil && !errors.Is(err, ecp.ErrNotFound) {
						return err
					}
					pool.UsedConnections++
					if n%2 == 0 {
						return ecp.Put(tx, pool, version)
					}
					return ecp.Put(tx, ecp.Image{ID: fmt.Sprint(i, "-", n)}, 0)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	watchers.Wait()
	for _, s := range seen {
		require.Equal(t, seen[0], s)
	}
	require.NoError(t, all[1].Read(t.Context(), func(tx ecp.Tx) error {
		pool, _, err := ecp.Get[ecp.Pool](tx, "pool")
		require.Equal(t, int64(stores*each/2), int64(pool.UsedConnections))
		return err
	}))
}

// standsStill: a process that stops inside of a transaction does not hold up the
// others, and what it wrote is not there.
func standsStill(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	stopped, other := openAt(t, url, shared), openAt(t, url, shared)
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- stopped.Write(t.Context(), func(tx ecp.Tx) error {
			close(inside)
			<-goOn
			return ecp.Put(tx, ecp.Image{ID: "late"}, 0)
		})
	}()
	<-inside
	began := time.Now()
	put(t, other, ecp.Image{ID: "a"})
	require.Less(t, time.Since(began), 9*time.Second, "one that has the database alone may stand still for 10 s")
	close(goOn)
	require.ErrorIs(t, <-done, ecp.ErrUnavailable)
	require.Equal(t, []string{"a"}, images(t, other))
	put(t, stopped, ecp.Image{ID: "b"})
}

// serializable: it is held, though somebody else has just changed its row, where transactions
// of the database are serializable by default and would fail then.
func serializable(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	put(t, openAt(t, url, shared), ecp.Image{ID: "a"})
	server.Ask(t, url, "ALTER DATABASE "+nameOf(url)+" SET default_transaction_isolation = 'serializable'")
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		server.Ask(t, url, "WITH done AS (UPDATE openecp.store SET renewed = now() RETURNING 1) "+
			"SELECT pg_sleep(1) FROM done")
	}()
	processtest.Eventually(t, reach, func() (bool, string) {
		var n int
		server.Get(t, server.URL("postgres"), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", &n)
		return n == 1, "no lock yet"
	})
	s := openAt(t, url, shared)
	<-changed
	put(t, s, ecp.Image{ID: "b"})
	require.Equal(t, []string{"a", "b"}, images(t, s))
}

// anotherState: numbers that somebody has seen are not given out again by a database
// that was set back.
func anotherState(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	s := openAt(t, url)
	put(t, s, ecp.Image{ID: "a"}, ecp.Image{ID: "b"})
	server.Ask(t, url, "UPDATE openecp.store SET seq = 1, mark = 'another'") // as a dump that was put back has it
	put(t, s, ecp.Image{ID: "c"})
	_, err := first(t, s, 1)
	require.ErrorIs(t, err, ecp.ErrGone)
	c, err := first(t, s, 1+1<<32)
	require.NoError(t, err)
	require.Equal(t, "c", c.Key)
	require.EqualValues(t, 2+1<<32, c.Seq)

	// A watcher that waits is told, though nobody writes.
	ctx, cancel := context.WithTimeout(t.Context(), reach)
	defer cancel()
	told := make(chan error)
	go func() {
		for _, err := range s.Changes(ctx, c.Seq) {
			told <- err
			return
		}
	}()
	server.Ask(t, url, "UPDATE openecp.store SET mark = 'a third'")
	require.ErrorIs(t, <-told, ecp.ErrGone)
}

func refused(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	server.Ask(t, url, "CREATE ROLE guest LOGIN PASSWORD 'hunter2'")
	foreign := server.Database(t)
	server.Ask(t, foreign, "CREATE SCHEMA openecp; CREATE TABLE openecp.parcels (id int)")
	narrow := server.URL("narrow")
	server.Ask(t, server.URL("postgres"), "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
	still := server.Database(t)
	server.Ask(t, still, "CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on")
	careless := server.Database(t)
	server.Ask(t, careless, "ALTER DATABASE "+nameOf(careless)+" SET synchronous_commit = off")
	simulated := server.Database(t)
	require.NoError(t, openAt(t, simulated, func(c *sqlstore.Config) { c.Platform = sqlstore.Simulated }).Close())
	for name, c := range map[string]struct {
		url  string
		code error
		says string
	}{
		"no URL":   {"postgres://u:hunter2@[::1/x", ecp.ErrInvalid, "cannot be read; it is as postgres://"},
		"odd port": {"postgres://u:hunter2@h:hunter2/x", ecp.ErrInvalid, "cannot be read; it is as postgres://"},
		"sslmode":  {"postgres://u:hunter2@h/x?sslmode=sure", ecp.ErrInvalid, "unknown sslmode"},
		"no such file": {"postgres://u:hunter2@h/x?sslmode=verify-full&sslrootcert=/sslmode.crt", ecp.ErrInvalid,
			"cannot be used: failed to configure TLS (unable to read CA file: open /sslmode.crt: no such file"},
		"target": {"postgres://u:hunter2@h/x?target_session_attrs=any1", ecp.ErrInvalid,
			"cannot be used: unknown target_session_attrs value: any1"},
		"time-out": {"postgres://u:hunter2@h/x?connect_timeout=soon", ecp.ErrInvalid,
			"cannot be used: invalid connect_timeout"},
		"no server":   {"postgres://u:hunter2@127.0.0.1:1/x", ecp.ErrUnavailable, "cannot be reached"},
		"no database": {server.URL("none"), ecp.ErrUnavailable, "create it (CREATE DATABASE)"},
		"no such user": {strings.Replace(url, "openecp@", "nobody:hunter2@", 1), ecp.ErrUnavailable,
			"does not let this user in"},
		"no right": {strings.Replace(url, "openecp@", "guest:hunter2@", 1), ecp.ErrUnavailable,
			"grant it CREATE"},
		"no name": {strings.Replace(server.URL(""), "openecp@", "guest@", 1), ecp.ErrUnavailable,
			"the database guest on 127.0.0.1"},
		"other encoding": {narrow, ecp.ErrConflict, "is encoded in LATIN1, which cannot hold every text"},
		"takes no writes": {strings.Replace(still, "openecp@", "reader@", 1), ecp.ErrUnavailable,
			"it takes no writes: it is a standby, or default_transaction_read_only is on"},
		"another schema": {foreign, ecp.ErrConflict, "of another program"},
		"not durable":    {careless, ecp.ErrConflict, "synchronous_commit is off"},
		"platform":       {simulated, ecp.ErrConflict, "holds simulated clusters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryAt(t, c.url, func(c *sqlstore.Config) { c.Platform = sqlstore.Kubernetes })
			require.ErrorIs(t, err, c.code)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url, Dir: t.TempDir(), Kinds: fleet.Kinds()})
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

// tablesGone: that is told, and all goes on when they are back.
func tablesGone(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	s := openAt(t, url)
	put(t, s, ecp.Image{ID: "a"})
	server.Ask(t, url, "ALTER SCHEMA openecp RENAME TO gone")
	err := s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "b"}, 0) })
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "the tables of the schema openecp are not there")
	server.Ask(t, url, "ALTER SCHEMA gone RENAME TO openecp")
	put(t, s, ecp.Image{ID: "b"})
	require.Equal(t, []string{"a", "b"}, images(t, s))
}

func nameOf(url string) string {
	name, _, _ := strings.Cut(url[strings.LastIndex(url, "/")+1:], "?")
	return name
}

// newer: tables that a newer version has added to are used, and such as it has changed
// are not touched.
func newer(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	require.NoError(t, openAt(t, url).Close())
	server.Ask(t, url, "INSERT INTO openecp.versions (version_id, is_applied) VALUES (99, true)")
	older := openAt(t, url, shared)
	put(t, older, ecp.Image{ID: "a"})
	require.NoError(t, older.LostReason())
	server.Ask(t, url, "UPDATE openecp.store SET needs = 99")
	err := older.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "late"}, 0) })
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	<-older.Lost()
	require.ErrorIs(t, older.LostReason(), sqlstore.ErrNewer)
	require.ErrorContains(t, older.Writable(t.Context()), "to version 99, and this one knows versions up to 1 only; "+
		"nothing was written since: run the newer version in its place")
	require.Equal(t, []string{"a"}, images(t, older))
	require.NoError(t, older.Close())

	server.Ask(t, url, "UPDATE openecp.store SET needs = 1")
	idle := openAt(t, url, shared)
	server.Ask(t, url, "UPDATE openecp.store SET needs = 99")
	<-idle.Lost() // who writes nothing finds out, too
	require.ErrorIs(t, idle.LostReason(), sqlstore.ErrNewer)
	require.NoError(t, idle.Close())
	_, err = tryAt(t, url)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "is of version 99, this program knows versions up to 1 only")
}

func purgedOnPostgres(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	s := openAt(t, url)
	for i := range 5 {
		put(t, s, ecp.Image{ID: fmt.Sprint(i)})
	}
	n, err := s.Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	_, err = first(t, s, 4)
	require.ErrorIs(t, err, ecp.ErrGone)
	put(t, s, ecp.Image{ID: "last"})
	c, err := first(t, s, 5)
	require.NoError(t, err)
	require.EqualValues(t, 6, c.Seq)
}
