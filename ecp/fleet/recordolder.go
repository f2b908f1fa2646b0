package fleet

import (
	"fmt"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// toldOlder says whether the log has had its one line on a cluster whose record
// is older than what is found; a cluster that is well again gets another one.
func (m *Manager) toldOlder(mem *observed.Memory, older bool) (told bool) {
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	told, mem.Older = mem.Older, older
	return told
}

// mayWhileOlder refuses commands whose outcome would be written over what the
// record does not know of, and those that are for such a cluster only.
func (m *Manager) mayWhileOlder(rec ecp.ClusterRecord, cmd ecp.Command) error {
	f, seen := m.observed.Found(rec.ID)
	older := rec.Status.Reason == ecp.ReasonRecordOlder || seen && derive.RecordOlder(rec, f) != nil
	switch c := cmd.(type) {
	case ecp.TakeOver, ecp.PutBack:
		if rec.Deleting || rec.Mode != ecp.Hosted {
			return nil // the tables refuse it
		}
		if !older {
			return ecp.NewError(ecp.CodeConflict, "", "what is found is what the record knows of: there is nothing to "+strings.ReplaceAll(string(cmd.Kind()), "-", " "))
		}
		if !seen || derive.RecordOlder(rec, f) == nil {
			return ecp.NewError(ecp.CodeUnavailable, "", "the cluster has not been looked at since the program began, or cannot be seen now; ask again when it was")
		}
		return nil
	case ecp.Transfer:
		return nil
	case ecp.Delete:
		if !older || c.Force {
			return nil
		}
		return ecp.NewError(ecp.CodeConflict, "", "the record is older than what is found, and so nobody knows here what would be deleted; take-over or put-back comes first, or delete with force")
	case ecp.Update:
		if c.Spec == nil && c.Patch == nil {
			return nil
		}
	}
	if !older || rec.Mode != ecp.Hosted {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("the record is older than what is found, so that nothing is written; legal now: %s", strings.Join(derive.KindNames(ecp.CommandsHeldBack), ", ")))
}
