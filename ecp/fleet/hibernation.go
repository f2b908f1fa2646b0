package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// scheduled is the stop or start that a cluster's hibernation asks for.
type scheduled struct {
	kind     ecp.CommandKind
	due      time.Time
	revision int64 // for which it was found to be due
}

// Kind names the command.
func (c scheduled) Kind() ecp.CommandKind { return c.kind }

// schedule is the actor of what hibernation asks for.
var schedule = ecp.Actor{Name: "schedule", Grants: ecp.System.Grants}

// keepHours carries out what a cluster's hibernation asks for, and reports whether it was
// taken. Otherwise off is why it waits, and handled a due time that asks for nothing.
func (m *Manager) keepHours(
	ctx context.Context, rec ecp.ClusterRecord, op *ecp.Operation, snap derive.Snapshot,
) (off *derive.NotOnSchedule, handled time.Time, taken bool) {
	if snap.Unseen != "" || snap.NotHeld != "" {
		return nil, time.Time{}, false
	}
	due := derive.DuePower(rec, op, snap, m.observed.Now().UTC())
	switch {
	case due.Command == "":
		return due.Waits, due.Handled, false
	case due.Waits != nil:
		return due.Waits, time.Time{}, false
	}
	_, err := m.Cluster(rec.ID).Do(ecp.WithActor(ctx, schedule), scheduled{due.Command, due.Handled, rec.Revision})
	switch {
	case err == nil, errors.Is(err, ecp.ErrPrecondition): // the cluster has changed meanwhile
		return nil, time.Time{}, true
	case errors.Is(err, ecp.ErrQuotaExceeded):
		return &derive.NotOnSchedule{Reason: ecp.ReasonPoolFull, Why: ecp.MessageOf(err)}, time.Time{}, false
	}
	m.logFailure(ctx, "hibernation", rec.ID, err)
	return &derive.NotOnSchedule{Reason: ecp.ReasonInProgress, Why: ecp.MessageOf(err)}, time.Time{}, false
}
