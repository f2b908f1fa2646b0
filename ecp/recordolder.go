package ecp

import (
	"fmt"
	"slices"
)

// ChangeID tells one generation of a record from another that has the same
// number: after an older database was put back, the next change reaches a
// generation that there was before, with another content.
type ChangeID struct {
	Generation int64  `json:"generation"`
	ID         string `json:"id"` // random
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

// CommandsHeldBack are the commands that are legal while the record is older than
// what is found; an update may change name and description.
var CommandsHeldBack = []CommandKind{CommandTakeOver, CommandPutBack, CommandTransfer, CommandDelete}

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
			return !slices.Contains(CommandsHeldBack, k)
		}
		if k == CommandRepair && r.Mode == Hosted && r.Status.State == Running { // it works: only EMQX' members may want it
			return !HasForeign(r.Status)
		}
		return k == CommandTakeOver || k == CommandPutBack
	})
}
