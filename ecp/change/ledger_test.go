package change

import (
	"context"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/stretchr/testify/require"
)

func TestPoolRefuses(t *testing.T) {
	small := ecp.Pool{Connections: 100, LargestCluster: 60, Clusters: 3, UsedConnections: 50, UsedClusters: 2}
	for _, c := range []struct {
		name        string
		pool        ecp.Pool
		connections int
		clusters    int
		field       string
		good        bool
	}{
		{"fits exactly", small, 50, 1, "", true},
		{"one connection too many", small, 51, 1, "spec.connections", false},
		{"larger than one cluster may be", ecp.Pool{LargestCluster: 60}, 61, 1, "spec.connections", false},
		{"as large as one may be", ecp.Pool{LargestCluster: 60}, 60, 1, "", true},
		{"one cluster too many", ecp.Pool{Clusters: 3, UsedClusters: 3}, 1, 1, "", false},
		{"more connections for one that is there", ecp.Pool{Clusters: 3, UsedClusters: 3}, 1, 0, "", true},
		{"no limits", ecp.Pool{UsedConnections: 1 << 30, UsedClusters: 1 << 20}, ecp.MaxConnections, 1, "", true},
		{"overbooked after the pool was made smaller", ecp.Pool{
			Connections:     10,
			UsedConnections: 50,
		}, 1, 1, "spec.connections", false},
		{"nothing booked in an overbooked pool", ecp.Pool{Clusters: 5, UsedClusters: 1}, 0, 1, "", true},
	} {
		err := poolRefuses(c.pool, c.connections, c.clusters)
		require.Equal(t, c.good, err == nil, "%s: %v", c.name, err)
		if err != nil {
			var e *ecp.Error
			require.ErrorAs(t, err, &e, c.name)
			require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
			require.Equal(t, c.field, e.Fields[0].Field, c.name)
			require.NotContains(t, e.Error(), "-", "no negative number is shown: %s", e.Error())
		}
	}
}

// What counts in whose quota, for every way a booking changes; what is refused
// books nothing, and the field is the one that was asked for.
func TestBookQuotas(t *testing.T) {
	a, b, c := booking{"o/a", 10}, booking{"o/b", 10}, booking{"p/c", 10}
	grown := booking{"o/a", 25}
	for _, row := range []struct {
		name     string
		free     map[string]int // of a limit; what is not named has no quota
		from, to booking
		refused  string // by whose quota; "" = it is booked
		field    string
		booked   map[string]int // more than before
	}{
		{"a new one", map[string]int{"o": 10, "o/a": 10}, booking{}, a, "", "", map[string]int{"o": 10, "o/a": 10}},
		{"without a quota", nil, booking{}, a, "", "", nil},
		{"too many for the project", map[string]int{
			"o":   99,
			"o/a": 9,
		}, booking{}, a, "project o/a", "spec.connections", nil},
		{"too many for the organisation", map[string]int{
			"o":   9,
			"o/a": 99,
		}, booking{}, a, "organisation o", "spec.connections", nil},
		{"more", map[string]int{"o": 15}, a, grown, "", "", map[string]int{"o": 15}},
		{"too much more", map[string]int{"o/a": 14}, a, grown, "project o/a", "spec.connections", nil},
		{"less where all is used", map[string]int{
			"o":   0,
			"o/a": 0,
		}, grown, a, "", "", map[string]int{"o": -15, "o/a": -15}},
		{"one that goes", map[string]int{"o": 0, "o/a": 0}, a, booking{}, "", "", map[string]int{"o": -10, "o/a": -10}},
		{"moved within a full organisation", map[string]int{"o": 0, "o/a": 0, "o/b": 10}, a, b, "", "", map[string]int{
			"o/a": -10,
			"o/b": 10,
		}},
		{"moved into a full project", map[string]int{"o/b": 9}, a, b, "project o/b", "project", nil},
		{"moved to another organisation", map[string]int{
			"o": 0,
			"p": 10,
		}, a, c, "", "", map[string]int{"o": -10, "p": 10}},
		{"moved to a full organisation", map[string]int{"p": 9, "p/c": 10}, a, c, "organisation p", "project", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := mapstore.New()
			write := func(fn func(ecp.Tx) error) error { return s.Write(context.Background(), fn) }
			require.NoError(t, write(func(tx ecp.Tx) error {
				for of, free := range row.free {
					if err := ecp.Put(tx, ecp.Quota{Of: of, Connections: 100, UsedConnections: 100 - free},
						0); err != nil {
						return err
					}
				}
				return nil
			}))
			require.Equal(t, row.refused != "", write(func(tx ecp.Tx) error {
				return bookQuotas(tx, ecp.System, row.from, row.to, false)
			}) != nil, "a plan says the same")
			err := write(func(tx ecp.Tx) error { return bookQuotas(tx, ecp.System, row.from, row.to, true) })
			if row.refused != "" {
				var e *ecp.Error
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
				require.Contains(t, e.Message, "the quota of the "+row.refused)
				require.Equal(t, row.field, e.Fields[0].Field)
			} else {
				require.NoError(t, err)
			}
			for of, free := range row.free {
				require.Equal(t, 100-free+row.booked[of],
					s.Records[ecp.KindQuota][of].Payload.(ecp.Quota).UsedConnections, of)
			}
		})
	}
}

func TestReserveAndRelease(t *testing.T) {
	now := time.Now()
	record := func(connections int) ecp.ClusterRecord {
		return ecp.ClusterRecord{Project: "a/b", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Connections: connections}}}
	}
	s := mapstore.New()
	pool := func() ecp.Pool { return s.Records[ecp.KindPool][ecp.PoolKey].Payload.(ecp.Pool) }
	write := func(fn func(ecp.Tx) error) error { return s.Write(context.Background(), fn) }
	require.NoError(t, write(func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Pool{Connections: 10, Clusters: 2}, 0) }))

	require.NoError(t, write(func(tx ecp.Tx) error { return Reserve(tx, ecp.System, record(6), now) }))
	require.Equal(t, 6, pool().UsedConnections)
	require.ErrorIs(t, write(func(tx ecp.Tx) error { return Reserve(tx, ecp.System, record(5), now) }),
		ecp.ErrQuotaExceeded)
	require.Equal(t, ecp.Pool{Connections: 10, Clusters: 2, UsedConnections: 6, UsedClusters: 1}, pool(),
		"what is refused books nothing")
	require.NoError(t, write(func(tx ecp.Tx) error { return Reserve(tx, ecp.System, record(4), now) }))
	require.NoError(t, write(func(tx ecp.Tx) error { return Release(tx, record(6)) }))
	require.NoError(t, write(func(tx ecp.Tx) error { return Release(tx, record(4)) }))
	require.Equal(t, ecp.Pool{Connections: 10, Clusters: 2}, pool())
	require.ErrorIs(t, mapstore.New().Write(context.Background(),
		func(tx ecp.Tx) error { return Reserve(tx, ecp.System, record(1), now) }), ecp.ErrNotFound)
}
