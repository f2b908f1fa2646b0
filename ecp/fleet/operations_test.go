package fleet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
)

// withOperations is an office with a cluster in a/p whose power was moved n times.
func withOperations(t *testing.T, n int) (*company, ecp.ID) {
	o := newCompany(t)
	info, _, err := o.m.Create(o.system(), CreateRequest{
		Mode:    ecp.Hosted,
		Project: "a/p",
		Name:    "x",
		Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
	})
	require.NoError(t, err)
	for i := range n {
		o.now = o.now.Add(time.Second)
		var cmd ecp.Command = ecp.Stop{}
		if i%2 == 1 {
			cmd = ecp.Start{}
		}
		_, err := o.m.Cluster(info.ID).Do(o.as("a-boss"), cmd)
		require.NoError(t, err)
	}
	return o, info.ID
}

func (c *company) operations(ctx context.Context, id ecp.ID, limit int) (out []ecp.Operation) {
	c.t.Helper()
	q := OperationOptions{Limit: limit}
	for {
		page, err := c.m.Operations(ctx, id, q)
		require.NoError(c.t, err)
		require.LessOrEqual(c.t, len(page.Items), limit)
		out = append(out, page.Items...)
		if q.Cursor = page.Next; page.Next == "" {
			return out
		}
	}
}

func TestOperationsAreBounded(t *testing.T) {
	o, id := withOperations(t, 250)
	all := o.operations(o.system(), id, 7)
	require.Len(t, all, 101, "a hundred that have ended, and the one that runs")
	require.Len(t, o.s.Records[ecp.KindOperation], 101)
	require.True(t, slices.IsSortedFunc(all, func(a, b ecp.Operation) int { return b.CreatedAt.Compare(a.CreatedAt) }),
		"newest first")
	require.Equal(t, o.now, all[0].CreatedAt)
	require.False(t, all[0].Phase.Final())

	first, err := o.m.Operations(o.system(), id, OperationOptions{Limit: 60})
	require.NoError(t, err)
	delete(o.s.Records[ecp.KindOperation], string(first.Items[59].ID))
	second, err := o.m.Operations(o.system(), id, OperationOptions{Limit: 60, Cursor: first.Next})
	require.NoError(t, err)
	require.Equal(t, all[60:], second.Items, "the page goes on behind one that has been removed")
	for _, cursor := range []string{"x", "b3A", first.Next + "!"} {
		_, err := o.m.Operations(o.system(), id, OperationOptions{Cursor: cursor})
		require.ErrorContains(t, err, "cursor: is not the next of a page", cursor)
	}
}

// Databases of earlier builds hold more, and what is old goes.
func TestPruneRemovesOperations(t *testing.T) {
	o, id := withOperations(t, 30)
	o.m.pruning.OperationsMost = 10
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Len(t, o.operations(o.system(), id, 50), 11)
	o.now = o.now.Add(90*24*time.Hour + time.Minute)
	require.NoError(t, o.m.pruning.Once(t.Context()))
	left := o.operations(o.system(), id, 50)
	require.Len(t, left, 1, "the one that has not ended")
	writes := o.s.Writes
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Equal(t, writes, o.s.Writes)

	delete(o.s.Records[ecp.KindOperation], string(left[0].ID))
	require.Empty(t, o.operations(o.as("ap-user"), id, 50), "the cluster is there all the same")
	_, err := o.m.Operations(o.as("aq-lead"), id, OperationOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = o.m.Operations(o.system(), "emqx-00000000", OperationOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
}

// A transfer writes nothing anew that has ended, and who may see the cluster may
// see all of its operations, and nobody else.
func TestOperationsFollowTheirCluster(t *testing.T) {
	o, id := withOperations(t, 50)
	before := o.operations(o.as("ap-user"), id, 100)
	require.Len(t, before, 51)
	written := 0
	o.s.Wrote = func(tx []ecp.Record) {
		for _, r := range tx {
			if r.Kind == ecp.KindOperation {
				written++
			}
		}
	}
	_, err := o.m.Cluster(id).Do(o.as("a-boss"), ecp.Transfer{Project: "a/q"})
	require.NoError(t, err)
	require.Equal(t, 1, written, "the one that runs")
	require.Equal(t, "a/q", o.s.Records[ecp.KindOperation][string(before[0].ID)].Index.Project,
		"its changes are for them to see")

	after := o.operations(o.as("aq-lead"), id, 100)
	require.Len(t, after, 51)
	for _, each := range after {
		require.Equal(t, "a/q", each.Project)
		for name, want := range map[string]error{
			"aq-lead": nil,
			"a-boss":  nil,
			"ap-user": ecp.ErrNotFound,
			"ap-lead": ecp.ErrNotFound,
		} {
			got, err := o.m.Operation(o.as(name), each.ID)
			require.ErrorIs(t, err, want, name)
			require.True(t, err != nil || got.Project == "a/q", name)
		}
	}
	_, err = o.m.Operations(o.as("ap-user"), id, OperationOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = o.m.CancelOperation(o.as("ap-lead"), before[1].ID)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = o.m.CancelOperation(o.as("aq-lead"), before[1].ID)
	require.ErrorIs(t, err, ecp.ErrConflict, "it has ended")

	require.NoError(t, o.s.Write(t.Context(), func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, id)
		if err != nil {
			return err
		}
		return putTombstone(tx, rec, op, o.now)
	}))
	require.Len(t, o.operations(o.as("aq-lead"), id, 100), 51, "also those of one that is gone")
	_, err = o.m.Operations(o.as("ap-user"), id, OperationOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
}

// purgedStore is a store that keeps changes until they are removed.
type purgedStore struct {
	*mapstore.Store
	before []time.Time
	err    error
}

func (s *purgedStore) Purge(_ context.Context, before time.Time) (int64, error) {
	s.before = append(s.before, before)
	return 1, s.err
}

// Whoever embeds a store has its changes removed, and one kind that cannot be
// removed holds up no other.
func TestPrunePurgesChanges(t *testing.T) {
	o, id := withOperations(t, 30)
	s := &purgedStore{Store: o.s, err: fmt.Errorf("the disk is full")}
	o.m.observed.Store, o.m.pruning.OperationsMost = s, 10
	require.ErrorIs(t, o.m.pruning.Once(t.Context()), s.err)
	require.Equal(t, []time.Time{o.now.UTC().Add(-ecp.ChangesKept)}, s.before)
	require.Len(t, o.operations(o.system(), id, 50), 11)
}
