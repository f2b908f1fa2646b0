package ecp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPoolRefuses(t *testing.T) {
	small := Pool{Connections: 100, LargestCluster: 60, Clusters: 3, UsedConnections: 50, UsedClusters: 2}
	for _, c := range []struct {
		name        string
		pool        Pool
		connections int
		clusters    int
		field       string
		good        bool
	}{
		{"fits exactly", small, 50, 1, "", true},
		{"one connection too many", small, 51, 1, "spec.connections", false},
		{"larger than one cluster may be", Pool{LargestCluster: 60}, 61, 1, "spec.connections", false},
		{"as large as one may be", Pool{LargestCluster: 60}, 60, 1, "", true},
		{"one cluster too many", Pool{Clusters: 3, UsedClusters: 3}, 1, 1, "", false},
		{"more connections for one that is there", Pool{Clusters: 3, UsedClusters: 3}, 1, 0, "", true},
		{"no limits", Pool{UsedConnections: 1 << 40, UsedClusters: 1 << 20}, MaxConnections, 1, "", true},
		{"overbooked after the pool was made smaller", Pool{Connections: 10, UsedConnections: 50}, 1, 1, "spec.connections", false},
		{"nothing booked in an overbooked pool", Pool{Clusters: 5, UsedClusters: 1}, 0, 1, "", true},
	} {
		err := c.pool.refuse(c.connections, c.clusters)
		require.Equal(t, c.good, err == nil, "%s: %v", c.name, err)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e, c.name)
			require.ErrorIs(t, err, ErrQuotaExceeded)
			require.Equal(t, c.field, e.Fields[0].Field, c.name)
			require.NotContains(t, e.Error(), "-", "no negative number is shown: %s", e.Error())
		}
	}
}

func TestReserveAndRelease(t *testing.T) {
	s := newMapStore()
	pool := func() Pool { return s.records[KindPool][poolKey].Payload.(Pool) }
	write := func(fn func(Tx) error) error { return s.Write(context.Background(), fn) }
	require.NoError(t, write(func(tx Tx) error { return Put(tx, Pool{Connections: 10, Clusters: 2}, 0) }))

	require.NoError(t, write(func(tx Tx) error { return reserve(tx, 6, 1) }))
	require.Equal(t, 6, pool().UsedConnections)
	require.ErrorIs(t, write(func(tx Tx) error { return reserve(tx, 5, 1) }), ErrQuotaExceeded)
	require.Equal(t, Pool{Connections: 10, Clusters: 2, UsedConnections: 6, UsedClusters: 1}, pool(), "what is refused books nothing")
	require.NoError(t, write(func(tx Tx) error { return reserve(tx, 4, 1) }))
	require.NoError(t, write(func(tx Tx) error { return release(tx, 6, 1) }))
	require.NoError(t, write(func(tx Tx) error { return release(tx, 4, 1) }))
	require.Equal(t, Pool{Connections: 10, Clusters: 2}, pool())
	require.ErrorIs(t, newMapStore().Write(context.Background(), func(tx Tx) error { return reserve(tx, 1, 1) }), ErrNotFound)
}
