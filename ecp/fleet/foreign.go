package fleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// expel ends the membership of one that is no node of the cluster. The broker is asked
// just before whether it runs.
func (m *Manager) expel(ctx context.Context, p ecp.Provisioner, v derive.View, name string) (waits string) {
	if err := m.forceLeave(ctx, p, v, name); err != nil {
		return fmt.Sprintf("%s is no node of the cluster, and is still a member: %s", name, ecp.MessageOf(err))
	}
	m.log.InfoContext(ctx, "a member of EMQX that was no node of the cluster was removed", "cluster", v.Rec.ID, "member", name)
	return name + " was removed from the members of EMQX"
}

// repairExpels refuses a repair of a running cluster that has nothing to repair, or
// nothing that repair may touch.
func (m *Manager) repairExpels(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || rec.Status.State != ecp.Running {
		return nil
	}
	if !ecp.HasForeign(rec.Status) {
		return illegal(rec, kind)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.looks[rec.ID]
	if mem == nil || slices.ContainsFunc(mem.look.Foreign, func(f ecp.ForeignMember) bool { return !f.Running }) {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", derive.ForeignWords(mem.look.Foreign))
}

// foreign counts members of EMQX that are no nodes, of all clusters.
func (m *Manager) foreign() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, mem := range m.looks {
		n += len(mem.look.Foreign)
	}
	return n
}
