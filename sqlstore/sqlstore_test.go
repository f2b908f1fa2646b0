package sqlstore_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		os.Exit(writeUntilKilled(dir))
	}
	if dir := os.Getenv(officeEnv); dir != "" {
		os.Exit(administerUntilKilled(dir))
	}
	if os.Getenv("OPENECP_LONG") == "" { // a flag on the command line has the last word
		if err := flag.Set("rapid.checks", "25"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// openIn opens the store of a folder, to be closed with the test at the latest.
func openIn(t testing.TB, dir string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func open(t *testing.T) ecp.Store { return openIn(t, fastDir(t)) }

// fastDir gives a folder in memory where there is one: for tests of what is
// stored, not of whether it survives. They would wait for the disk only.
func fastDir(t interface {
	Helper()
	Cleanup(fn func())
	Fatal(args ...any)
}) string {
	t.Helper()
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "sqlstore")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

func TestStore(t *testing.T)            { ecptest.TestStore(t, open) }
func TestStoreConcurrency(t *testing.T) { ecptest.TestStoreConcurrency(t, open) }
func TestDurableStore(t *testing.T) {
	ecptest.TestDurableStore(t, func(t *testing.T, dir string) ecp.Store { return openIn(t, dir) })
}

func put(t testing.TB, s ecp.Store, payloads ...ecp.Payload) {
	t.Helper()
	require.NoError(t, s.Write(context.WithoutCancel(t.Context()), func(tx ecp.Tx) error {
		for _, p := range payloads {
			if err := ecp.Put(tx, p, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	}))
}

// first gives the first thing Changes yields.
func first(t *testing.T, s ecp.Store, after int64) (ecp.Change, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for c, err := range s.Changes(ctx, after) {
		return c, err
	}
	return ecp.Change{}, nil
}

func TestPurge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := fastDir(t)
	cfg := sqlstore.Config{Dir: dir, Kinds: fleet.Kinds(), Now: func() time.Time { return now }}
	s, err := sqlstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	const old = 1203 // some batches
	for i := range old / 3 {
		put(t, s, ecp.Image{ID: fmt.Sprint(i)}, ecp.Image{ID: "same"}, ecp.Image{ID: "same"})
	}
	now = now.Add(ecp.ChangesKept)
	put(t, s, ecp.Image{ID: "new"})
	now = now.Add(-time.Hour) // a clock that is set back does not make a hole
	put(t, s, ecp.Image{ID: "newer"})
	now = now.Add(2 * time.Hour)

	n, err := s.Purge(t.Context(), now.Add(-48*time.Hour))
	require.NoError(t, err)
	require.Zero(t, n, "nothing is that old")
	c, err := first(t, s, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, c.Seq)

	n, err = s.Purge(t.Context(), now.Add(-90*time.Minute))
	require.NoError(t, err)
	require.EqualValues(t, old, n, "what is older lies before the first that is kept")
	check := func() {
		t.Helper()
		for _, after := range []int64{0, 1, old - 1, old + 3, 1 << 40} {
			_, err = first(t, s, after)
			require.ErrorIs(t, err, ecp.ErrGone, "after %d", after)
		}
		c, err = first(t, s, old)
		require.NoError(t, err)
		require.Equal(t, "new", c.Key)
		require.EqualValues(t, old+1, c.Seq)
	}
	check()
	require.NoError(t, s.Close())
	s, err = sqlstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	check()

	n, err = s.Purge(t.Context(), now.Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.NoError(t, s.Close())
	s, err = sqlstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	put(t, s, ecp.Image{ID: "last"})
	c, err = first(t, s, old+2)
	require.NoError(t, err)
	require.EqualValues(t, old+3, c.Seq, "numbers go on, though no change was left to count from")
	_, err = first(t, s, old+1)
	require.ErrorIs(t, err, ecp.ErrGone)
}

// A consumer that falls behind what is kept is told, wherever it was.
func TestSlowConsumerIsTold(t *testing.T) {
	s := openIn(t, t.TempDir())
	put(t, s, ecp.Image{ID: "a"})
	var last error
	n := 0
	for _, err := range s.Changes(t.Context(), 0) {
		if last = err; err != nil {
			continue
		}
		n++
		for range 3 {
			put(t, s, ecp.Image{ID: "b"})
		}
		_, err := s.Purge(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
	}
	require.ErrorIs(t, last, ecp.ErrGone)
	require.Equal(t, 1, n)
}

func TestPutRefusesWhatCouldNotBeFound(t *testing.T) {
	s := open(t)
	right := ecp.NewRecord(ecp.Image{ID: "a"})
	for name, spoil := range map[string]func(*ecp.Record){
		"no payload":    func(r *ecp.Record) { r.Payload = nil },
		"no key":        func(r *ecp.Record) { r.Payload, r.Key = ecp.Image{}, "" },
		"another key":   func(r *ecp.Record) { r.Key = "b" },
		"another kind":  func(r *ecp.Record) { r.Kind = ecp.KindSize },
		"another index": func(r *ecp.Record) { r.Index.Project = "a/b" },
	} {
		wrong := right
		spoil(&wrong)
		err := s.Write(t.Context(), func(tx ecp.Tx) error { return tx.Put(wrong, ecp.AnyVersion) })
		require.ErrorIs(t, err, ecp.ErrInvalid, name)
	}
}

func TestWritingDuringListIsRefused(t *testing.T) {
	s := open(t)
	put(t, s, ecp.Image{ID: "a"})
	err := s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			require.NoError(t, err)
			return ecp.Put(tx, ecp.Image{ID: "b"}, 0)
		}
		return nil
	})
	require.ErrorIs(t, err, ecp.ErrInternal)
}

func TestCloseTwice(t *testing.T) {
	s := openIn(t, t.TempDir())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Purge(t.Context(), time.Now())
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	for _, err := range s.Changes(t.Context(), -1) {
		require.ErrorIs(t, err, ecp.ErrUnavailable)
	}
}

// Close waits for who is at work, and does not leave anybody waiting.
func TestCloseWaitsForTransactions(t *testing.T) {
	s := openIn(t, t.TempDir())
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Write(context.WithoutCancel(t.Context()), func(tx ecp.Tx) error {
			close(inside)
			<-goOn
			return ecp.Put(tx, ecp.Image{ID: "a"}, 0)
		})
	}()
	<-inside
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed under a transaction: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	require.NoError(t, <-done, "it is carried out")
	require.NoError(t, <-closed)
}
