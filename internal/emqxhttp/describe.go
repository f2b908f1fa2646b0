package emqxhttp

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// statusOrder decides between two entries of one node, which the broker lists while the
// node starts or stops.
var statusOrder = map[ecp.NodeStatus]int{ecp.NodeRunning: 0, ecp.NodeUnknown: 1, ecp.NodeStopped: 2}

// Complete normalizes the nodes (each once, sorted by name) and sets the number of
// connections and the version of the node that answered. self returns the name of that node
// and is called only if the running nodes differ in version. If it does not know the name,
// the earliest version counts.
func (c *Client) Complete(ctx context.Context, d ecp.Description,
	self func(context.Context) (string, error)) (ecp.Description, error) {
	slices.SortFunc(d.Nodes, func(a, b ecp.BrokerNode) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), statusOrder[a.Status]-statusOrder[b.Status])
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
			if i := slices.IndexFunc(d.Nodes, func(n ecp.BrokerNode) bool {
				return n.Name == name &&
					n.Version != ""
			}); i >= 0 {
				d.Version = d.Nodes[i].Version
			}
			return err
		})
	}
	if err := c.CallerGone(ctx); err != nil {
		return ecp.Description{}, err
	}
	return d, nil
}

func before(a, b string) bool {
	if a == b { // the usual case, without parsing
		return false
	}
	v, _ := ecp.ParseVersion(a)
	w, _ := ecp.ParseVersion(b)
	return v.Before(w)
}
