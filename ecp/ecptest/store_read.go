package ecptest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var errMine = errors.New("an error of the caller's")

var readCases = []storeCase{
	{"Read: fn runs on a consistent snapshot", testSnapshot},
	{"Read: writing is an error and writes nothing", testReadOnly},
	{"Read: fn's error comes back", func(t *testing.T, s ecp.Store) {
		require.ErrorIs(t, s.Read(t.Context(), func(ecp.Tx) error { return errMine }), errMine)
	}},
	{"Read: a context that has ended is an error", func(t *testing.T, s ecp.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Read(ctx, func(ecp.Tx) error { return nil }), context.Canceled)
	}},
	{"Get: not_found if there is none", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"))
		read(t, s, func(tx ecp.Tx) error {
			for _, at := range []struct {
				kind ecp.Kind
				key  string
			}{{
				ecp.KindImage, "b",
			}, {ecp.KindImage, "A"}, {ecp.KindImage, ""}, {ecp.KindSize, "a"}, {"unheard-of", "a"}} {
				_, err := tx.Get(at.kind, at.key)
				require.ErrorIs(t, err, ecp.ErrNotFound, "%s %q", at.kind, at.key)
			}
			return nil
		})
	}},
	{"Get: every kind of record comes back as it was put", testEveryKind},
	{"what goes in and out is copied", testCopies},
	{"Seq: list, then watch from here, and nothing is missed or doubled", testSeq},
}

func testSnapshot(t *testing.T, s ecp.Store) {
	put(t, s, image("a", "old"), image("c", "old"))
	written := make(chan error, 1)
	read(t, s, func(tx ecp.Tx) error {
		before, err := tx.Seq()
		require.NoError(t, err)
		go func() {
			written <- s.Write(context.WithoutCancel(t.Context()), func(tx ecp.Tx) error {
				return errors.Join(ecp.Put(tx, image("a", "new"), ecp.AnyVersion), ecp.Put(tx, image("b", "new"), 0),
					tx.Delete(ecp.KindImage, "c"))
			})
		}()
		select { // a store may let the writer go on, or make it wait for us
		case err := <-written:
			written <- err
		case <-time.After(50 * time.Millisecond):
		}
		a, _, err := ecp.Get[ecp.Image](tx, "a")
		require.NoError(t, err)
		require.Equal(t, "old", a.Version)
		got, err := keys(tx, ecp.Query{Kind: ecp.KindImage})
		require.NoError(t, err)
		require.Equal(t, []string{"a", "c"}, got)
		after, err := tx.Seq()
		require.Equal(t, before, after, "Seq belongs to the snapshot")
		return err
	})
	require.NoError(t, <-written)
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "a", "b")
}

func testReadOnly(t *testing.T, s ecp.Store) {
	put(t, s, image("a", "1"))
	from := seq(t, s)
	read(t, s, func(tx ecp.Tx) error {
		require.Error(t, ecp.Put(tx, image("a", "2"), ecp.AnyVersion))
		require.Error(t, ecp.Put(tx, image("b", "1"), 0))
		require.Error(t, tx.Delete(ecp.KindImage, "a"))
		return nil
	})
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "a")
	require.Equal(t, ecp.Payload(image("a", "1")), get(t, s, ecp.KindImage, "a").Payload)
	require.Equal(t, from, seq(t, s))
}

func testEveryKind(t *testing.T, s ecp.Store) {
	all := onePayloadOfEach()
	from := time.Now().Add(-time.Hour)
	put(t, s, all...)
	for _, p := range all {
		kind, key, index := p.Describe()
		r := get(t, s, kind, key)
		require.Equal(t, kind, r.Kind)
		require.Equal(t, key, r.Key)
		require.Equal(t, index, r.Index)
		require.Positive(t, r.Version)
		require.Equal(t, time.UTC, r.At.Location(), "At is UTC")
		require.True(t, r.At.After(from), "At is %s", r.At)
		requireSamePayload(t, p, r.Payload)
		requireKeys(t, s, ecp.Query{Kind: kind}, key)
	}
	changes := collect(t, s, 0, len(all))
	for i, p := range all {
		requireSamePayload(t, p, changes[i].Payload)
	}
}

func testCopies(t *testing.T, s ecp.Store) {
	want := cluster("emqx-00000001", "one")
	key := string(want.ID)
	check := func(when string) {
		t.Helper()
		got, _ := get(t, s, ecp.KindCluster, key).Payload.(ecp.ClusterRecord)
		require.Equal(t, asJSON(t, want), asJSON(t, got), when)
	}
	in := want.Clone()
	write(t, s, func(tx ecp.Tx) error {
		// Not through ecp.Put: that copies by itself.
		err := tx.Put(ecp.Record{Kind: ecp.KindCluster, Key: key, Index: ecp.NewRecord(in).Index, Payload: in}, 0)
		spoil(in)
		return err
	})
	check("what was put is changed by the caller afterwards")
	for _, in := range []func(context.Context, func(ecp.Tx) error) error{s.Read, s.Write} {
		require.NoError(t, in(t.Context(), func(tx ecp.Tx) error {
			r, err := tx.Get(ecp.KindCluster, key)
			require.NoError(t, err)
			spoil(r.Payload.(ecp.ClusterRecord))
			for r, err := range tx.List(ecp.Query{Kind: ecp.KindCluster}) {
				require.NoError(t, err)
				spoil(r.Payload.(ecp.ClusterRecord))
			}
			again, _, err := ecp.Get[ecp.ClusterRecord](tx, key)
			require.Equal(t, asJSON(t, want), asJSON(t, again), "what was got is changed by the caller")
			return err
		}))
	}
	check("what was got or listed is changed by the caller")
	spoil(collect(t, s, 0, 1)[0].Payload.(ecp.ClusterRecord))
	check("the payload of a change is changed by the caller")
	require.Equal(t, asJSON(t, want), asJSON(t, collect(t, s, 0, 1)[0].Payload), "another watcher's change")
}

func testSeq(t *testing.T, s ecp.Store) {
	require.Zero(t, seq(t, s), "an empty store has had no change")
	put(t, s, image("a", "1"), image("b", "1"))
	var from int64
	var listed []string
	read(t, s, func(tx ecp.Tx) (err error) {
		if listed, err = keys(tx, ecp.Query{Kind: ecp.KindImage}); err == nil {
			from, err = tx.Seq()
		}
		return err
	})
	put(t, s, image("c", "1"))
	put(t, s, image("d", "1"))
	for _, c := range collect(t, s, from, 2) {
		listed = append(listed, c.Key)
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, listed)
	changes := collect(t, s, 0, 4)
	require.Equal(t, changes[3].Seq, seq(t, s), "Seq is the number of the last change")
	require.True(t, slices.IsSortedFunc(changes, func(a, b ecp.Change) int { return int(a.Seq - b.Seq) }),
		brief(changes))
}
