package emqxhttp

import (
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Complete fills in what follows from the nodes: their order, the total of
// connections and the version of the node that answered. self tells that
// node's name and is called only if the running nodes differ in version; where
// it does not know, the earliest version counts, which can do the least.
func Complete(d *ecp.Description, self func() string) {
	slices.SortFunc(d.Nodes, func(a, b ecp.BrokerNode) int { return strings.Compare(a.Name, b.Name) })
	var earliest ecp.BrokerNode
	mixed := false
	for _, n := range d.Nodes {
		d.Connections += n.Connections
		if n.Status != ecp.NodeRunning || n.Version == "" {
			continue
		}
		mixed = mixed || earliest.Version != "" && n.Version != earliest.Version
		if earliest.Version == "" || before(n.Version, earliest.Version) {
			earliest = n
		}
	}
	d.Version = earliest.Version
	if !mixed {
		return
	}
	name := self()
	if i := slices.IndexFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == name && n.Version != "" }); i >= 0 {
		d.Version = d.Nodes[i].Version
	}
}

func before(a, b string) bool {
	v, _ := ecp.ParseVersion(a)
	w, _ := ecp.ParseVersion(b)
	return v.Before(w)
}
