package fleet_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// A hundred ask at once for what is enough for forty: forty get it, sixty are
// told why not, and when all have gone everything is free again.
func TestTheLedgerUnderConcurrentCreates(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, store.open(t))
				r.run()
				defer func() { r.stop() }()
				made := createMany(r, 100)
				require.Len(t, made, 40)
				require.Equal(t, ecp.Pool{
					Connections:     1000,
					Clusters:        40,
					UsedConnections: 40 * 25,
					UsedClusters:    40,
					Revision:        1,
				}, r.pool())

				var all sync.WaitGroup
				for i, c := range made {
					all.Go(func() {
						_, err := c.Do(asSystem(), ecp.Delete{Force: i%2 == 0})
						require.NoError(t, err)
					})
				}
				all.Wait()
				for _, c := range made {
					r.gone(c)
				}
				require.Equal(t, ecp.Pool{Connections: 1000, Clusters: 40, Revision: 1}, r.pool())
				require.Len(t, createMany(r, 1), 1, "and can be booked again")
			})
		})
	}
}

// createMany asks for n clusters at once and gives those that were taken.
func createMany(r *rig, n int) []ecp.Cluster {
	var mu sync.Mutex
	var made []ecp.Cluster
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s := spec("", 1)
			s.Hosted.Connections = 25
			info, _, err := r.m.Create(asSystem(),
				fleet.CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprint("c", i), Spec: s})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made = append(made, r.m.Cluster(info.ID))
			case !errors.Is(err, ecp.ErrQuotaExceeded):
				r.t.Errorf("create %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return made
}

// Everything that is refused stores nothing.
func TestRefusedCreates(t *testing.T) {
	inBubble(t, func(r *rig) {
		good := func() fleet.CreateRequest {
			return fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 3)}
		}
		for name, c := range map[string]struct {
			change func(*fleet.CreateRequest)
			code   ecp.Code
			field  string
		}{
			"no name":      {func(q *fleet.CreateRequest) { q.Name = "" }, ecp.CodeInvalid, "name"},
			"no mode":      {func(q *fleet.CreateRequest) { q.Mode = "" }, ecp.CodeInvalid, "mode"},
			"unknown mode": {func(q *fleet.CreateRequest) { q.Mode = "borrowed" }, ecp.CodeInvalid, "mode"},
			"unknown project": {
				func(q *fleet.CreateRequest) { q.Project = "default/none" }, ecp.CodeInvalid, "project",
			},
			"no project": {func(q *fleet.CreateRequest) { q.Project = "none" }, ecp.CodeInvalid, "project"},
			"unknown image": {
				func(q *fleet.CreateRequest) { q.Spec.Hosted.Image = "emqx-ee-9.9.9" }, ecp.CodeInvalid, "spec.image",
			},
			"unknown size": {
				func(q *fleet.CreateRequest) { q.Spec.Hosted.Size = "9C9G" }, ecp.CodeInvalid, "spec.size",
			},
			"unknown target": {
				func(q *fleet.CreateRequest) { q.Spec.Hosted.Target = "mars" }, ecp.CodeInvalid, "spec.target",
			},
			"no spec": {func(q *fleet.CreateRequest) { q.Spec = ecp.Spec{} }, ecp.CodeInvalid, "spec.nodes"},
			"eight nodes": {
				func(q *fleet.CreateRequest) { q.Spec.Hosted.Nodes = 8 }, ecp.CodeInvalid, "spec.nodes",
			},
			"too many for all": {
				func(q *fleet.CreateRequest) { q.Spec.Hosted.Connections = 1001 }, ecp.CodeQuotaExceeded,
				"spec.connections",
			},
		} {
			q := good()
			c.change(&q)
			_, _, err := r.m.Create(asSystem(), q)
			require.Equal(t, c.code, ecp.CodeOf(err), "%s: %v", name, err)
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.field, e.Fields[0].Field, name)
		}
		page, err := r.m.Clusters(asSystem(), ecp.ListOptions{})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		require.Zero(t, r.pool().UsedClusters)

		q := good()
		_, _, err = r.m.Create(asSystem(), q)
		require.NoError(t, err)
		require.Empty(t, q.Spec.Hosted.Size, "the request is not filled in")
	})
}

func TestListing(t *testing.T) {
	inBubble(t, func(r *rig) {
		for i := range 7 {
			_, _, err := r.m.Create(asSystem(), fleet.CreateRequest{
				Mode:    []ecp.Mode{ecp.Hosted, ecp.Adopted}[i%2],
				Project: []string{"default/default", "default/other"}[i/4],
				Name:    fmt.Sprint("Cluster ", i),
				Spec:    map[bool]ecp.Spec{true: spec("", 1)}[i%2 == 0],
			})
			require.NoError(t, err)
		}
		for want, o := range map[int]ecp.ListOptions{
			7: {}, 4: {Mode: ecp.Hosted}, 3: {State: ecp.Created}, 1: {Query: "USTER 3"}, 0: {Query: "nothing like it"},
		} {
			page, err := r.m.Clusters(asSystem(), o)
			require.NoError(t, err)
			require.Len(t, page.Items, want, "%+v", o)
			require.Empty(t, page.Next)
		}
		var seen []ecp.ID
		o := ecp.ListOptions{Limit: 3}
		for pages := 1; ; pages++ {
			page, err := r.m.Clusters(asSystem(), o)
			require.NoError(t, err)
			for _, i := range page.Items {
				seen = append(seen, i.ID)
			}
			if page.Next == "" {
				require.Equal(t, 3, pages)
				break
			}
			o.Cursor = page.Next
		}
		require.Len(t, seen, 7)
		require.IsIncreasing(t, seen)
	})
}
