package ecp

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// readStore counts how often the whole fleet was read, and has a feed.
type readStore struct {
	*mapStore
	all   int
	block chan struct{} // reading waits for it; nil = it does not
}

func (s *readStore) Read(ctx context.Context, fn func(Tx) error) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.mapStore.Read(ctx, func(tx Tx) error { return fn(countingTx{tx, s}) })
}

func (s *readStore) Changes(ctx context.Context, after int64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for seq := after + 1; seq <= s.seq; seq++ {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			if !yield(Change{Seq: seq, Kind: KindPool, Payload: Pool{}}, nil) {
				return
			}
		}
	}
}

type countingTx struct {
	Tx
	s *readStore
}

func (t countingTx) List(q Query) iter.Seq2[Record, error] {
	if q.Kind == KindCluster {
		t.s.all++
	}
	return t.Tx.List(q)
}

// Who gives up a list spoils nobody else's.
func TestAListThatIsGivenUp(t *testing.T) {
	synctest.Test(t, listGivenUp)
}

func listGivenUp(t *testing.T) {
	s := &readStore{mapStore: newMapStore()}
	f := newRoster()
	write := func() {
		require.NoError(t, s.Write(t.Context(), func(tx Tx) error { return Put(tx, Pool{}, AnyVersion) }))
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
