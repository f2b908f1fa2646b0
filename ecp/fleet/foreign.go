package fleet

import (
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// repairExpels refuses a repair of a running cluster that has nothing to repair, or
// nothing that repair may touch.
func (m *Manager) repairExpels(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || rec.Status.State != ecp.Running {
		return nil
	}
	if !ecp.HasForeign(rec.Status) {
		return illegal(rec, kind)
	}
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	mem := m.observed.Looks[rec.ID]
	if mem == nil || slices.ContainsFunc(mem.Look.Foreign, func(f ecp.ForeignMember) bool { return !f.Running }) {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", derive.ForeignWords(mem.Look.Foreign))
}
