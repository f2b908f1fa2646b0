package fleet

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/stretchr/testify/require"
)

func TestARepeatedCallIsAnsweredOnce(t *testing.T) {
	o := newCompany(t)
	create := func(who, key, name string) (ecp.Info, ecp.Operation, error) {
		return o.m.Create(ecp.WithIdempotencyKey(o.as(who), key), CreateRequest{
			Mode:    ecp.Hosted,
			Project: "a/p",
			Name:    name,
			Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
		})
	}
	info, op, err := create("ap-lead", "k1", "one")
	require.NoError(t, err)
	for range 3 {
		again, sameOp, err := create("ap-lead", "k1", "one")
		require.NoError(t, err)
		require.Equal(t, info, again)
		require.Equal(t, op, sameOp)
	}
	require.Len(t, o.s.Records[ecp.KindCluster], 1)
	_, _, err = create("ap-lead", "k1", "two")
	require.ErrorIs(t, err, ecp.ErrKeyReused)
	_, _, err = create("a-boss", "k1", "two")
	require.NoError(t, err, "another actor's keys are its own")
	_, err = o.m.Cluster(info.ID).Do(ecp.WithIdempotencyKey(o.as("ap-lead"), "k1"), ecp.Stop{})
	require.NoError(t, err, "another route's keys are its own")
	_, err = o.m.Cluster(info.ID).Do(ecp.WithIdempotencyKey(o.as("ap-lead"), "k1"), ecp.Stop{IfRevision: 1})
	require.ErrorIs(t, err, ecp.ErrKeyReused, "another revision is another request")

	stop, err := o.m.Cluster(info.ID).Do(ecp.WithIdempotencyKey(o.as("ap-lead"), "k1"), ecp.Stop{})
	require.NoError(t, err)
	require.NotZero(t, stop.ID, "the same answer, though the cluster is stopping by now")

	_, _, err = create("ap-lead", "k2", "one")
	require.ErrorIs(t, err, ecp.ErrExists)
	_, _, err = create("ap-lead", "k2", "three")
	require.NoError(t, err, "a failed call has used up no key")
	_, _, err = create("ap-lead", strings.Repeat("k", 256), "four")
	require.ErrorIs(t, err, ecp.ErrInvalid)

	o.now = o.now.Add(change.IdempotencyKept + time.Second)
	_, _, err = create("ap-lead", "k1", "five")
	require.NoError(t, err, "a day later the key is free again")
}

// What becomes of a cluster after the first call is not for who repeats it:
// it may be somebody else's by then. Who has lost the project hears nothing.
func TestARepeatedCallTellsNothingNew(t *testing.T) {
	o := newCompany(t)
	create := func(ctx context.Context) (ecp.Info, error) {
		info, _, err := o.m.Create(ecp.WithIdempotencyKey(ctx, "k"), CreateRequest{
			Mode:    ecp.Hosted,
			Project: "a/p",
			Name:    "one",
			Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
		})
		return info, err
	}
	first, err := create(o.as("ap-lead"))
	require.NoError(t, err)
	_, err = o.m.Cluster(first.ID).Do(o.as("root"), ecp.Transfer{Project: "b/p"})
	require.NoError(t, err)
	o.m.observed.MemoryOf(first.ID).Snapshot.Found.Nodes = []ecp.NodeObservation{{Name: "emqx@secret", Ready: true}}
	now, err := o.m.Cluster(first.ID).Get(o.as("root"))
	require.NoError(t, err)
	require.Len(t, now.Nodes, 1)

	again, err := create(o.as("ap-lead"))
	require.NoError(t, err)
	require.Equal(t, first, again)

	moved := ecp.Actor{Name: "ap-lead", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "a/q"}}}
	moved.Credential = ecp.SessionCredential + "test"
	_, err = create(ecp.WithActor(context.Background(), moved))
	require.ErrorIs(t, err, ecp.ErrNotFound)
}
