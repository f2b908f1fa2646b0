package ecp

// unjoined are the reasons of states in which a repair would only wait for nodes
// to count one another.
var unjoined = map[Reason]bool{ReasonPartitioned: true, ReasonMemberMissing: true, ReasonSyncFailed: true}

// repairJoins refuses a repair while nodes count different members: it makes
// objects and pods as they should be, which they are, and then could only fail
// for want of time.
func (m *Manager) repairJoins(rec ClusterRecord, kind CommandKind) error {
	if kind != CommandRepair || !unjoined[rec.Status.Reason] {
		return nil
	}
	why := ""
	if rec.Status.Reason == ReasonPartitioned {
		why = rec.Status.Message
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[rec.ID]; mem != nil && mem.look.Unseen == "" {
		if v := newView(mem.look.At, rec, mem.look); v.partitioned() {
			why = divided(v)
		}
	}
	if why == "" {
		return nil
	}
	return fail(CodeConflict, "", why)
}
