package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// repairJoins refuses a repair while nodes count different members: it makes
// objects and pods as they should be, which they are, and then could only fail
// for want of time.
func (m *Manager) repairJoins(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || !derive.Unjoined[rec.Status.Reason] {
		return nil
	}
	why := ""
	if rec.Status.Reason == ecp.ReasonPartitioned {
		why = rec.Status.Message
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[rec.ID]; mem != nil && mem.look.Unseen == "" {
		if v := derive.NewView(mem.look.At, rec, mem.look); v.Partitioned() {
			why = derive.Divided(v)
		}
	}
	if why == "" {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", why)
}
