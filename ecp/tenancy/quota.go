package tenancy

import (
	"context"
	"errors"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Quota returns the quota of an organisation ("org") or project ("org/project"),
// also where no limit is set.
func (d *Directory) Quota(ctx context.Context, of string) (q ecp.Quota, err error) {
	op := "read quota of " + of
	a, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return q, err
	}
	err = d.store.Read(ctx, func(tx ecp.Tx) (err error) {
		q, err = visibleQuota(tx, a, of)
		return err
	})
	if err != nil {
		return ecp.Quota{}, fault.Wrap(op, err)
	}
	return q, nil
}

// visibleQuota returns a quota if the actor may see it.
func visibleQuota(tx ecp.Tx, a ecp.Actor, of string) (ecp.Quota, error) {
	what, sees, kind := "organisation", a.Sees(of), ecp.KindOrg
	if (ecp.Quota{Of: of}).OfProject() {
		what, sees, kind = "project", a.May(ecp.RightRead, of), ecp.KindProject
	}
	_, err := tx.Get(kind, of)
	if errors.Is(err, ecp.ErrNotFound) || err == nil && !sees {
		return ecp.Quota{}, fault.NotFound(what, of, err)
	}
	if err == nil && kind == ecp.KindOrg {
		err = a.Permit("", ecp.RightProjects, of)
	}
	if err != nil {
		return ecp.Quota{}, err
	}
	return change.QuotaOf(tx, of)
}

// Quotas lists the quotas with a limit that the actor may see, by whose they are.
func (d *Directory) Quotas(ctx context.Context) ([]ecp.Quota, error) {
	return listVisible(ctx, d.store, "list quotas", ecp.Query{},
		func(a ecp.Actor, q ecp.Quota) bool { return q.Connections > 0 && q.SeenBy(a) })
}

// UpdateQuota changes the limit of a quota, which cannot be less than what is used. A
// revision other than 0 must be the present one. The quota of an organisation needs
// [ecp.RightAdmin], that of a project [ecp.RightProjects] in its organisation.
func (d *Directory) UpdateQuota(ctx context.Context, q ecp.Quota) (ecp.Quota, error) {
	r := change.Request{
		Op:     "change quota of " + q.Of,
		Action: "update",
		Kind:   ecp.KindQuota,
		Key:    q.Of,
		Scope:  q.Of,
		Asked:  q,
	}
	return change.Submit(ctx, d.changes, r, func(w *change.Tx) (ecp.Quota, error) {
		old, err := visibleQuota(w.Tx, w.Actor, q.Of)
		if err != nil {
			return ecp.Quota{}, err
		}
		right, where := ecp.RightAdmin, ""
		if q.OfProject() {
			right, where = ecp.RightProjects, ecp.Project{Path: q.Of}.Org()
		}
		if err := errors.Join(w.Permit(right, where), change.CheckRevision(q.Revision, old.Revision)); err != nil {
			return ecp.Quota{}, err
		}
		if err := checkQuota(q, old); err != nil {
			return ecp.Quota{}, err
		}
		next := old
		if next.Connections = q.Connections; old == next {
			return old, nil
		}
		next.Revision++
		w.Note(q.Of, q.Of, old, next)
		return next, ecp.Put(w.Tx, next, ecp.AnyVersion)
	})
}

// checkQuota returns what is wrong with a new limit, as it is with the pool's.
func checkQuota(q ecp.Quota, old ecp.Quota) error {
	var wrong fault.Fields
	switch {
	case q.Connections < 0:
		wrong.Add("connections", "is %d; 0 means without a limit, else a number above 0 is wanted", q.Connections)
		return wrong.Err("")
	case q.Connections > 0 && q.Connections < old.UsedConnections:
		wrong.Add("connections", "is %d; %d connections are booked", q.Connections, old.UsedConnections)
		return &ecp.Error{
			Code:    ecp.CodeConflict,
			Message: "a limit cannot go below what is used; make clusters smaller or delete some first",
			Fields:  wrong,
		}
	}
	return nil
}
