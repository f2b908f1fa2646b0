package derive

import (
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
)

// changesKept is how many changes a record remembers at least: what is seen of a
// platform may lag some changes behind.
const changesKept = 16

func newChangeID(generation int64) ecp.ChangeID {
	return ecp.ChangeID{Generation: generation, ID: random.Hex(8)}
}

// AddChangeID records a change id of its own for the record's generation. Those that
// may still be found stay: all since the last one that is known to be applied.
func AddChangeID(rec *ecp.ClusterRecord) {
	if n := len(rec.Changes); n >= changesKept && rec.Status.Applied == rec.Changes[n-1].Generation {
		rec.Changes = rec.Changes[n-changesKept+1:]
	}
	rec.Changes = append(slices.Clip(rec.Changes), newChangeID(rec.Generation))
}

// changeIDOf is that of the record's generation; "" where an earlier build has
// made it.
func changeIDOf(r ecp.ClusterRecord) string {
	if n := len(r.Changes); n > 0 && r.Changes[n-1].Generation == r.Generation {
		return r.Changes[n-1].ID
	}
	return ""
}

// RecordOlder reports whether what was found was made by a change that the record does
// not know of; nil if it knows of it, or nothing tells.
func RecordOlder(rec ecp.ClusterRecord, f ecp.Observation) *ecp.RecordOlder {
	if !f.Exists || f.ForeignOwner != "" {
		return nil
	}
	known := f.ChangeID == "" || slices.ContainsFunc(rec.Changes,
		func(c ecp.ChangeID) bool { return c.ID == f.ChangeID })
	if known && f.Generation <= rec.Generation {
		return nil
	}
	return &ecp.RecordOlder{Found: f.Generation, Recorded: rec.Generation}
}

// WritesHeld reports whether nothing is written to the cluster: the record is older than
// what is found, and nobody has decided to remove the cluster all the same.
func WritesHeld(rec ecp.ClusterRecord, f ecp.Observation) bool {
	return RecordOlder(rec, f) != nil && (!rec.Deleting || !rec.Force)
}

func olderRecord(v View) (ecp.State, ecp.Reason, string) {
	next := "take-over records what is there, put-back makes it what is recorded; the plan of either (dryRun) says " +
		"what that means"
	if v.Rec.Deleting {
		next = "delete with force removes it all the same"
	}
	return ecp.Abnormal, ecp.ReasonRecordOlder, v.older.Error() +
		": an older database was put back, or another program works with a copy of it. Nothing is written; " + next
}

func CommandNames(kinds []ecp.CommandKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}
