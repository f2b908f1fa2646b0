package emqxsim_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/openecp/openecp/emqxsim"
)

// BenchmarkNodes answers /nodes of three nodes with 100 000 clients.
func BenchmarkNodes(b *testing.B) { benchmark(b, "/api/v5/nodes") }

// BenchmarkClientsPage answers the last page of 100 of the same clients.
func BenchmarkClientsPage(b *testing.B) { benchmark(b, "/api/v5/clients?page=1000&limit=100") }

func benchmark(b *testing.B, path string) {
	c, n := crowd()
	h := n.Handler()
	_ = c
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.SetBasicAuth("admin", "public")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkEvacuation moves a third of 100 000 clients, 500 a second.
func BenchmarkEvacuation(b *testing.B) {
	for b.Loop() {
		k := newClock()
		c := crowdAt(k)
		c.Node("emqx@a").StartEvacuation(500, 500, 0, 0)
		k.advance(10 * time.Minute)
		if u := c.Usage(); u.Nodes["emqx@a"].Sessions != 0 || u.Connected != 100_000 {
			b.Fatalf("%+v", u)
		}
	}
}

func crowd() (*emqxsim.Cluster, *emqxsim.Node) {
	c := crowdAt(newClock())
	return c, c.Node("emqx@a")
}

func crowdAt(k *clock) *emqxsim.Cluster {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 200_000})
	for _, n := range worldNodes {
		c.Join(n)
	}
	c.AddClients(emqxsim.Clients{
		Name: "d", Count: 60_000, Persistent: true, Subscribe: []string{"down/%c"}, Topic: "up", Rate: 0.1,
	})
	c.AddClients(emqxsim.Clients{Name: "s", Count: 40_000, Subscribe: []string{"up"}})
	return c
}

// BenchmarkYear lets a year pass at once for clients that the license keeps
// out all the time.
func BenchmarkYear(b *testing.B) {
	for b.Loop() {
		k := newClock()
		c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
		c.Join("emqx@a")
		c.AddClients(emqxsim.Clients{Name: "c", Count: 1000, Topic: "t", Rate: 1})
		k.advance(365 * 24 * time.Hour)
		if u := c.Usage(); u.Connected != 25 {
			b.Fatalf("%+v", u)
		}
	}
}
