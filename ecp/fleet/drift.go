package fleet

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// SettingsDrift asks the nodes of a hosted cluster which settings they run with in another way than asked for. It needs
// [ecp.RightRead]. [ecp.EndDrift] ends it.
func (m *Manager) SettingsDrift(ctx context.Context, id ecp.ID) (ecp.SettingsDrift, error) {
	return m.brokers.SettingsDrift(ctx, id)
}

// tellAgain is an update that changes no spec: EMQX is told settings again.
type tellAgain struct {
	keys     []string
	revision int64
}

// Kind names the command.
func (tellAgain) Kind() ecp.CommandKind { return ecp.CommandUpdate }

func (m *Manager) carryTellAgain(d *decision, rec *ecp.ClusterRecord, c tellAgain) {
	if d.nothing = len(c.keys) == 0; d.nothing {
		return
	}
	before := rec.Clone()
	rec.Generation++
	m.changeNodes(d, rec, before)
	derive.TellAgain(rec, c.keys)
	d.notes = derive.TellAgainNotes(*rec, c.keys)
}

// readDrift turns [ecp.EndDrift] into the update that does it, by what EMQX has now; other commands stay. notes are for
// its plan.
func (m *Manager) readDrift(
	ctx context.Context, id ecp.ID, cmd ecp.Command, q change.Request,
) (_ ecp.Command, notes []string, err error) {
	asked, is := cmd.(ecp.EndDrift)
	if !is {
		return cmd, nil, nil
	}
	end, err := m.brokers.EndDrift(ctx, m.Changes, q, id, asked)
	switch {
	case err != nil:
		return cmd, nil, err
	case end.Patch != nil:
		return ecp.Update{Patch: end.Patch, IfRevision: end.Revision}, end.Notes, nil
	}
	return tellAgain{end.Tell, end.Revision}, end.Notes, nil
}
