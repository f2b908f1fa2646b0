package emqxv4_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
)

// largest is the number of nodes that a cluster has at most.
const largest = 7

// answersOfLargest are the members and the license of such a cluster.
func answersOfLargest() map[string][]byte {
	var members []string
	for i := range largest {
		members = append(members, fmt.Sprintf(`{"version":"4.4.24","uptime":"2 days, 3 hours, 4 minutes, 5 `+
			`seconds","process_used":306,"process_available":262144,`+
			`"otp_release":"24.3.4.2/12.3.2.2","node_status":"Running","node":"emqx@10.0.0.%d",`+
			`"memory_used":"1.35G","memory_total":"23.54G","max_fds":20000,`+
			`"load5":"2.31","load15":"1.88","load1":"2.49","live_connections":%d,"connections":%d}`, i, 100*i, 120*i))
	}
	return map[string][]byte{
		nodes:   []byte(`{"code":0,"data":[` + strings.Join(members, ",") + `]}`),
		license: []byte(`{"code":0,"data":{"max_connections":10000,"expiry_at":"2027-01-31 23:59:59"}}`),
	}
}

// BenchmarkDescribe compares describing the largest cluster with the least that
// could do it: the same requests with http.Client, decoded with encoding/json.
// Both are measured in turns, so that what else the machine does meets both.
func BenchmarkDescribe(b *testing.B) {
	answers := answersOfLargest()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answers[r.URL.Path])
	}))
	defer s.Close()
	broker, err := emqxv4.New(emqxv4.Config{}).Open(ecp.Endpoint{BaseURL: s.URL, Credentials: login})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	plain := &http.Client{Transport: &http.Transport{}}
	defer plain.CloseIdleConnections()

	ours := func() {
		if d, err := broker.Describe(b.Context()); err != nil || len(d.Nodes) != largest || d.Limit != 10000 {
			b.Fatal(d, err)
		}
	}
	theirs := func() {
		var d struct {
			Nodes []struct {
				Node        string `json:"node"`
				Status      string `json:"node_status"`
				Version     string `json:"version"`
				Uptime      string `json:"uptime"`
				MemoryUsed  string `json:"memory_used"`
				MemoryTotal string `json:"memory_total"`
				Connections int    `json:"connections"`
				Live        int    `json:"live_connections"`
			} `json:"data"`
		}
		var l struct {
			Data struct {
				Max   int    `json:"max_connections"`
				Until string `json:"expiry_at"`
			} `json:"data"`
		}
		plainly(b, plain, s.URL+nodes, &d)
		plainly(b, plain, s.URL+license, &l)
		if len(d.Nodes) != largest || l.Data.Max != 10000 {
			b.Fatal(d, l)
		}
	}
	ours()
	theirs()
	var spent, least cost
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		spent.add(ours)
		least.add(theirs)
	}
	b.ReportMetric(float64(spent.time)/float64(least.time), "time/plain")
	b.ReportMetric(float64(spent.allocations)/float64(least.allocations), "allocs/plain")
	b.ReportMetric(float64(spent.time.Microseconds())/float64(b.N), "µs/describe")
}

// plainly makes a request and decodes its answer.
func plainly(b *testing.B, c *http.Client, url string, into any) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	r.SetBasicAuth(login.Username, login.Password)
	resp, err := c.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// cost is what some calls took, the server's part of it included.
type cost struct {
	time        time.Duration
	allocations uint64
}

func (c *cost) add(do func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	do()
	c.time += time.Since(start)
	runtime.ReadMemStats(&after)
	c.allocations += after.Mallocs - before.Mallocs
}
