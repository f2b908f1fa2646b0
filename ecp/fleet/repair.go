package fleet

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// repairHelps refuses a repair of which it is known that it cannot help: every
// node that does not serve is on a machine that does not answer. Whether such a
// machine still runs its node is not known, so nothing may be done to it before
// a person has said that it is off.
func (m *Manager) repairHelps(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || rec.Status.Reason != ecp.ReasonNodeDown && rec.Status.Reason != ecp.ReasonNothingServes {
		return nil
	}
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	mem := m.observed.Looks[rec.ID]
	if mem == nil || mem.Look.Unseen != "" {
		return nil
	}
	why := ""
	for _, n := range mem.Look.Found.Nodes {
		switch {
		case n.Ready:
		case n.Machine != ecp.MachineSilent:
			return nil
		case why == "":
			why = fmt.Sprintf("%s: %s", n.Pod, n.Message)
		}
	}
	if why == "" || len(mem.Look.Found.Nodes) < mem.Look.Found.Replicas {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", "repair cannot help while a machine does not answer: "+why+"; repair works once that is said, and nothing has to be done if the machine comes back")
}
