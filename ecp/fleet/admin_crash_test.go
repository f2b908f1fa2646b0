package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// Fifty creates and increases at once against a pool that fits twenty units:
// exactly twenty are given, whatever comes first.
func TestTwentyUnitsForFifty(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			for round := range 5 {
				s := store.open(t)
				m, err := fleet.New(t.Context(), fleet.Config{
					Store:        s,
					Provisioners: idle,
					Defaults:     fleet.Defaults{Pool: &ecp.Pool{Connections: 25}},
				})
				require.NoError(t, err)
				var grown []ecp.Cluster
				for i := range 5 {
					info, _, err := m.Create(asSystem(),
						fleet.CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprint("old", i), Spec: bookedSpec(1)})
					require.NoError(t, err)
					grown = append(grown, m.Cluster(info.ID))
				}
				given := race50(t, m, grown)
				require.Equal(t, 20, given, "round %d", round)
				exactLedger(t, s)
			}
		})
	}
}

// race50 asks at once for 25 new clusters of one connection, and for one more
// connection 25 times; it says how many units were given.
func race50(t *testing.T, m *fleet.Manager, grown []ecp.Cluster) int {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	given := 0
	count := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			given++
		} else if !errors.Is(err, ecp.ErrQuotaExceeded) {
			t.Error(err)
		}
	}
	for i := range 25 {
		all.Go(func() {
			_, _, err := m.Create(asSystem(),
				fleet.CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprint("new", i), Spec: bookedSpec(1)})
			count(err)
		})
		all.Go(func() { count(oneMore(grown[i%len(grown)])) })
	}
	all.Wait()
	return given
}

// oneMore books one connection more, as a client does that reads, decides and
// is told when somebody else was quicker.
func oneMore(c ecp.Cluster) error {
	for {
		info, err := c.Get(asSystem())
		if err != nil {
			return err
		}
		u := bookedNow(info.Spec.Connections() + 1)
		u.IfRevision = info.Revision
		_, err = c.Do(asSystem(), u)
		if !errors.Is(err, ecp.ErrPrecondition) {
			return err
		}
	}
}

// exactLedger compares the pool with the sum over clusters.
func exactLedger(t *testing.T, s ecp.Store) {
	t.Helper()
	require.NoError(t, s.Read(context.Background(), func(tx ecp.Tx) error {
		connections, clusters := 0, 0
		for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			connections, clusters = connections+r.Spec.Connections(), clusters+1
		}
		p, _, err := ecp.Get[ecp.Pool](tx, "pool")
		require.Equal(t, []int{connections, clusters}, []int{p.UsedConnections, p.UsedClusters})
		return err
	}))
}

// The process dies before and after every write of a series of changes; whoever
// repeats them with the same keys has each made once.
func TestCrashesAndRepeatsMakeEverythingOnce(t *testing.T) {
	t.Parallel()
	for n := 1; n < 1000; n++ {
		inner := memstore.New()
		_, err := fleet.New(t.Context(),
			fleet.Config{Store: inner, Provisioners: idle, Defaults: fleet.Defaults{Pool: &ecp.Pool{Connections: 20}}})
		require.NoError(t, err)
		c := ecptest.NewCrasher()
		m, err := fleet.New(t.Context(), fleet.Config{Store: ecptest.NewFaultyStore(inner, c), Provisioners: idle})
		require.NoError(t, err)
		c.Arm(n)
		failed := officeHours(m)
		m, err = fleet.New(t.Context(), fleet.Config{Store: inner, Provisioners: idle})
		require.NoError(t, err)
		exactLedger(t, inner)
		require.NoError(t, officeHours(m), "boundary %d", n)
		exactLedger(t, inner)
		require.Equal(t, []int{1, 1, 1, 1, 1, 1, 3}, counted(t, m), "boundary %d", n)
		if failed == nil {
			t.Logf("%d boundaries", n-1)
			return
		}
	}
}

// officeHours makes one of everything, each with a key of its own, and stops
// at the first error.
func officeHours(m *fleet.Manager) error {
	step := 0
	ctx := func() context.Context {
		step++
		return ecp.WithIdempotencyKey(asSystem(), fmt.Sprint("step ", step))
	}
	_, err := m.Directory.CreateOrg(ctx(), "acme", "")
	if err == nil {
		_, err = m.Directory.CreateProject(ctx(), "acme/p", "")
	}
	if err == nil {
		_, err = m.Accounts.CreateUser(ctx(),
			tenancy.UserRequest{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "acme/p"}}})
	}
	if err == nil {
		_, err = m.Accounts.CreateToken(ctx(),
			tenancy.TokenRequest{Name: "ci", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "acme/p"}})
	}
	if err == nil {
		_, err = m.Catalog.Sizes.Create(ctx(), ecp.Size{
			Name:    "huge",
			CPU:     ecp.Resource{Request: "64", Limit: "64"},
			Memory:  ecp.Resource{Request: "1Ti", Limit: "1Ti"},
			Storage: ecp.Storage{Size: "1Ti"},
		}, "")
	}
	if err != nil {
		return err
	}
	info, _, err := m.Create(ctx(),
		fleet.CreateRequest{Mode: ecp.Hosted, Project: "acme/p", Name: "a", Spec: bookedSpec(2)})
	if err != nil {
		return err
	}
	_, err = m.Cluster(info.ID).Do(ctx(), ecp.Update{Patch: []byte(`{"connections":3}`)})
	return err
}

// counted says how many there are of what officeHours makes, and what is booked.
func counted(t *testing.T, m *fleet.Manager) []int {
	t.Helper()
	ctx := asSystem()
	projects, err := m.Directory.Projects(ctx, "acme")
	require.NoError(t, err)
	users, err := m.Accounts.Users(ctx)
	require.NoError(t, err)
	tokens, err := m.Accounts.Tokens(ctx)
	require.NoError(t, err)
	_, err = m.Catalog.Sizes.Get(ctx, "huge")
	require.NoError(t, err)
	page, err := m.Clusters(ctx, ecp.ListOptions{})
	require.NoError(t, err)
	pool, err := m.Pool(ctx)
	require.NoError(t, err)
	audited := 0 // the create of the cluster, which must not be told twice
	for e, err := range m.Changes.ExportAudit(ctx, change.AuditOptions{Kind: ecp.KindCluster}) {
		require.NoError(t, err)
		if e.Action == "create" {
			audited++
		}
	}
	return []int{len(projects), len(users), len(tokens), 1, len(page.Items), audited, pool.UsedConnections}
}

// Twenty times the same request at once makes one cluster.
func TestTheSameRequestTwentyTimesAtOnce(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, store.open(t))
			var all sync.WaitGroup
			ids, ops := make([]ecp.ID, 20), make([]ecp.OperationID, 20)
			for i := range 20 {
				all.Go(func() {
					info, op, err := r.m.Create(ecp.WithIdempotencyKey(asSystem(), "k"),
						fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 1)})
					if err != nil {
						r.t.Error(err)
					}
					ids[i], ops[i] = info.ID, op.ID
				})
			}
			all.Wait()
			for i := range 20 {
				require.Equal(t, ids[0], ids[i])
				require.Equal(t, ops[0], ops[i])
			}
			require.Equal(t, 1, r.pool().UsedClusters)
			exactLedger(t, r.store)
		})
	}
}
