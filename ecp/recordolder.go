package ecp

import (
	"fmt"
	"slices"
	"strings"
)

// ChangeID tells one generation of a record from another that has the same
// number: after an older database was put back, the next change reaches a
// generation that there was before, with another content.
type ChangeID struct {
	Generation int64  `json:"generation"`
	ID         string `json:"id"` // random
}

// changesKept is how many changes a record remembers at least: what is seen of a
// platform may lag some changes behind.
const changesKept = 16

func newChangeID(generation int64) ChangeID { return ChangeID{generation, randomHex(8)} }

// noteChange gives the record's generation a change id of its own. Those that
// may still be found stay: all since the last one that is known to be applied.
func noteChange(rec *ClusterRecord) {
	if n := len(rec.Changes); n >= changesKept && rec.Status.Applied == rec.Changes[n-1].Generation {
		rec.Changes = rec.Changes[n-changesKept+1:]
	}
	rec.Changes = append(slices.Clip(rec.Changes), newChangeID(rec.Generation))
}

// changeIDOf is that of the record's generation; "" where an earlier build has
// made it.
func changeIDOf(r ClusterRecord) string {
	if n := len(r.Changes); n > 0 && r.Changes[n-1].Generation == r.Generation {
		return r.Changes[n-1].ID
	}
	return ""
}

// RecordOlder is the cause of a refusal: what is found was made by a change that
// the record does not know of. An older database was put back, or somebody else
// works with a copy of it.
type RecordOlder struct {
	Found    int64 // generation of what is found
	Recorded int64 // generation of the record
}

// Error says what is found and what is recorded.
func (e *RecordOlder) Error() string {
	if e.Found > e.Recorded {
		return fmt.Sprintf("the objects are of generation %d, and the record is of generation %d", e.Found, e.Recorded)
	}
	return fmt.Sprintf("the objects were made by a change to generation %d that the record, which is of generation %d, does not know of", e.Found, e.Recorded)
}

// Older reports whether d must not be applied to objects that say this of
// themselves: they are of a newer generation, or of the same one with another
// content. It returns nil where d may be applied.
func (d Desired) Older(generation int64, changeID string) *RecordOlder {
	if generation > d.Generation || generation == d.Generation && d.ChangeID != "" && changeID != "" && d.ChangeID != changeID {
		return &RecordOlder{Found: generation, Recorded: d.Generation}
	}
	return nil
}

// RecordOlderError is how a Provisioner refuses to apply what is [Desired.Older].
func RecordOlderError(op string, e *RecordOlder) error {
	return &Error{Code: CodeConflict, Op: op, Message: e.Error() + "; nothing is written", Cause: e}
}

// recordOlder says that what was found was made by a change that the record does
// not know of; nil if it knows of it, or nothing tells.
func recordOlder(rec ClusterRecord, f Observation) *RecordOlder {
	if !f.Exists || f.Foreign != "" {
		return nil
	}
	known := f.ChangeID == "" || slices.ContainsFunc(rec.Changes, func(c ChangeID) bool { return c.ID == f.ChangeID })
	if known && f.Generation <= rec.Generation {
		return nil
	}
	return &RecordOlder{Found: f.Generation, Recorded: rec.Generation}
}

// heldBack says that nothing is written to the cluster: the record is older than
// what is found, and nobody has decided to remove the cluster all the same.
func heldBack(rec ClusterRecord, f Observation) bool {
	return recordOlder(rec, f) != nil && (!rec.Deleting || !rec.Force)
}

func olderRecord(v view) (State, Reason, string) {
	next := "take-over records what is there, put-back makes it what is recorded; the plan of either (dryRun) says what that means"
	if v.rec.Deleting {
		next = "delete with force removes it all the same"
	}
	return Abnormal, ReasonRecordOlder, v.older.Error() + ": an older database was put back, or another program works with a copy of it. Nothing is written; " + next
}

// toldOlder says whether the log has had its one line on a cluster whose record
// is older than what is found; a cluster that is well again gets another one.
func (m *Manager) toldOlder(mem *memory, older bool) (told bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	told, mem.older = mem.older, older
	return told
}

// commandsHeldBack are the commands that are legal while the record is older than
// what is found; an update may change name and description.
var commandsHeldBack = []CommandKind{CommandTakeOver, CommandPutBack, CommandTransfer, CommandDelete}

// StateMachine returns the state machine that holds for the cluster now: that of its
// mode, or the one of clusters that are being deleted.
func (r ClusterRecord) StateMachine() StateMachine {
	if r.Deleting {
		return r.Mode.StateMachine().WhileDeleting()
	}
	return r.Mode.StateMachine()
}

// Legal lists the commands that are taken of the cluster now.
func (r ClusterRecord) Legal() []CommandKind {
	all := r.StateMachine().Legal(r.Status.State)
	older := r.Status.Reason == ReasonRecordOlder
	return slices.DeleteFunc(all, func(k CommandKind) bool {
		if r.Deleting {
			return false
		}
		if older {
			return !slices.Contains(commandsHeldBack, k)
		}
		if k == CommandRepair && r.Mode == Hosted && r.Status.State == Running { // it works: only EMQX' members may want it
			return !hasForeign(r.Status)
		}
		return k == CommandTakeOver || k == CommandPutBack
	})
}

// mayWhileOlder refuses commands whose outcome would be written over what the
// record does not know of, and those that are for such a cluster only.
func (m *Manager) mayWhileOlder(rec ClusterRecord, cmd Command) error {
	f, seen := m.found(rec.ID)
	older := rec.Status.Reason == ReasonRecordOlder || seen && recordOlder(rec, f) != nil
	switch c := cmd.(type) {
	case TakeOver, PutBack:
		if rec.Deleting || rec.Mode != Hosted {
			return nil // the tables refuse it
		}
		if !older {
			return fail(CodeConflict, "", "what is found is what the record knows of: there is nothing to "+strings.ReplaceAll(string(cmd.Kind()), "-", " "))
		}
		if !seen || recordOlder(rec, f) == nil {
			return fail(CodeUnavailable, "", "the cluster has not been looked at since the program began, or cannot be seen now; ask again when it was")
		}
		return nil
	case Transfer:
		return nil
	case Delete:
		if !older || c.Force {
			return nil
		}
		return fail(CodeConflict, "", "the record is older than what is found, and so nobody knows here what would be deleted; take-over or put-back comes first, or delete with force")
	case Update:
		if c.Spec == nil && c.Patch == nil {
			return nil
		}
	}
	if !older || rec.Mode != Hosted {
		return nil
	}
	return fail(CodeConflict, "", fmt.Sprintf("the record is older than what is found, so that nothing is written; legal now: %s", strings.Join(kindNames(commandsHeldBack), ", ")))
}

func kindNames(kinds []CommandKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

// found gives what was last found of a cluster; false = nothing can be seen, or
// nobody has looked yet.
func (m *Manager) found(id ID) (Observation, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.looks[id]
	if mem == nil || mem.seenAt.IsZero() || mem.look.Unseen != "" {
		return Observation{}, false
	}
	return mem.look.Found, true
}
