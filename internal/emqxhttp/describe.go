package emqxhttp

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// preferred says which of two entries of one node counts: it was listed while it
// came or went.
var preferred = map[ecp.NodeStatus]int{ecp.NodeRunning: 0, ecp.NodeUnknown: 1, ecp.NodeStopped: 2}

// Complete fills in what follows from the nodes: each once and in order, the
// total of connections and the version of the node that answered. self tells
// that node's name and is asked only if the running nodes differ in version;
// where it does not know, the earliest version counts, which can do the least.
func (c *Client) Complete(ctx context.Context, d ecp.Description, self func(context.Context) (string, error)) (ecp.Description, error) {
	slices.SortFunc(d.Nodes, func(a, b ecp.BrokerNode) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), preferred[a.Status]-preferred[b.Status])
	})
	d.Nodes = slices.CompactFunc(d.Nodes, func(a, b ecp.BrokerNode) bool { return a.Name == b.Name })
	earliest, latest := "", ""
	for _, n := range d.Nodes {
		d.Connections += n.Connections
		if n.Status != ecp.NodeRunning || n.Version == "" {
			continue
		}
		if earliest == "" || before(n.Version, earliest) {
			earliest = n.Version
		}
		if latest == "" || before(latest, n.Version) {
			latest = n.Version
		}
	}
	d.Version = earliest
	if earliest != latest {
		c.Optional(ctx, "its own name", func(ctx context.Context) error {
			name, err := self(ctx)
			if i := slices.IndexFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == name && n.Version != "" }); i >= 0 {
				d.Version = d.Nodes[i].Version
			}
			return err
		})
	}
	if err := c.Ended(ctx); err != nil {
		return ecp.Description{}, err
	}
	return d, nil
}

func before(a, b string) bool {
	if a == b { // as nearly always, which is worth not reading them
		return false
	}
	v, _ := ecp.ParseVersion(a)
	w, _ := ecp.ParseVersion(b)
	return v.Before(w)
}
