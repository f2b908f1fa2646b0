package main

import (
	"slices"
	"strings"

	"github.com/openecp/openecp/emqxsim"
)

// cluster creates the simulated cluster.
func (o *options) cluster() *emqxsim.Cluster {
	cfg := emqxsim.ClusterConfig{
		Version: o.version, Edition: emqxsim.Edition(o.edition), Limit: o.license, BootTime: o.boot,
	}
	if o.real {
		cfg = cfg.RealPace()
	}
	c := emqxsim.NewCluster(cfg)
	for i, name := range o.names() {
		n := c.Join(name)
		n.Slow(o.latency)
		n.SetClients(o.share(i), 0)
	}
	for _, name := range o.down {
		c.Node(name).Kill()
	}
	return c
}

// share returns how many of the clients the ith node has.
func (o *options) share(i int) int {
	n := o.clients / o.nodes
	if i < o.clients%o.nodes {
		n++
	}
	return n
}

// listeners returns the listeners of the nodes that run: EMQX 4 has one for the API only,
// and one for the dashboard with the same API behind other credentials.
func (o *options) listeners(c *emqxsim.Cluster) []listener {
	var out []listener
	for _, name := range o.names() {
		if slices.Contains(o.down, name) {
			continue
		}
		n := c.Node(name)
		api := listener{node: name, what: "api", user: "admin", password: "public", handler: n.Handler()}
		out = append(out, api)
		if strings.HasPrefix(o.version, "4.") {
			api.what, api.handler = "dashboard", n.Dashboard()
			out = append(out, api)
		}
	}
	return out
}
