package emqxv5_test

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
	"github.com/openecp/openecp/emqxv5"
)

// BenchmarkDescribe describes a cluster of seven nodes, and asks and decodes
// the same with nothing but net/http and encoding/json, in turn. It reports
// what one of ours costs in terms of the other: the budget is 1.3 for both time
// and allocations. The server's allocations are part of both.
func BenchmarkDescribe(b *testing.B) {
	s := httptest.NewServer(sevenNodes())
	defer s.Close()
	broker, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{BaseURL: s.URL, Credentials: login})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	plain := plainClient{base: s.URL, http: &http.Client{Transport: &http.Transport{}}}
	defer plain.http.CloseIdleConnections()
	ours := func() {
		if d, err := broker.Describe(b.Context()); err != nil || len(d.Nodes) != 7 || d.Limit != 25 {
			b.Fatal(d, err)
		}
	}
	theirs := func() {
		if d, err := plain.describe(b); err != nil || len(d.Nodes) != 7 || d.Limit != 25 {
			b.Fatal(d, err)
		}
	}
	ours()
	theirs()
	var a, c cost
	for b.Loop() {
		a.add(ours)
		c.add(theirs)
	}
	b.ReportMetric(float64(a.time)/float64(c.time), "time-ratio")
	b.ReportMetric(float64(a.allocations)/float64(c.allocations), "allocs-ratio")
	b.ReportMetric(float64(a.time.Nanoseconds())/float64(b.N), "ours-ns/op")
	b.ReportMetric(float64(a.allocations)/float64(b.N), "ours-allocs/op")
	b.ReportMetric(float64(c.allocations)/float64(b.N), "plain-allocs/op")
}

type cost struct {
	time        time.Duration
	allocations uint64
}

func (c *cost) add(f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	c.time += time.Since(start)
	runtime.ReadMemStats(&after)
	c.allocations += after.Mallocs - before.Mallocs
}

// sevenNodes answers /nodes and /license as recorded, but of seven nodes.
func sevenNodes() http.Handler {
	var nodes []string
	for i := range 7 {
		nodes = append(nodes, fmt.Sprintf(`{"cluster_sessions":2000,"connections":%d,"edition":"Enterprise",`+
			`"live_connections":%d,"load1":1.82,"load15":1.53,"load5":1.87,
			"log_path":"/opt/emqx/log","max_fds":20000,"memory_total":"23.54G","memory_used":"1.68G",`+
			`"node":"emqx@10.0.0.%d","node_status":"running","otp_release":"25.2.3/13.1.5",
			"process_available":2097152,"process_used":714,"role":"core",
			"sys_path":"/usr/lib/erlang","uptime":197537,"version":"5.8.9"}`, 300+i, 280+i, i+1))
	}
	bodies := map[string][]byte{
		"/api/v5/nodes": []byte("[" + strings.Join(nodes, ",") + "]"),
		"/api/v5/license": []byte(`{"customer":"Evaluation","customer_type":10,"deployment":"trial",` +
			`"email":"contact@emqx.io","expiry":false,
			"expiry_at":"2029-04-17","max_connections":25,"max_sessions":25,"start_at":"2024-04-18","type":"trial"}`),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bodies[r.URL.Path])
	})
}

// plainClient is what somebody would write who trusts the far side.
type plainClient struct {
	base string
	http *http.Client
}

func (p plainClient) get(b *testing.B, path string, into any) error {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, p.base+path, nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(login.Username, login.Password)
	req.Header.Set("Accept", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// plainNode has the fields of a node that the adapter reads.
type plainNode struct {
	Node        string `json:"node"`
	Status      string `json:"node_status"`
	Role        string `json:"role"`
	Version     string `json:"version"`
	Edition     string `json:"edition"`
	Uptime      int64  `json:"uptime"`
	Connections int    `json:"connections"`
	Live        int    `json:"live_connections"`
	MemoryUsed  string `json:"memory_used"`
	MemoryTotal string `json:"memory_total"`
	Error       string `json:"error"`
	Reason      string `json:"reason"`
}

func (p plainClient) describe(b *testing.B) (ecp.Description, error) {
	var nodes []plainNode
	if err := p.get(b, "/api/v5/nodes", &nodes); err != nil {
		return ecp.Description{}, err
	}
	var l struct {
		MaxConnections int  `json:"max_connections"`
		MaxSessions    *int `json:"max_sessions"`
	}
	if err := p.get(b, "/api/v5/license", &l); err != nil {
		return ecp.Description{}, err
	}
	d := ecp.Description{Limit: l.MaxConnections}
	for _, n := range nodes {
		d.Nodes = append(d.Nodes, ecp.BrokerNode{
			Name: n.Node, Status: ecp.NodeStatus(n.Status), Role: n.Role, Version: n.Version,
			Uptime:      time.Duration(n.Uptime) * time.Millisecond,
			Connections: n.Live, Sessions: n.Connections,
		})
		d.Connections += n.Live
	}
	return d, nil
}
