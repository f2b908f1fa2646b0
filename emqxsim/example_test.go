package emqxsim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/openecp/openecp/emqxsim"
)

// A test of one's own against a cluster whose clock it moves.
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
