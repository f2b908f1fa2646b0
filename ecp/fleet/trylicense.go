package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// A license that EMQX refuses lets no node start that reads it, and nodes read it
// whenever they start. So a changed one is loaded into one running cluster, over
// EMQX' own API, before anything is stored or any platform gets it.

const (
	// licenseTries is how many clusters are asked, where they do not answer.
	licenseTries = 3
	// licensePatience bounds one of them.
	licensePatience = 15 * time.Second
)

// tryLicense loads a license into a cluster that uses it. The error says that EMQX
// refuses it; where nobody can be asked there is none, and the log says so. undo
// puts the one before back, as far as that can be done.
func (m *Manager) tryLicense(ctx context.Context, l ecp.License, content ecp.Secret) (undo func(), err error) {
	const op = "update license"
	undo = func() {}
	if _, err := ecp.Authorize(ctx, op, ecp.RightAdmin, ""); err != nil {
		return nil, err
	}
	var old ecp.Secret
	var stored ecp.License
	var users []ecp.ClusterRecord
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) {
		if stored, _, err = ecp.Get[ecp.License](tx, l.Name); err != nil {
			return err
		}
		if old, err = m.Catalog.Licenses.Secret(tx, l.Name); err != nil {
			return err
		}
		users, err = m.licensed(tx, l.Name)
		return err
	})
	if err != nil || catalog.CheckLicense(stored.Format, content) != nil || content == old ||
		l.Revision != 0 && l.Revision != stored.Revision || l.Format != stored.Format {
		return undo, nil //nolint:nilerr // the update itself finds and says it
	}
	for _, rec := range users {
		nodes := derive.MostNodes(rec, rec)
		if why := catalog.LicenseRefusal(content, rec.Resolved.Image.Version, nodes, m.observed.Now()); why != "" {
			return nil, refusedLicense(op, rec, why, nil)
		}
	}
	users = slices.DeleteFunc(users, func(r ecp.ClusterRecord) bool {
		return r.Status.State != ecp.Running && r.Status.State != ecp.Degraded
	})
	tried := 0
	for _, rec := range users {
		if tried++; tried > licenseTries {
			break
		}
		got, err := m.loadLicense(ctx, rec, content)
		switch {
		case err == nil && got.Expired:
			m.loadLicenseAgain(ctx, rec, old)
			return nil,
				refusedLicense(op, rec, fmt.Sprintf("it ended on %s", got.Until.UTC().Format(time.DateOnly)), nil)
		case err == nil:
			return func() { m.loadLicenseAgain(ctx, rec, old) }, nil
		case ecp.CodeOf(err) == ecp.CodeInvalid:
			return nil, refusedLicense(op, rec, observed.WordsOf(err), err)
		case ctx.Err() != nil:
			return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "it was given up", Cause: err}
		}
		m.observed.Log.WarnContext(ctx, "a changed license could not be tried on a cluster", "license", l.Name,
			"cluster", rec.ID, ecp.ErrorAttr(err))
	}
	if len(users) > 0 {
		m.observed.Log.WarnContext(ctx, "a changed license was not tried before it is handed out: no cluster that "+
			"uses it answers", "license", l.Name)
	}
	return undo, nil
}

// refusedLicense says that EMQX does not take a license.
func refusedLicense(op string, rec ecp.ClusterRecord, why string, cause error) error {
	return &ecp.Error{
		Code: ecp.CodeInvalid, Op: op, Cause: cause,
		Message: fmt.Sprintf(
			"EMQX of the cluster %s does not take it; nothing was changed, all clusters keep the one before", rec.ID,
		),
		Fields: []ecp.FieldError{{Field: "content", Message: "is refused: " + why}},
	}
}

// licensed returns the clusters that use a license, the largest first: it has what can be
// refused, such as a license for one node.
func (m *Manager) licensed(tx ecp.Tx, name string) (out []ecp.ClusterRecord, err error) {
	for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
		if err != nil {
			return nil, err
		}
		if rec.Mode == ecp.Hosted && rec.Resolved.License == name && !rec.Deleting {
			out = append(out, rec.Clone())
		}
	}
	slices.SortStableFunc(out,
		func(a, b ecp.ClusterRecord) int { return b.Spec.Hosted.AllNodes() - a.Spec.Hosted.AllNodes() })
	return out, nil
}

// loadLicense loads a license into a cluster, through the first node that answers.
func (m *Manager) loadLicense(
	ctx context.Context, rec ecp.ClusterRecord, content ecp.Secret,
) (ecp.BrokerLicense, error) {
	ctx, cancel := context.WithTimeout(ctx, licensePatience)
	defer cancel()
	p, err := m.observed.Provisioner(rec)
	if err != nil {
		return ecp.BrokerLicense{}, err
	}
	snap, _ := m.observed.Last(rec.ID)
	var got ecp.BrokerLicense
	err = m.brokers.ThroughOther(ctx, p, derive.NewView(m.observed.Now(), rec, snap), "",
		func(ctx context.Context, b ecp.Broker) (err error) {
			l, ok := b.(ecp.LicenseManager)
			if !ok {
				return ecp.NewError(ecp.CodeUnsupported, "", "this adapter loads no licenses")
			}
			got, err = l.SetLicense(ctx, ecp.LicenseChange{Key: string(content), Replace: true})
			return err
		})
	return got, err
}

// loadLicenseAgain puts a license back that was there before.
func (m *Manager) loadLicenseAgain(ctx context.Context, rec ecp.ClusterRecord, old ecp.Secret) {
	if old == "" {
		return
	}
	if _, err := m.loadLicense(context.WithoutCancel(ctx), rec, old); err != nil {
		m.observed.Log.WarnContext(ctx, "the license before could not be put back; a restart of the cluster does",
			"cluster", rec.ID, ecp.ErrorAttr(err))
	}
}

// handOutLicense lets all clusters that use a license have it as it is now.
func (m *Manager) handOutLicense(ctx context.Context, name string) {
	m.observed.LicenseChanged(m.handOut(ctx, func(c ecp.ClusterRecord) bool { return c.Resolved.License == name }))
}

// pushLicense loads a changed license into a cluster that runs, so that it counts at
// once: EMQX looks for a changed file every two minutes, and no more after one was
// loaded over its API. It is tried again until EMQX has said something.
func (m *Manager) pushLicense(ctx context.Context, rec ecp.ClusterRecord, snap derive.Snapshot) {
	if !m.observed.LicenseDue(rec.ID) || rec.Resolved.License == "" || snap.Unseen != "" || snap.NotHeld != "" ||
		!derive.NewView(snap.At, rec, snap).Agreed() {
		return
	}
	var content ecp.Secret
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) {
		content, err = m.Catalog.Licenses.Secret(tx, rec.Resolved.License)
		return err
	})
	if err == nil && content != "" {
		_, err = m.loadLicense(ctx, rec, content)
	}
	if err != nil && !observed.IsFinal(err) {
		return
	}
	if err != nil {
		m.observed.Log.WarnContext(ctx, "EMQX does not take the changed license, and a node that starts reads it: "+
			"put the one before back, or another",
			"cluster", rec.ID, "license", rec.Resolved.License, "why", observed.WordsOf(err))
	}
	m.observed.LicenseGiven(rec.ID)
}
