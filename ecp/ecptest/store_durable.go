package ecptest

import (
	"fmt"
	"io"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestDurableStore holds a Store that outlives its process to that. open opens
// the store of a directory, making it the first time. The store must be an
// [io.Closer]: the suite closes and opens it again and again.
func TestDurableStore(t *testing.T, open func(t *testing.T, dir string) ecp.Store) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, d *durable)
	}{
		{"every record is there again, whole and of the same version", testRecordsSurvive},
		{"numbers go on growing, and changes are resumed from before", testChangesSurvive},
		{"what was deleted stays so, also where it was the last change", testDeletedStays},
		{"names stay taken and versions hold", testRulesSurvive},
		{"a closed store refuses, and ends who waits for changes", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &durable{open: open, dir: t.TempDir()}
			d.reopen(t)
			c.run(t, d)
			d.close(t)
		})
	}
}

// durable is a store that is closed and opened again.
type durable struct {
	ecp.Store
	open func(t *testing.T, dir string) ecp.Store
	dir  string
}

func (d *durable) close(t *testing.T) {
	t.Helper()
	if d.Store == nil {
		return
	}
	c, ok := d.Store.(io.Closer)
	require.True(t, ok, "a durable store is an io.Closer; this is a %T", d.Store)
	require.NoError(t, c.Close())
	d.Store = nil
}

func (d *durable) reopen(t *testing.T) {
	t.Helper()
	d.close(t)
	d.Store = d.open(t, d.dir)
}

func testRecordsSurvive(t *testing.T, d *durable) {
	all := onePayloadOfEach()
	put(t, d, all...)
	before := map[ecp.Kind]ecp.Record{}
	for _, p := range all {
		kind, key, _ := p.Describe()
		before[kind] = get(t, d, kind, key)
	}
	d.reopen(t)
	for _, p := range all {
		kind, key, _ := p.Describe()
		require.Equal(t, before[kind], get(t, d, kind, key))
		requireSamePayload(t, p, get(t, d, kind, key).Payload)
	}
}

func testChangesSurvive(t *testing.T, d *durable) {
	const rounds = 4
	for i := range rounds {
		before := seq(t, d)
		changes := d.Changes(soon(t), -1)
		put(t, d, image(fmt.Sprint(i), "1"), image(fmt.Sprint(i), "2"))
		for c, err := range changes {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), c.Key, "from now on is from now on after a restart, too")
			break
		}
		now := seq(t, d)
		require.Greater(t, now, before)
		d.reopen(t)
		require.Equal(t, now, seq(t, d))
	}
	all := collect(t, d, 0, 2*rounds)
	for i, c := range all {
		require.Equal(t, fmt.Sprint(i/2), c.Key, brief(all))
		require.Equal(t, ecp.Payload(image(fmt.Sprint(i/2), fmt.Sprint(i%2+1))), c.Payload)
	}
	require.Equal(t, all[3:], collect(t, d, all[2].Seq, 2*rounds-3), "from the middle of a transaction")
	require.Equal(t, all[2*rounds-1].Seq, seq(t, d))
}

func testDeletedStays(t *testing.T, d *durable) {
	put(t, d, image("a", "1"), image("b", "1"))
	write(t, d, func(tx ecp.Tx) error { return tx.Delete(ecp.KindImage, "b") })
	last := seq(t, d)
	d.reopen(t)
	requireKeys(t, d, ecp.Query{Kind: ecp.KindImage}, "a")
	put(t, d, image("b", "2"))
	changes := collect(t, d, 0, 4)
	require.True(t, changes[2].Deleted, brief(changes))
	require.Equal(t, ecp.Payload(image("b", "1")), changes[2].Payload, "the last payload")
	require.Greater(t, changes[3].Seq, last)
}

func testRulesSurvive(t *testing.T, d *durable) {
	put(t, d, cluster("emqx-00000001", "one"), image("a", "1"))
	version := get(t, d, ecp.KindImage, "a").Version
	d.reopen(t)
	require.ErrorIs(t, tryPut(t, d, cluster("emqx-00000002", "one"), 0), ecp.ErrExists)
	require.ErrorIs(t, tryPut(t, d, image("a", "2"), 0), ecp.ErrExists)
	require.NoError(t, tryPut(t, d, image("a", "2"), version))
	require.ErrorIs(t, tryPut(t, d, image("a", "3"), version), ecp.ErrConflict)
}

func testClosed(t *testing.T, d *durable) {
	put(t, d, image("a", "1"))
	s, ended := d.Store, make(chan error, 1)
	begun := make(chan struct{})
	ctx := soon(t)
	go func() {
		for _, err := range s.Changes(ctx, 0) {
			if err != nil {
				ended <- err
				return
			}
			close(begun)
		}
	}()
	<-begun
	d.close(t)
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-ctx.Done():
		t.Fatal("Changes still waits on a store that was closed")
	}
	require.Error(t, s.Read(t.Context(), func(ecp.Tx) error { return nil }))
	require.Error(t, s.Write(t.Context(), func(ecp.Tx) error { return nil }))
	d.reopen(t)
	requireKeys(t, d, ecp.Query{Kind: ecp.KindImage}, "a")
}
