package emqxv5

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// inviteMillis is how long the broker waits for the node, which restarts.
const inviteMillis = 15_000

// InviteMember makes a node join. It does nothing for a member: EMQX would answer with an
// error whose text depends on the version.
func (b *broker) InviteMember(ctx context.Context, node string) error {
	if err := checkNode("invite member", node); err != nil {
		return err
	}
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	d, err := b.members(ctx)
	if err != nil || slices.ContainsFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == node }) {
		return err
	}
	return b.do(ctx, emqxhttp.Request{
		Method: http.MethodPut, Path: invitePath(node), Body: map[string]int{"timeout": inviteMillis},
	})
}

// RemoveMember removes a member that does not run. EMQX itself would also remove a running
// one, and reset it.
func (b *broker) RemoveMember(ctx context.Context, node string) error {
	if err := checkNode("remove member", node); err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	d, err := b.members(ctx)
	if err != nil {
		return err
	}
	if err := b.client.CheckRemovable(ctx, d.Nodes, node, b.self); err != nil {
		return err
	}
	return b.do(ctx, emqxhttp.Request{Method: http.MethodDelete, Path: leavePath(node)})
}

// checkNode refuses an invalid node name. EMQX does so, too, but its message says less.
func checkNode(op, node string) error {
	name, host, _ := strings.Cut(node, "@")
	if name == "" || host == "" || strings.Contains(host, "@") {
		return emqxhttp.Invalid(op, "node", `must be a name as in Describe, e.g. "emqx@10.0.0.1"`)
	}
	return nil
}
