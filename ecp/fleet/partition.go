package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
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
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	if mem := m.observed.Looks[rec.ID]; mem != nil && mem.Look.Unseen == "" {
		if v := derive.NewView(mem.Look.At, rec, mem.Look); v.Partitioned() {
			why = derive.Divided(v)
		}
	}
	if why == "" {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", why)
}
