package main_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// booked is the pool, and what its clusters come to.
type booked struct {
	Connections, UsedConnections, UsedClusters int
	clusters, sum                              int
}

func (d *daemon) booked(t *testing.T) (b booked) {
	t.Helper()
	d.call(t, "GET", "/api/v1/pool", "", &b, 200)
	for cursor := ""; ; {
		var page struct {
			Items []struct{ Spec struct{ Connections int } }
			Next  string
		}
		d.call(t, "GET", "/api/v1/clusters?limit=500&cursor="+cursor, "", &page, 200)
		for _, c := range page.Items {
			b.clusters++
			b.sum += c.Spec.Connections
		}
		if cursor = page.Next; cursor == "" {
			return b
		}
	}
}

// Fifty creations and increases at once share a pool with room for twenty, and
// the daemon is killed in their midst: what is booked is what there is, and
// when they come again exactly twenty units are given.
func TestPoolIsExactOverAKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := dev(t, data)
	const each, room = 25, 20
	ids := make([]string, each)
	for i := range ids {
		var c struct{ ID string }
		d.call(t, "POST", "/api/v1/clusters",
			fmt.Sprintf(`{"mode":"hosted","name":"held %d","spec":{"nodes":1,"connections":1,"power":"off"}}`,
				i), &c, 202)
		ids[i] = c.ID
	}
	d.call(t, "PATCH", "/api/v1/pool", fmt.Sprintf(`{"connections":%d}`, each+room), nil, 200)
	all := func(d *daemon, killAfter int32) {
		var given atomic.Int32
		var group sync.WaitGroup
		ask := func(path, body string) {
			a, err := d.try("POST", path, body)
			if err != nil {
				assert.NotZero(t, killAfter, "%v", err)
				return
			}
			assert.Contains(t, []int{200, 202, 409, 422}, a.status, "%s", a.body) // 409: it was made before the kill
			if a.status < 300 && given.Add(1) == killAfter {
				d.Kill()
			}
		}
		for i, id := range ids {
			group.Go(func() {
				ask("/api/v1/clusters", fmt.Sprintf(
					`{"mode":"hosted","name":"new %d","spec":{"nodes":1,"connections":1,"power":"off"}}`, i))
			})
			group.Go(func() { ask("/api/v1/clusters/"+id+"/connections", `{"connections":2}`) })
		}
		group.Wait()
	}
	all(d, 8)
	d.Kill()

	d = dev(t, data)
	b := d.booked(t)
	require.Equal(t, b.sum, b.UsedConnections)
	require.Equal(t, b.clusters, b.UsedClusters)
	require.GreaterOrEqual(t, b.sum, each+8, "what was acknowledged is there")
	t.Logf("killed with %d of %d units given", b.sum-each, room)
	all(d, 0)
	b = d.booked(t)
	require.Equal(t, each+room, b.UsedConnections)
	require.Equal(t, b.sum, b.UsedConnections)
	require.Equal(t, b.clusters, b.UsedClusters)
}
