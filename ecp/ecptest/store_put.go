package ecptest

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var putCases = []storeCase{
	{"Put: ifVersion", testIfVersion},
	{"Put: a version is never that of another incarnation", testVersionAfterDelete},
	{"Put: Version grows with every Put, and Version and At are the store's", testVersionGrows},
	{"Put: a unique name taken by another of its kind and project is exists", testUniqueName},
	{"Put: a name is free as soon as its holder has left it", testNameFreed},
	{"Delete: removes the record; not_found if there is none", testDelete},
}

func tryPut(t *testing.T, s ecp.Store, p ecp.Payload, ifVersion int64) error {
	t.Helper()
	return s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, p, ifVersion) })
}

func testIfVersion(t *testing.T, s ecp.Store) {
	put(t, s, image("there", "1"), image("there", "2"))
	read := get(t, s, ecp.KindImage, "there").Version
	for _, c := range []struct {
		name, key string
		ifVersion int64
		want      error
	}{
		{"0, nothing there", "new-1", 0, nil},
		{"any, nothing there", "new-2", ecp.AnyVersion, nil},
		{"a version, nothing there", "new-3", read, ecp.ErrConflict},
		{"0, something there", "there", 0, ecp.ErrExists},
		{"an older version", "there", read - 1, ecp.ErrConflict},
		{"a newer version", "there", read + 1, ecp.ErrConflict},
		{"the version it was read at", "there", read, nil},
		{"the same version again", "there", read, ecp.ErrConflict},
		{"any, something there", "there", ecp.AnyVersion, nil},
	} {
		before := seq(t, s)
		err := tryPut(t, s, image(c.key, "by "+c.name), c.ifVersion)
		require.ErrorIs(t, err, c.want, c.name)
		if c.want != nil {
			require.Equal(t, before, seq(t, s), "%s: nothing is written", c.name)
			continue
		}
		require.Equal(t, ecp.Payload(image(c.key, "by "+c.name)), get(t, s, ecp.KindImage, c.key).Payload, c.name)
	}
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "new-1", "new-2", "there")
}

func testVersionAfterDelete(t *testing.T, s ecp.Store) {
	put(t, s, image("a", "1"))
	old := get(t, s, ecp.KindImage, "a").Version
	write(t, s, func(tx ecp.Tx) error { return tx.Delete(ecp.KindImage, "a") })
	require.ErrorIs(t, tryPut(t, s, image("a", "2"), old), ecp.ErrConflict, "it has been deleted")
	put(t, s, image("a", "3"))
	require.ErrorIs(t, tryPut(t, s, image("a", "4"), old), ecp.ErrConflict, "it is another one of the same key")
}

func testVersionGrows(t *testing.T, s ecp.Store) {
	var last ecp.Record
	for range 5 {
		r := ecp.NewRecord(image("a", "1"))
		r.Version, r.At = 1_000_000, time.Unix(0, 0)
		write(t, s, func(tx ecp.Tx) error { return tx.Put(r, ecp.AnyVersion) })
		now := get(t, s, ecp.KindImage, "a")
		require.Greater(t, now.Version, last.Version, "also where nothing differs")
		require.Less(t, now.Version, int64(1_000_000))
		require.False(t, now.At.Before(last.At), "%s, then %s", last.At, now.At)
		require.NotEqual(t, time.Unix(0, 0).UTC(), now.At)
		last = now
	}
	put(t, s, image("b", "1"))
	require.Equal(t, last, get(t, s, ecp.KindImage, "a"), "another record is none of its business")
}

func testUniqueName(t *testing.T, s ecp.Store) {
	in := func(id ecp.ID, project, name string) ecp.ClusterRecord {
		c := cluster(id, name)
		c.Project = project
		return c
	}
	put(t, s, in("emqx-00000001", "a/b", "one"), in("emqx-00000002", "a/b", "two"))
	for _, c := range []struct {
		what string
		rec  ecp.ClusterRecord
		want error
	}{
		{"a new one of a taken name", in("emqx-00000003", "a/b", "one"), ecp.ErrExists},
		{"renamed to a taken name", in("emqx-00000002", "a/b", "one"), ecp.ErrExists},
		{"the same name in another project", in("emqx-00000004", "a/c", "one"), nil},
		{"transferred to where the name is taken", in("emqx-00000004", "a/b", "one"), ecp.ErrExists},
		{"its own name again", in("emqx-00000001", "a/b", "one"), nil},
		{"another case is another name", in("emqx-00000005", "a/b", "One"), nil},
		{"a space more is another name", in("emqx-00000006", "a/b", "one "), nil},
		{"any script", in("emqx-00000007", "a/b", "一"), nil},
		{"any script, taken", in("emqx-00000008", "a/b", "一"), ecp.ErrExists},
		{"no name", in("emqx-00000009", "a/b", ""), nil},
		{"no name twice", in("emqx-0000000a", "a/b", ""), nil},
	} {
		require.ErrorIs(t, tryPut(t, s, c.rec, ecp.AnyVersion), c.want, c.what)
	}
	put(t, s, operation("op-0000000000000001", "emqx-00000001", "a/b"),
		operation("op-0000000000000002", "emqx-00000001", "a/b"))
	requireKeys(t, s, ecp.Query{Kind: ecp.KindCluster, Project: "a/b"}, "emqx-00000001", "emqx-00000002",
		"emqx-00000005", "emqx-00000006", "emqx-00000007", "emqx-00000009", "emqx-0000000a")
}

func testNameFreed(t *testing.T, s ecp.Store) {
	put(t, s, cluster("emqx-00000001", "one"), cluster("emqx-00000002", "two"))
	write(t, s, func(tx ecp.Tx) error { // the two swap names
		for _, c := range []ecp.ClusterRecord{
			cluster("emqx-00000001", "three"), cluster("emqx-00000002", "one"), cluster("emqx-00000001", "two"),
		} {
			if err := ecp.Put(tx, c, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	})
	put(t, s, cluster("emqx-00000003", "three"))
	require.ErrorIs(t, tryPut(t, s, cluster("emqx-00000004", "two"), 0), ecp.ErrExists)
	write(t, s, func(tx ecp.Tx) error { // deleted and taken at once
		if err := tx.Delete(ecp.KindCluster, "emqx-00000001"); err != nil {
			return err
		}
		return ecp.Put(tx, cluster("emqx-00000004", "two"), 0)
	})
	moved := cluster("emqx-00000004", "two")
	moved.Project = "other/project"
	put(t, s, moved)
	put(t, s, cluster("emqx-00000005", "two"))
}

func testDelete(t *testing.T, s ecp.Store) {
	remove := func(kind ecp.Kind, key string) error {
		return s.Write(t.Context(), func(tx ecp.Tx) error { return tx.Delete(kind, key) })
	}
	put(t, s, image("a", "1"), image("b", "1"), ecp.Size{Name: "a"})
	require.ErrorIs(t, remove(ecp.KindImage, "c"), ecp.ErrNotFound)
	require.NoError(t, remove(ecp.KindImage, "a"))
	require.ErrorIs(t, remove(ecp.KindImage, "a"), ecp.ErrNotFound, "twice")
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "b")
	requireKeys(t, s, ecp.Query{Kind: ecp.KindSize}, "a")
	require.NoError(t, tryPut(t, s, image("a", "2"), 0), "it may come again")
}
