package ecptest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var changesCases = []storeCase{
	{"Changes: every change in order, as it was written", testChangesContent},
	{"Changes: from any position", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"), image("b", "1"))
		put(t, s, image("c", "1"))
		all := collect(t, s, 0, 3)
		for i := range all {
			require.Equal(t, all[i:], collect(t, s, all[i].Seq-1, 3-i), "from %d", all[i].Seq-1)
		}
	}},
	{"Changes: waits for further ones and is woken by them", testChangesWake},
	{"Changes: after < 0 means from now on", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"))
		changes := s.Changes(soon(t), -1)
		put(t, s, image("b", "1"))
		for c, err := range changes {
			require.NoError(t, err)
			require.Equal(t, "b", c.Key, "now is when Changes is called")
			break
		}
	}},
	{"Changes: ends with ctx's error", testChangesEnd},
	{"Changes: the consumer may stop, and begin again", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"), image("b", "1"))
		changes := s.Changes(soon(t), 0)
		for range 2 {
			for c, err := range changes {
				require.NoError(t, err)
				require.Equal(t, "a", c.Key)
				break
			}
		}
	}},
	{"Changes: the consumer may read and write meanwhile", func(t *testing.T, s ecp.Store) {
		put(t, s, image("a", "1"))
		ctx, n := soon(t), 0
		for c, err := range s.Changes(ctx, 0) {
			require.NoError(t, err)
			if n++; n == 5 {
				break
			}
			require.NoError(t, s.Read(ctx, func(tx ecp.Tx) error { _, err := tx.Get(c.Kind, c.Key); return err }))
			require.NoError(t,
				s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, image("a", "1"), ecp.AnyVersion) }))
		}
	}},
	{"Changes: none before the transaction they belong to is done", func(t *testing.T, s ecp.Store) {
		changes := s.Changes(soon(t), 0)
		done := make(chan struct{})
		seen := make(chan error, 1)
		go func() {
			for _, err := range changes {
				select {
				case <-done:
				default:
					err = errors.Join(err, errors.New("a change came before fn had returned"))
				}
				seen <- err
				return
			}
		}()
		write(t, s, func(tx ecp.Tx) error {
			err := ecp.Put(tx, image("a", "1"), 0)
			select { // give a change that leaks the time to do so
			case err := <-seen:
				seen <- err
			case <-time.After(20 * time.Millisecond):
			}
			close(done)
			return err
		})
		require.NoError(t, <-seen)
	}},
}

func testChangesContent(t *testing.T, s ecp.Store) {
	v1, v2 := cluster("emqx-00000001", "one"), cluster("emqx-00000001", "two")
	v2.Status.State = ecp.Degraded
	put(t, s, v1)
	put(t, s, v2, image("a", "1"))
	write(t, s, func(tx ecp.Tx) error { return tx.Delete(ecp.KindCluster, "emqx-00000001") })
	type seen struct {
		kind    ecp.Kind
		key     string
		deleted bool
		payload ecp.Payload
	}
	want := []seen{
		{ecp.KindCluster, "emqx-00000001", false, v1},
		{ecp.KindCluster, "emqx-00000001", false, v2},
		{ecp.KindImage, "a", false, image("a", "1")},
		{ecp.KindCluster, "emqx-00000001", true, v2}, // the last payload
	}
	changes := collect(t, s, 0, len(want))
	last := ecp.Change{}
	for i, c := range changes {
		require.Equal(t, want[i].kind, c.Kind, brief(changes))
		require.Equal(t, want[i].key, c.Key, brief(changes))
		require.Equal(t, want[i].deleted, c.Deleted, brief(changes))
		requireSamePayload(t, want[i].payload, c.Payload)
		_, _, index := want[i].payload.Describe()
		require.Equal(t, index, c.Index)
		require.Greater(t, c.Seq, last.Seq, brief(changes))
		require.Equal(t, time.UTC, c.At.Location(), "At is UTC")
		require.False(t, c.At.Before(last.At), "%s, then %s", last.At, c.At)
		last = c
	}
	require.Equal(t, changes[2].At, get(t, s, ecp.KindImage, "a").At, "the record and its change are of one time")
}

// testChangesWake writes only after the watcher has seen the write before: a
// store that forgets to wake stands still, one that polls is slow.
func testChangesWake(t *testing.T, s ecp.Store) {
	const rounds = 200
	ctx := soon(t)
	write := func(n int) {
		require.NoError(t,
			s.Write(ctx, func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Pool{Connections: n}, ecp.AnyVersion) }))
	}
	changes := s.Changes(ctx, -1)
	n, began := 0, time.Now()
	write(n)
	for c, err := range changes {
		require.NoError(t, err, "after %d changes", n)
		require.Equal(t, n, c.Payload.(ecp.Pool).Connections)
		if n++; n == rounds {
			break
		}
		write(n)
	}
	t.Logf("%d writes, each seen before the next: %s", rounds, time.Since(began).Round(time.Millisecond))
}

func testChangesEnd(t *testing.T, s ecp.Store) {
	put(t, s, image("a", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	var errs []error
	n := 0
	for _, err := range s.Changes(ctx, 0) {
		if err != nil {
			errs = append(errs, err) // and no break: the iteration ends by itself
			continue
		}
		n++
		go cancel() // while it waits for more, or just before
	}
	require.Equal(t, 1, n)
	require.Len(t, errs, 1, "one error, then the end")
	require.ErrorIs(t, errs[0], context.Canceled)

	deadline, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-deadline.Done()
	n = 0
	for _, err := range s.Changes(deadline, 0) {
		require.ErrorIs(t, err, context.DeadlineExceeded, "a context that had ended already")
		n++
	}
	require.Equal(t, 1, n)
}
