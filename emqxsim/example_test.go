package emqxsim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// A test moves the clock of a cluster, kills a node, and makes an answer fail.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{
		Version: "5.8.9", Now: func() time.Time { return now },
		License: &emqxsim.License{Limit: 1000},
	})
	a, b := c.Join("emqx@a"), c.Join("emqx@b")
	c.AddClients(emqxsim.Clients{Name: "meter", Count: 100, Persistent: true, Topic: "meter/up", Rate: 0.1})

	srv := httptest.NewServer(a.Handler()) // or a.Endpoint(), without a socket
	defer srv.Close()
	b.Kill()
	fmt.Println("connected:", c.Usage().Connected)
	now = now.Add(time.Second)
	fmt.Println("connected again:", c.Usage().Connected)

	defer c.AddFault(emqxsim.Fault{Path: "/api/v5/nodes", Status: http.StatusBadGateway, Times: 1})()
	for range 2 {
		req, _ := http.NewRequest(http.MethodGet, srv.URL+"/api/v5/nodes", nil)
		req.SetBasicAuth("admin", "public")
		res, err := srv.Client().Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(res.Status)
		_ = res.Body.Close()
	}
	// Output:
	// connected: 50
	// connected again: 100
	// 502 Bad Gateway
	// 200 OK
}

// A platform runs a cluster of two nodes, and one of them is killed.
func ExampleProvisioner() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{
		Now: func() time.Time { return now }, BootTime: time.Minute,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	d := ecp.Desired{
		ID: "emqx-0000000a", Name: "orders", Generation: 1, Replicas: 2, Create: true,
		Image: ecp.Image{Reference: "emqx/emqx:5.8.9", Version: "5.8.9"}, Size: ecp.DefaultSizes()[0],
		Spec: ecp.HostedSpec{Nodes: 2, Power: ecp.PowerOn, Network: ecp.Network{Type: ecp.LoadBalancer}},
	}
	if err := p.Apply(ctx, d); err != nil {
		fmt.Println(err)
		return
	}
	observe := func() {
		o, err := p.Observe(ctx, d.ID)
		for _, n := range o.Nodes {
			fmt.Println(n.Pod, "ready:", n.Ready)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	now = now.Add(time.Minute)
	observe()
	fmt.Println(p.KillNode(d.ID, 1))
	observe()
	// Output:
	// emqx-0000000a-emqx-0 ready: true
	// emqx-0000000a-emqx-1 ready: true
	// <nil>
	// emqx-0000000a-emqx-0 ready: true
	// emqx-0000000a-emqx-1 ready: false
}
