package ecptest

import (
	"fmt"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var listCases = []storeCase{
	{"List: in the order of the keys, byte by byte", func(t *testing.T, s ecp.Store) {
		for _, key := range []string{"b", "ä", "a", "B", "中", "a b", "a'; DROP TABLE records; --", "a%", "10", "9"} {
			put(t, s, image(key, "1"))
		}
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "10", "9", "B", "a", "a b", "a%",
			"a'; DROP TABLE records; --", "b", "ä", "中")
	}},
	{"List: by project, parent, position and number", testQueries},
	{"List: everything, however many there are", testLongList},
	{"List: by what stands beside the payload", func(t *testing.T, s ecp.Store) {
		for n := range 300 {
			put(t, s, image(fmt.Sprintf("%03d", n), "1"))
		}
		odd := func(key string, i ecp.Index) bool {
			require.Equal(t, ecp.Index{}, i)
			return (key[2]-'0')%2 == 1
		}
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage, After: "296", Match: odd}, "297", "299")
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage, Limit: 2, Match: odd}, "001", "003")
		requireKeys(t, s, ecp.Query{
			Kind:  ecp.KindImage,
			Match: func(key string, _ ecp.Index) bool { return key == "150" || key == "290" },
		}, "150", "290")
	}},
	{"List: the consumer may stop, and write afterwards", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"), image("b", "1"), image("c", "1"))
		write(t, s, func(tx ecp.Tx) error {
			for r, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
				require.NoError(t, err)
				if r.Key == "b" {
					break
				}
			}
			return ecp.Put(tx, image("d", "1"), 0)
		})
		requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, "a", "b", "c", "d")
	}},
	{"List: the consumer may read meanwhile, also with another List", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"), image("b", "1"), ecp.Size{Name: "x"}, ecp.Size{Name: "y"})
		var got []string
		read(t, s, func(tx ecp.Tx) error {
			for i, err := range ecp.List[ecp.Image](tx, ecp.Query{}) {
				require.NoError(t, err)
				_, err := tx.Get(ecp.KindImage, i.ID)
				require.NoError(t, err)
				sizes, err := keys(tx, ecp.Query{Kind: ecp.KindSize})
				require.NoError(t, err)
				got = append(got, fmt.Sprint(i.ID, sizes))
			}
			return nil
		})
		require.Equal(t, []string{"a[x y]", "b[x y]"}, got)
	}},
	{"List: gives records whole", func(t *testing.T, s ecp.Store) {
		put(t, s, cluster("emqx-00000001", "one"), operation("op-0000000000000001", "emqx-00000001", "a/b"))
		read(t, s, func(tx ecp.Tx) error {
			for _, kind := range []ecp.Kind{ecp.KindCluster, ecp.KindOperation} {
				for r, err := range tx.List(ecp.Query{Kind: kind}) {
					require.NoError(t, err)
					same, err := tx.Get(kind, r.Key)
					require.NoError(t, err)
					require.Equal(t, same, r)
				}
			}
			return nil
		})
	}},
}

func testQueries(t *testing.T, s ecp.Store) {
	for i := range 12 {
		project, parent := fmt.Sprintf("org/p%d", i%2), fmt.Sprintf("emqx-0000000%d", i%3)
		put(t, s, operation(fmt.Sprintf("op-%02d", i), ecp.ID(parent), project))
	}
	put(t, s, ecp.Project{Path: "org/p0"}, ecp.Tombstone{ID: "emqx-00000009", Project: "org/p0"})
	const k = ecp.KindOperation
	for _, c := range []struct {
		q    ecp.Query
		want []string
	}{
		{ecp.Query{Kind: k, Project: "org/p1"}, []string{"op-01", "op-03", "op-05", "op-07", "op-09", "op-11"}},
		{ecp.Query{Kind: k, Parent: "emqx-00000002"}, []string{"op-02", "op-05", "op-08", "op-11"}},
		{ecp.Query{Kind: k, Project: "org/p1", Parent: "emqx-00000002"}, []string{"op-05", "op-11"}},
		{ecp.Query{Kind: k, Limit: 2}, []string{"op-00", "op-01"}},
		{ecp.Query{Kind: k, After: "op-09"}, []string{"op-10", "op-11"}},
		{ecp.Query{Kind: k, After: "op-09a", Limit: 1}, []string{"op-10"}},
		{ecp.Query{Kind: k, After: "op-11"}, nil},
		{ecp.Query{Kind: k, After: "op-01", Limit: 2, Project: "org/p1"}, []string{"op-03", "op-05"}},
		{ecp.Query{Kind: k, After: "op-02", Limit: 2, Parent: "emqx-00000002"}, []string{"op-05", "op-08"}},
		{ecp.Query{Kind: k, After: "op-05", Limit: 2, Project: "org/p1", Parent: "emqx-00000002"}, []string{"op-11"}},
		{ecp.Query{Kind: k, Project: "org/p"}, nil},
		{ecp.Query{Kind: k, Project: "ORG/P1"}, nil},
		{ecp.Query{Kind: k, Parent: "emqx-0000000_"}, nil},
		{ecp.Query{Kind: ecp.KindTombstone, Project: "org/p0"}, []string{"emqx-00000009"}},
		{ecp.Query{Kind: ecp.KindToken}, nil},
		{ecp.Query{Kind: "unheard-of"}, nil},
	} {
		requireKeys(t, s, c.q, c.want...)
	}
}

func testLongList(t *testing.T, s ecp.Store) {
	const n = 1500
	var want []string
	write(t, s, func(tx ecp.Tx) error {
		for i := range n {
			key := fmt.Sprintf("image-%04d", i)
			want = append(want[:i], key)
			if err := ecp.Put(tx, image(key, "1"), ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	})
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage}, want...)
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage, Limit: 1000}, want[:1000]...)
	requireKeys(t, s, ecp.Query{Kind: ecp.KindImage, Limit: n + 1, After: want[9]}, want[10:]...)
	require.Len(t, collect(t, s, 0, n), n)
}
