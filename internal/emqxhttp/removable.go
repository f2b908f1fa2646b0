package emqxhttp

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// Removable gives the error for a node that must stay a member, by what its
// cluster has just said of the members: one that runs would lose its clients,
// its data and its credentials, and of one that gives no answer nobody knows.
// self names the node that answers; it is asked only where the node runs.
func (c *Client) Removable(ctx context.Context, members []ecp.BrokerNode, node string, self func(context.Context) (string, error)) error {
	i := slices.IndexFunc(members, func(n ecp.BrokerNode) bool { return n.Name == node })
	if i < 0 {
		return nil
	}
	switch name := c.Say(node); members[i].Status {
	case ecp.NodeRunning:
		itself := ""
		c.Optional(ctx, "its own name", func(ctx context.Context) (err error) {
			itself, err = self(ctx)
			return err
		})
		if err := c.Ended(ctx); err != nil {
			return err
		}
		if itself == node {
			return c.Fail(ecp.CodeInvalid, name+" is the node that was asked, which cannot remove itself; stop it, then ask another member to remove it", nil)
		}
		return c.Fail(ecp.CodeConflict, name+" runs, and would lose its clients, its data and its credentials; stop EMQX on it before it is removed", nil)
	case ecp.NodeUnknown:
		return c.Fail(ecp.CodeUnavailable, name+" gives the other members no answer, and may run all the same; they count it as stopped after two minutes or so: remove it then", nil)
	case ecp.NodeStopped:
	}
	return nil
}
