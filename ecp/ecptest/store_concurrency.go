package ecptest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestStoreConcurrency holds a Store to its promises with many callers at
// once. Run it with the race detector.
func TestStoreConcurrency(t *testing.T, open func(t *testing.T) ecp.Store) {
	for _, c := range []storeCase{
		{"a counter that many add to in a transaction each is exact", testCounter},
		{"a counter that many add to by ifVersion is exact", testOptimisticCounter},
		{"one of many takes a name", testOneTakesTheName},
		{"bookings and what they are for agree in every snapshot", testLedger},
		{"watchers see every change once and in order", testWatchers},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// atOnce runs fn n times at once and gives the errors joined.
func atOnce(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = fn(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func testCounter(t *testing.T, s ecp.Store) {
	const writers, each = 8, 25
	put(t, s, ecp.Pool{})
	ctx := soon(t)
	require.NoError(t, atOnce(writers, func(int) error {
		for range each {
			if err := s.Write(ctx, addOne); err != nil {
				return err
			}
		}
		return nil
	}))
	pool, _ := get(t, s, ecp.KindPool, "pool").Payload.(ecp.Pool)
	require.Equal(t, writers*each, pool.UsedConnections)
	require.Len(t, collect(t, s, 0, writers*each+1), writers*each+1)
}

// addOne adds one connection to the pool's record, by the version it was read
// at in the same transaction.
func addOne(tx ecp.Tx) error {
	p, version, err := ecp.Get[ecp.Pool](tx, "pool")
	if err != nil {
		return err
	}
	p.UsedConnections++
	return ecp.Put(tx, p, version)
}

// testOptimisticCounter reads in one transaction and writes in another: only
// ifVersion keeps writers from undoing each other.
func testOptimisticCounter(t *testing.T, s ecp.Store) {
	const writers, each = 6, 10
	put(t, s, ecp.Pool{})
	ctx := soon(t)
	once := func() error {
		var p ecp.Pool
		var version int64
		if err := s.Read(ctx, func(tx ecp.Tx) (err error) {
			p, version, err = ecp.Get[ecp.Pool](tx, "pool")
			return err
		}); err != nil {
			return err
		}
		p.UsedConnections++
		return s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, p, version) })
	}
	require.NoError(t, atOnce(writers, func(int) error {
		for done := 0; done < each; {
			switch err := once(); {
			case err == nil:
				done++
			case !errors.Is(err, ecp.ErrConflict):
				return err
			}
		}
		return nil
	}))
	pool, _ := get(t, s, ecp.KindPool, "pool").Payload.(ecp.Pool)
	require.Equal(t, writers*each, pool.UsedConnections)
	require.Len(t, collect(t, s, 0, writers*each+1), writers*each+1, "a write that was refused is no change")
}

func testOneTakesTheName(t *testing.T, s ecp.Store) {
	const writers, names = 8, 5
	ctx := soon(t)
	var mu sync.Mutex
	taken := map[string]int{} // guarded by mu
	require.NoError(t, atOnce(writers, func(i int) error {
		for n := range names {
			name := fmt.Sprintf("name %d", n)
			err := s.Write(ctx, func(tx ecp.Tx) error {
				return ecp.Put(tx, cluster(ecp.ID(fmt.Sprintf("emqx-%04d%04d", i, n)), name), 0)
			})
			if err != nil && !errors.Is(err, ecp.ErrExists) {
				return err
			}
			if err == nil {
				mu.Lock()
				taken[name]++
				mu.Unlock()
			}
		}
		return nil
	}))
	for n := range names {
		require.Equal(t, 1, taken[fmt.Sprintf("name %d", n)], "name %d", n)
	}
	require.Len(t, collect(t, s, 0, names), names)
}

// testLedger books as the Manager does: a record and its booking in one
// transaction. Some transactions are taken back at the end.
func testLedger(t *testing.T, s ecp.Store) {
	const writers, each = 5, 12
	put(t, s, ecp.Pool{})
	put(t, s, ecp.Quota{Of: quotaOf})
	ctx := soon(t)
	reserve := func(tx ecp.Tx, c ecp.ClusterRecord, n int) error {
		p, version, err := ecp.Get[ecp.Pool](tx, "pool")
		if err != nil {
			return err
		}
		q, quotaVersion, err := ecp.Get[ecp.Quota](tx, quotaOf)
		if err != nil {
			return err
		}
		q.UsedConnections += n
		p.UsedConnections += n
		p.UsedClusters++
		c.Spec.Hosted.Connections = n
		return errors.Join(ecp.Put(tx, c, 0), ecp.Put(tx, p, version), ecp.Put(tx, q, quotaVersion))
	}
	readers, stop := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() {
		result <- atOnce(2, func(int) error {
			for readers.Err() == nil {
				if err := ledgerAgrees(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	err := atOnce(writers, func(i int) error {
		for n := range each {
			id := ecp.ID(fmt.Sprintf("emqx-%04d%04d", i, n))
			err := s.Write(ctx, func(tx ecp.Tx) error {
				if err := reserve(tx, cluster(id, string(id)), i+n); err != nil {
					return err
				}
				if n%3 == 0 {
					return errMine
				}
				return nil
			})
			if err != nil && !errors.Is(err, errMine) {
				return err
			}
		}
		return nil
	})
	stop()
	require.NoError(t, errors.Join(err, <-result))
	require.NoError(t, ledgerAgrees(ctx, s))
	pool, _ := get(t, s, ecp.KindPool, "pool").Payload.(ecp.Pool)
	require.Equal(t, writers*each*2/3, pool.UsedClusters)
}

// QuotaOf is whose quota the ledger's case books in, beside the pool.
const quotaOf = "default"

func ledgerAgrees(ctx context.Context, s ecp.Store) error {
	return s.Read(ctx, func(tx ecp.Tx) error {
		p, _, err := ecp.Get[ecp.Pool](tx, "pool")
		if err != nil {
			return err
		}
		q, _, err := ecp.Get[ecp.Quota](tx, quotaOf)
		if err != nil {
			return err
		}
		connections, clusters := 0, 0
		for c, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			connections += c.Spec.Connections()
			clusters++
		}
		if q.UsedConnections != connections {
			return fmt.Errorf("the quota has %d connections booked, there are %d", q.UsedConnections, connections)
		}
		if connections != p.UsedConnections || clusters != p.UsedClusters {
			return fmt.Errorf("the pool has %d clusters with %d connections booked, there are %d with %d",
				p.UsedClusters, p.UsedConnections, clusters, connections)
		}
		return nil
	})
}

// testWatchers has watchers that begin early, that begin late, and that stop
// and go on from where they were, beside writers whose transactions hold two
// changes each, some of which are taken back.
func testWatchers(t *testing.T, s ecp.Store) {
	const writers, each, watchers = 4, 20, 6
	ctx := soon(t)
	const total = writers * each * 3 / 4 * 2 // every fourth is taken back, the others are two changes
	written := func(i, n int) error {
		key := fmt.Sprintf("image-%d-%d", i, n)
		err := s.Write(ctx, func(tx ecp.Tx) error {
			if err := errors.Join(ecp.Put(tx, image(key, "1"), 0),
				ecp.Put(tx, image(key, "2"), ecp.AnyVersion)); err != nil {
				return err
			}
			if n%4 == 0 {
				return errMine
			}
			return nil
		})
		if n%4 == 0 && errors.Is(err, errMine) {
			return nil
		}
		return err
	}
	seen := make([][]ecp.Change, watchers)
	result := make(chan error, 1)
	go func() {
		result <- atOnce(watchers, func(w int) (err error) {
			seen[w], err = watch(ctx, s, total, w*7) // w = 0 never stops
			return err
		})
	}()
	err := atOnce(writers, func(i int) error {
		for n := range each {
			if err := written(i, n); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(err, <-result))
	all := collect(t, s, 0, total)
	for w := range watchers {
		require.Equal(t, all, seen[w], "watcher %d and one that came afterwards see the same", w)
	}
	for i := 1; i < len(all); i++ {
		require.Greater(t, all[i].Seq, all[i-1].Seq, brief(all[:i+1]))
		if i%2 == 1 {
			require.Equal(t, all[i-1].Key, all[i].Key, "the changes of a transaction are together: %s",
				brief(all[:i+1]))
		}
	}
}

// watch collects n changes from the first; it stops after every stretch of
// them and goes on with a new call. stretch 0 = one call.
func watch(ctx context.Context, s ecp.Store, n, stretch int) ([]ecp.Change, error) {
	var out []ecp.Change
	for len(out) < n {
		after := int64(0)
		if len(out) > 0 {
			after = out[len(out)-1].Seq
		}
		begin := len(out)
		for c, err := range s.Changes(ctx, after) {
			if err != nil {
				return out, fmt.Errorf("after %d changes of %d: %w", len(out), n, err)
			}
			if out = append(out, c); len(out) == n || len(out)-begin == stretch {
				break
			}
		}
	}
	return out, nil
}
