package fleet

import (
	"context"
	"errors"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
)

// handOut lets clusters be applied once more, since what they get of a
// catalogue's secrets is another now. Nothing of it is stored: a process that
// begins applies every cluster once.
func (m *Manager) handOut(ctx context.Context, uses func(ecp.ClusterRecord) bool) (due []ecp.ID) {
	err := m.observed.Store.Read(context.WithoutCancel(ctx), func(tx ecp.Tx) error {
		due = due[:0]
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if rec.Mode == ecp.Hosted && uses(rec) {
				due = append(due, rec.ID)
			}
		}
		return nil
	})
	if err != nil {
		m.observed.Log.WarnContext(ctx, "changed secrets reach their clusters with the next change or start only",
			"error", err)
		return nil
	}
	m.observed.SecretsChanged(due)
	for _, id := range due {
		m.queue.Add(id)
	}
	return due
}

// registryChanged and certificateChanged hand out what a catalogue has of that name now.
func (m *Manager) registryChanged(ctx context.Context, name string) {
	m.handOut(ctx, func(c ecp.ClusterRecord) bool { return c.Resolved.Registry == name })
}

func (m *Manager) certificateChanged(ctx context.Context, name string) {
	m.handOut(ctx, func(c ecp.ClusterRecord) bool { return c.UsesCertificate(name) })
}

// ResealSecrets seals every secret with the newest key that is not yet, those in
// clusters' settings too, and says how many records it wrote; afterwards older keys can be dropped. Where one cannot be
// opened nothing is changed.
func (m *Manager) ResealSecrets(ctx context.Context) (int, error) {
	q := change.Request{Op: "reseal secrets", Action: "reseal", Kind: ecp.KindSecret}
	return change.Submit(ctx, m.Changes, q, func(w *change.Tx) (int, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return 0, err
		}
		var old []catalog.SealedSecret
		for s, err := range ecp.List[catalog.SealedSecret](w.Tx, ecp.Query{}) {
			if err != nil {
				return 0, err
			}
			if m.observed.Sealer == nil || !m.observed.Sealer.Current(s.Sealed) {
				old = append(old, s)
			}
		}
		for _, s := range old {
			plain, err := m.Catalog.Secret(w.Tx, s.Kind, s.Key, s.Field)
			if err != nil {
				return 0, err
			}
			if err := m.Catalog.PutSecret(w.Tx, s.Kind, s.Key, s.Field, plain); err != nil {
				return 0, err
			}
			w.Note(s.Binding(), "", nil, nil)
		}
		clusters, err := m.settings.SealRecords(w.Tx)
		return len(old) + clusters, errors.Join(err, m.settings.SealAnswers(w.Tx))
	})
}
