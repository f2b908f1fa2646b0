package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var listVersions = []string{"4.4.19", "4.4.24", "5.8.9", "5.10.0"}

// listRecord gives a cluster whose facets follow from a number.
func listRecord(n int) ecp.ClusterRecord {
	at := time.Date(2026, 1, 1, 0, 0, n%7, n%3, time.UTC)
	rec := ecp.ClusterRecord{
		ID:        ecp.ID(fmt.Sprintf("emqx-%08x", int64(n)*2654435761%(1<<32))),
		Name:      fmt.Sprintf("%c name %d", "aBcD"[n%4], n),
		Project:   fmt.Sprintf("org/p%d", n%3),
		Mode:      ecp.Adopted,
		CreatedAt: at,
		UpdatedAt: at.Add(time.Duration(n%5) * time.Second),
		Spec:      ecp.Spec{Adopted: &ecp.AdoptedSpec{Connections: n % 11}},
		Status:    ecp.Status{State: []ecp.State{ecp.Created, ecp.Running, ecp.Abnormal}[n%3]},
	}
	if n%2 == 0 {
		rec.Mode, rec.Spec = ecp.Hosted, ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: n%7 + 1, Connections: n % 13}}
		rec.Resolved.Image.Version = listVersions[n/2%4]
	}
	return rec
}

func putAll(t require.TestingT, s ecp.Store, records ...ecp.ClusterRecord) {
	require.NoError(t, s.Write(context.Background(), func(tx ecp.Tx) error {
		for _, r := range records {
			if err := ecp.Put(tx, r, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	}))
}

func pages(t require.TestingT, m *fleet.Manager, ctx context.Context, o ecp.ListOptions) (out []ecp.Info) {
	for range 10_000 {
		page, err := m.Clusters(ctx, o)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), o.Limit)
		out = append(out, page.Items...)
		if o.Cursor = page.Next; page.Next == "" {
			return out
		}
	}
	require.FailNow(t, "pages without end")
	return nil
}

// less is the order of each key, said another way than the code does.
var less = map[ecp.SortKey]func(a, b ecp.ClusterRecord) int{
	ecp.SortID: func(a, b ecp.ClusterRecord) int { return 0 },
	ecp.SortName: func(a, b ecp.ClusterRecord) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	},
	ecp.SortProject: func(a, b ecp.ClusterRecord) int { return strings.Compare(a.Project, b.Project) },
	ecp.SortState: func(a, b ecp.ClusterRecord) int {
		return strings.Compare(string(a.Status.State), string(b.Status.State))
	},
	ecp.SortVersion: func(a, b ecp.ClusterRecord) int {
		return slices.Index(listVersions,
			a.Resolved.Image.Version) - slices.Index(listVersions, b.Resolved.Image.Version)
	},
	ecp.SortCreated: func(a, b ecp.ClusterRecord) int { return a.CreatedAt.Compare(b.CreatedAt) },
	ecp.SortUpdated: func(a, b ecp.ClusterRecord) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
	ecp.SortNodes: func(a, b ecp.ClusterRecord) int {
		nodes := func(r ecp.ClusterRecord) int {
			if r.Spec.Hosted == nil {
				return 0
			}
			return r.Spec.Hosted.Nodes
		}
		return nodes(a) - nodes(b)
	},
	ecp.SortConnections: func(a, b ecp.ClusterRecord) int { return a.Spec.Connections() - b.Spec.Connections() },
}

// Every key, direction, filter and page size gives what sorting everything at
// once gives.
func TestListsAreSortedAndFiltered(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	m, err := fleet.New(t.Context(), fleet.Config{Store: store})
	require.NoError(t, err)
	var all []ecp.ClusterRecord
	for n := range 120 {
		all = append(all, listRecord(n))
	}
	putAll(t, store, all...)
	require.Len(t, less, len(ecp.SortKeys()))
	rapid.Check(t, func(t *rapid.T) {
		o := ecp.ListOptions{
			Sort:       rapid.SampledFrom(ecp.SortKeys()).Draw(t, "sort"),
			Descending: rapid.Bool().Draw(t, "descending"),
			Limit:      rapid.IntRange(1, 130).Draw(t, "limit"),
			Project:    rapid.SampledFrom([]string{"", "", "org/p1", "org/none"}).Draw(t, "project"),
			Mode:       rapid.SampledFrom([]ecp.Mode{"", "", ecp.Hosted}).Draw(t, "mode"),
			State:      rapid.SampledFrom([]ecp.State{"", "", ecp.Running}).Draw(t, "state"),
			Version:    rapid.SampledFrom([]string{"", "", "5.8.9"}).Draw(t, "version"),
			Query:      rapid.SampledFrom([]string{"", "", "B NAME", "emqx-0", "7"}).Draw(t, "query"),
		}
		var want []ecp.ID
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b ecp.ClusterRecord) int {
			c := less[o.Sort](a, b)
			if c == 0 {
				c = strings.Compare(string(a.ID), string(b.ID))
			}
			if o.Descending {
				c = -c
			}
			return c
		})
		q := strings.ToLower(o.Query)
		for _, r := range sorted {
			if (o.Project == "" || r.Project == o.Project) && (o.Mode == "" || r.Mode == o.Mode) &&
				(o.State == "" || r.Status.State == o.State) &&
				(o.Version == "" || r.Resolved.Image.Version == o.Version) && (strings.Contains(strings.ToLower(r.Name),
				q) || strings.Contains(string(r.ID), q)) {
				want = append(want, r.ID)
			}
		}
		var got []ecp.ID
		for _, i := range pages(t, m, asSystem(), o) {
			got = append(got, i.ID)
		}
		require.Equal(t, want, got)
	})
}

// While others come, go and move, who stays is listed exactly once.
func TestPagesAreStable(t *testing.T) {
	t.Parallel()
	for _, by := range ecp.SortKeys() {
		store := memstore.New()
		m, err := fleet.New(t.Context(), fleet.Config{Store: store})
		require.NoError(t, err)
		stay := map[ecp.ID]int{}
		for n := range 100 {
			r := listRecord(n)
			putAll(t, store, r)
			if n%2 == 0 {
				stay[r.ID] = 0
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		o := ecp.ListOptions{Sort: by, Limit: 7}
		for step := 0; ; step++ {
			page, err := m.Clusters(asSystem(), o)
			require.NoError(t, err)
			for _, i := range page.Items {
				if _, ok := stay[i.ID]; ok {
					stay[i.ID]++
				}
			}
			if o.Cursor = page.Next; page.Next == "" {
				break
			}
			for range 5 {
				r := listRecord(2*random.IntN(50) + 1)
				if random.IntN(2) == 0 {
					require.NoError(t, store.Write(t.Context(), func(tx ecp.Tx) error {
						if err := tx.Delete(ecp.KindCluster, string(r.ID)); !errors.Is(err, ecp.ErrNotFound) {
							return err
						}
						return nil
					}))
				} else {
					other := listRecord(random.IntN(100))
					r.CreatedAt, r.Status.State, r.UpdatedAt = other.CreatedAt, other.Status.State, other.UpdatedAt
					r.Name = fmt.Sprint(other.Name, " moved ", step, random.Int())
					putAll(t, store, r)
				}
			}
		}
		for id, n := range stay {
			require.Equal(t, 1, n, "%s by %s", id, by)
		}
	}
}

func TestRefusedLists(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	m, err := fleet.New(t.Context(), fleet.Config{Store: store})
	require.NoError(t, err)
	putAll(t, store, listRecord(1), listRecord(2))
	page, err := m.Clusters(asSystem(), ecp.ListOptions{Sort: ecp.SortName, Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	for _, o := range []ecp.ListOptions{
		{Sort: "colour"}, {Cursor: "x"}, {Cursor: "e30"}, {Cursor: page.Next},
		{Cursor: page.Next, Sort: ecp.SortName, Descending: true},
	} {
		_, err := m.Clusters(asSystem(), o)
		require.ErrorIs(t, err, ecp.ErrInvalid, "%+v", o)
	}
}

// forgetful is a Store whose feed of changes reaches back not at all.
type forgetful struct{ ecp.Store }

func (forgetful) Changes(context.Context, int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) { yield(ecp.Change{}, ecp.ErrGone) }
}

// A list sees every write before it, whether it follows the feed or has to
// read everything, and every actor its own part.
func TestListsSeeEveryWrite(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]ecp.Store{"feed": memstore.New(), "no feed": forgetful{Store: memstore.New()}} {
		m, err := fleet.New(t.Context(),
			fleet.Config{Store: store, Defaults: fleet.Defaults{Projects: []string{"org/p0", "org/p1"}}})
		require.NoError(t, err)
		theirs := ecp.WithActor(context.Background(),
			ecp.Actor{Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "org/p1"}}})
		for n := range 20 {
			info, _, err := m.Create(asSystem(),
				fleet.CreateRequest{Mode: ecp.Adopted, Project: "org/p0", Name: fmt.Sprint(n)})
			require.NoError(t, err)
			require.Len(t, pages(t, m, asSystem(), ecp.ListOptions{Sort: ecp.SortName, Limit: 50}), n+1, name)
			require.Len(t, pages(t, m, theirs, ecp.ListOptions{Limit: 50}), n)
			_, err = m.Cluster(info.ID).Do(asSystem(), ecp.Transfer{Project: "org/p1"})
			require.NoError(t, err)
			require.Len(t, pages(t, m, theirs, ecp.ListOptions{Limit: 50}), n+1)
			counts, err := m.CountByState(theirs)
			require.NoError(t, err)
			require.Equal(t, n+1, counts[ecp.Adopted][ecp.Created])
		}
	}
}

// TestAdoptedClustersAreSortedByTheirNodes: by what their agents report now, which
// is not stored, beside hosted ones by what they are meant to have.
func TestAdoptedClustersAreSortedByTheirNodes(t *testing.T) {
	t.Parallel()
	store, link := memstore.New(), &fleet.FakeLink{}
	m, err := fleet.New(t.Context(), fleet.Config{Store: store, Link: link})
	require.NoError(t, err)
	nodes := map[ecp.ID]int{}
	for n := range 12 {
		r := listRecord(n)
		if r.Mode == ecp.Hosted {
			nodes[r.ID] = r.Spec.Hosted.Nodes
		}
		putAll(t, store, r)
	}
	list := func(o ecp.ListOptions) (out []int) {
		o.Sort = ecp.SortNodes
		for _, i := range pages(t, m, asSystem(), o) {
			if out = append(out, nodes[i.ID]); i.Mode == ecp.Adopted {
				require.Len(t, i.Nodes, nodes[i.ID])
				require.Equal(t, nodes[i.ID], i.ReadyNodes)
				require.Equal(t, 5*nodes[i.ID], i.Current.Current)
			}
		}
		return out
	}
	require.IsIncreasing(t, append([]int{-1}, slices.Compact(list(ecp.ListOptions{Limit: 100}))...))
	for n := 1; n < 12; n += 2 {
		id, agents := listRecord(n).ID, n%3 // none of some
		nodes[id] = n % 5 * min(agents, 1)
		for a := range agents { // each knows of all
			r := &ecp.AgentReport{At: time.Now(), Node: "emqx@0"}
			for i := range nodes[id] {
				r.Description.Nodes = append(r.Description.Nodes,
					ecp.BrokerNode{Name: fmt.Sprintf("emqx@%d", i), Status: ecp.NodeRunning, Connections: 5})
			}
			link.Show(id,
				ecp.AgentObservation{Agent: ecp.AgentID(fmt.Sprintf("agt-%d", a)), Connected: true, Report: r})
		}
	}
	up := list(ecp.ListOptions{Limit: 2})
	require.Len(t, up, 12)
	require.True(t, slices.IsSorted(up), "%v", up)
	down := list(ecp.ListOptions{Limit: 5, Descending: true})
	slices.Reverse(down)
	require.Equal(t, up, down)
}
