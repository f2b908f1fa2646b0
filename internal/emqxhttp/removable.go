package emqxhttp

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// CheckRemovable returns an error for a node that must stay a member, according to the
// members that the cluster has just listed. A running node would lose its clients, its data
// and its credentials, and a node that does not answer may be running. self returns the
// name of the node that answers; it is called only if the node runs.
func (c *Client) CheckRemovable(ctx context.Context, members []ecp.BrokerNode, node string,
	self func(context.Context) (string, error)) error {
	i := slices.IndexFunc(members, func(n ecp.BrokerNode) bool { return n.Name == node })
	if i < 0 {
		return nil
	}
	switch name := c.Sanitize(node); members[i].Status {
	case ecp.NodeRunning:
		itself := ""
		c.Optional(ctx, "its own name", func(ctx context.Context) (err error) {
			itself, err = self(ctx)
			return err
		})
		if err := c.CallerGone(ctx); err != nil {
			return err
		}
		if itself == node {
			return c.Fail(ecp.CodeInvalid, name+" is the node that was asked, which cannot remove itself; stop "+
				"it, then "+
				"ask another member to remove it", nil)
		}
		return c.Fail(ecp.CodeConflict, name+" runs, and would lose its clients, its data and its credentials; stop "+
			"EMQX on it before it is removed", nil)
	case ecp.NodeUnknown:
		return c.Fail(ecp.CodeUnavailable, name+" does not answer the other members but may be running; they count it "+
			"as stopped after about two minutes: remove it then", nil)
	case ecp.NodeStopped:
	}
	return nil
}
