package brokers

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// RemoveForeign ends the membership of one that is no node of the cluster. The broker is asked
// just before whether it runs.
func (m *Brokers) RemoveForeign(ctx context.Context, p ecp.Provisioner, v derive.View, name string) (waits string) {
	if err := m.forceLeave(ctx, p, v, name); err != nil {
		return fmt.Sprintf("%s is no node of the cluster, and is still a member: %s", name, ecp.MessageOf(err))
	}
	m.Observed.Log.InfoContext(ctx, "a member of EMQX that was no node of the cluster was removed", "cluster", v.Rec.ID, "member", name)
	return name + " was removed from the members of EMQX"
}
