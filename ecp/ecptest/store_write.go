package ecptest

import (
	"context"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var writeCases = []storeCase{
	{"Write: all or nothing", testAllOrNothing},
	{"Write: a panic of fn writes nothing and leaves the store usable", testPanic},
	{"Write: fn's error comes back unwrapped", func(t *testing.T, s ecp.Store) {
		err := s.Write(t.Context(), func(ecp.Tx) error { return errMine })
		//nolint:errorlint // that it is not wrapped is the point
		require.True(t, err == errMine, "got %v, of type %T", err, err)
	}},
	{"Write: a transaction reads what it wrote", testReadsOwnWrites},
	{"Write: a transaction that writes nothing is no change", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"))
		from := seq(t, s)
		write(t, s, func(tx ecp.Tx) error {
			_, err := tx.Get(ecp.KindImage, "a")
			return err
		})
		require.Equal(t, from, seq(t, s))
	}},
	{"Write: a context that has ended is an error, and nothing is written", func(t *testing.T, s ecp.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, image("a", "1"), 0) }),
			context.Canceled)
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage})
	}},
	{"Write: what it returns is what happened, also when ctx ends meanwhile", func(t *testing.T, s ecp.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Write(ctx, func(tx ecp.Tx) error {
			defer cancel()
			return ecp.Put(tx, image("a", "1"), 0)
		})
		if err == nil {
			requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "a")
			return
		}
		require.ErrorIs(t, err, context.Canceled)
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage})
	}},
	{"Write: an error of Put or Delete that fn takes does not spoil the rest", testGoesOnAfterRefusal},
	{"Tx: not usable after fn has returned", testTxAfterEnd},
}

func testAllOrNothing(t *testing.T, s ecp.Store) {
	first := cluster("emqx-00000001", "one")
	put(t, s, first, image("a", "1"), image("b", "1"))
	from := seq(t, s)
	err := s.Write(t.Context(), func(tx ecp.Tx) error {
		renamed := first.Clone()
		renamed.Name = "two"
		require.NoError(t, ecp.Put(tx, renamed, ecp.AnyVersion))
		require.NoError(t, ecp.Put(tx, cluster("emqx-00000002", "one"), 0))
		require.NoError(t, ecp.Put(tx, image("a", "2"), ecp.AnyVersion))
		require.NoError(t, tx.Delete(ecp.KindImage, "b"))
		return errMine
	})
	require.ErrorIs(t, err, errMine)
	require.Equal(t, from, seq(t, s), "nothing that was taken back is a change")
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "a", "b")
	requireKeys(t, s, ecp.Query{Kind: ecp.KindCluster}, string(first.ID))
	require.Equal(t, ecp.Payload(image("a", "1")), get(t, s, ecp.KindImage, "a").Payload)
	requireSamePayload(t, first, get(t, s, ecp.KindCluster, string(first.ID)).Payload)

	// Names are as free, and as taken, as before.
	put(t, s, cluster("emqx-00000003", "two"))
	require.ErrorIs(t, s.Write(t.Context(),
		func(tx ecp.Tx) error { return ecp.Put(tx, cluster("emqx-00000004", "one"), 0) }), ecp.ErrExists)
	changes := collect(t, s, from, 1)
	require.Equal(t, "emqx-00000003", changes[0].Key, brief(changes))
}

func testPanic(t *testing.T, s ecp.Store) {
	func() {
		defer func() { require.Equal(t, errMine, recover(), "the panic goes on") }()
		_ = s.Write(t.Context(), func(tx ecp.Tx) error {
			require.NoError(t, ecp.Put(tx, image("a", "1"), 0))
			panic(errMine)
		})
	}()
	func() {
		defer func() { require.Equal(t, errMine, recover(), "the panic goes on") }()
		_ = s.Read(t.Context(), func(ecp.Tx) error { panic(errMine) })
	}()
	require.NoError(t, s.Write(soon(t), func(tx ecp.Tx) error { return ecp.Put(tx, image("b", "1"), 0) }))
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "b")
}

func testReadsOwnWrites(t *testing.T, s ecp.Store) {
	put(t, s, image("a", "1"), image("b", "1"))
	write(t, s, func(tx ecp.Tx) error {
		from, err := tx.Seq()
		require.NoError(t, err)
		require.NoError(t, ecp.Put(tx, image("a", "2"), ecp.AnyVersion))
		require.NoError(t, ecp.Put(tx, image("c", "1"), 0))
		require.NoError(t, tx.Delete(ecp.KindImage, "b"))
		a, _, err := ecp.Get[ecp.Image](tx, "a")
		require.NoError(t, err)
		require.Equal(t, "2", a.Version)
		_, err = tx.Get(ecp.KindImage, "b")
		require.ErrorIs(t, err, ecp.ErrNotFound)
		got, err := keys(tx, ecp.Query{Kind: ecp.KindImage})
		require.NoError(t, err)
		require.Equal(t, []string{"a", "c"}, got)
		to, err := tx.Seq()
		require.GreaterOrEqual(t, to, from+3, "Seq counts the changes of this transaction")
		return err
	})
}

func testGoesOnAfterRefusal(t *testing.T, s ecp.Store) {
	put(t, s, cluster("emqx-00000001", "one"))
	from := seq(t, s)
	write(t, s, func(tx ecp.Tx) error {
		require.ErrorIs(t, ecp.Put(tx, cluster("emqx-00000001", "one"), 0), ecp.ErrExists)
		require.ErrorIs(t, ecp.Put(tx, cluster("emqx-00000002", "one"), 0), ecp.ErrExists)
		require.ErrorIs(t, ecp.Put(tx, image("a", "1"), 7), ecp.ErrConflict)
		require.ErrorIs(t, tx.Delete(ecp.KindImage, "a"), ecp.ErrNotFound)
		return ecp.Put(tx, image("b", "1"), 0)
	})
	requireKeys(t, s, ecp.Query{Kind: ecp.KindCluster}, "emqx-00000001")
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "b")
	put(t, s, image("c", "1"))
	changes := collect(t, s, from, 2)
	require.Equal(t, "b", changes[0].Key, "what was refused is no change: %s", brief(changes))
	require.Equal(t, "c", changes[1].Key, brief(changes))
}

func testTxAfterEnd(t *testing.T, s ecp.Store) {
	for _, in := range []func(context.Context, func(ecp.Tx) error) error{s.Read, s.Write} {
		var kept ecp.Tx
		require.NoError(t, in(t.Context(), func(tx ecp.Tx) error {
			kept = tx
			return nil
		}))
		_, err := kept.Get(ecp.KindImage, "a")
		require.Error(t, err)
		require.NotErrorIs(t, err, ecp.ErrNotFound, "that would be an answer")
		_, err = kept.Seq()
		require.Error(t, err)
		_, err = keys(kept, ecp.Query{Kind: ecp.KindImage})
		require.Error(t, err)
		require.Error(t, ecp.Put(kept, image("a", "1"), ecp.AnyVersion))
		require.Error(t, kept.Delete(ecp.KindImage, "a"))
	}
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage})
}
