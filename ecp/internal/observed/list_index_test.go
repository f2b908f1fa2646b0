package observed

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/stretchr/testify/require"
)

// readStore counts how often the whole fleet was read, and has a feed.
type readStore struct {
	*mapstore.Store
	all   int
	block chan struct{} // reading waits for it; nil means it does not
}

func (s *readStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Store.Read(ctx, func(tx ecp.Tx) error { return fn(countingTx{tx, s}) })
}

func (s *readStore) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		for seq := after + 1; seq <= s.Seq; seq++ {
			if err := ctx.Err(); err != nil {
				yield(ecp.Change{}, err)
				return
			}
			if !yield(ecp.Change{Seq: seq, Kind: ecp.KindPool, Payload: ecp.Pool{}}, nil) {
				return
			}
		}
	}
}

type countingTx struct {
	ecp.Tx
	s *readStore
}

func (t countingTx) List(q ecp.Query) iter.Seq2[ecp.Record, error] {
	if q.Kind == ecp.KindCluster {
		t.s.all++
	}
	return t.Tx.List(q)
}

// Whoever gives up a list spoils nobody else's.
func TestAListThatIsGivenUp(t *testing.T) {
	synctest.Test(t, listGivenUp)
}

func listGivenUp(t *testing.T) {
	s := &readStore{Store: mapstore.New()}
	f := newListIndex()
	write := func() {
		require.NoError(t, s.Write(t.Context(),
			func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Pool{}, ecp.AnyVersion) }))
	}
	write()
	_, err := f.all(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, 1, s.all)

	write()
	given, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.all(given, s)
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.all(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, 1, s.all, "the changes were enough")

	s.block = make(chan struct{})
	slow := make(chan error, 1)
	holding, release := context.WithCancel(t.Context())
	go func() { _, err := f.all(holding, s); slow <- err }()
	synctest.Wait()
	_, err = f.all(given, s)
	require.True(t, errors.Is(err, context.Canceled), "it waits no longer than its context: %v", err)
	release()
	require.ErrorIs(t, <-slow, context.Canceled)
}
