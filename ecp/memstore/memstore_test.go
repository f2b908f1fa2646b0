package memstore_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(*testing.T) ecp.Store { return memstore.New() }

func TestStore(t *testing.T)            { ecptest.TestStore(t, open) }
func TestStoreConcurrency(t *testing.T) { ecptest.TestStoreConcurrency(t, open) }

func put(t *testing.T, s ecp.Store, payloads ...ecp.Payload) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, p := range payloads {
			if err := ecp.Put(tx, p, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	}))
}

// first returns the first thing Changes yields.
func first(ctx context.Context, s ecp.Store, after int64) (ecp.Change, error) {
	for c, err := range s.Changes(ctx, after) {
		return c, err
	}
	return ecp.Change{}, nil
}

// pass lets time go by, in a bubble of synctest.
func pass(d time.Duration) { <-time.After(d) }

func TestChangesAreKeptForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		for i := range 100 {
			put(t, s, ecp.Image{ID: fmt.Sprint("old ", i)})
		}
		pass(ecp.ChangesKept)
		put(t, s, ecp.Image{ID: "just in time"})
		c, err := first(t.Context(), s, 0)
		require.NoError(t, err, "what is a day old is kept")
		require.Equal(t, "old 0", c.Key)

		pass(time.Second)
		put(t, s, ecp.Image{ID: "too late"})
		for _, after := range []int64{0, 50, 99} {
			_, err = first(t.Context(), s, after)
			require.ErrorIs(t, err, ecp.ErrGone, "after %d", after)
		}
		n := 0
		for _, err := range s.Changes(t.Context(), 0) {
			require.ErrorIs(t, err, ecp.ErrGone)
			n++
		}
		require.Equal(t, 1, n, "one error, then the end")
		c, err = first(t.Context(), s, 100)
		require.NoError(t, err)
		require.Equal(t, "just in time", c.Key)

		pass(2 * ecp.ChangesKept)
		put(t, s, ecp.Image{ID: "alone"})
		c, err = first(t.Context(), s, 102)
		require.NoError(t, err)
		require.Equal(t, "alone", c.Key)
		require.EqualValues(t, 103, c.Seq, "numbers go on")
	})
}

func TestUnreachedPositionIsGone(t *testing.T) {
	s := memstore.New()
	put(t, s, ecp.Image{ID: "a"})
	_, err := first(t.Context(), s, 2)
	require.ErrorIs(t, err, ecp.ErrGone, "a position of an earlier process would wait for ever")
}

// A consumer that falls behind what is kept is told, wherever it was.
func TestSlowConsumerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		put(t, s, ecp.Image{ID: "a"})
		var last error
		n := 0
		for _, err := range s.Changes(t.Context(), 0) {
			if last = err; err != nil {
				continue
			}
			n++
			for range 100 {
				put(t, s, ecp.Image{ID: "b"})
			}
			pass(ecp.ChangesKept + time.Second)
			put(t, s, ecp.Image{ID: "c"})
		}
		require.ErrorIs(t, last, ecp.ErrGone)
		require.Equal(t, 1, n)
	})
}

func TestPutRefusesWhatCouldNotBeFound(t *testing.T) {
	s := memstore.New()
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
	s := memstore.New()
	put(t, s, ecp.Image{ID: "a"})
	err := s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			require.NoError(t, err)
			return ecp.Put(tx, ecp.Image{ID: "b"}, 0)
		}
		return nil
	})
	require.ErrorIs(t, err, ecp.ErrInternal)
	require.NoError(t, s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			require.NoError(t, err)
			break
		}
		return ecp.Put(tx, ecp.Image{ID: "b"}, 0)
	}))
}

// A writer that waits for its turn gives up with its context.
func TestWaitingWriterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, s.Write(t.Context(), func(ecp.Tx) error {
			require.ErrorIs(t, s.Write(ctx, func(ecp.Tx) error { return nil }), context.DeadlineExceeded)
			return nil
		}))
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("of %d", n), func(b *testing.B) {
			s := memstore.New()
			for i := range n {
				err := s.Write(b.Context(), func(tx ecp.Tx) error {
					return ecp.Put(tx, ecp.Image{ID: fmt.Sprint(i)}, 0)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				err := s.Write(b.Context(), func(tx ecp.Tx) error {
					return ecp.Put(tx, ecp.Image{ID: "0"}, ecp.AnyVersion)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
