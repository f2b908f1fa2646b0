package ecp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Quota is how many connections of the pool the clusters of one organisation,
// or of one project, may book together, so that no tenant uses up what is
// everybody's. Quotas are ceilings: together they may be more than the pool or
// the organisation has, and who has none is bound by these alone.
type Quota struct {
	Of              string `json:"of"`              // "org" or "org/project"; never changes
	Connections     int    `json:"connections"`     // at most; 0 = unlimited
	UsedConnections int    `json:"usedConnections"` // sum over its clusters; kept by the ledger
	Revision        int64  `json:"revision"`        // grows when the limit changes; the ETag
}

// Describe gives kind, key and index.
func (q Quota) Describe() (Kind, string, Index) { return KindQuota, q.Of, Index{} }

// Copy gives q itself: it holds no reference.
func (q Quota) Copy() Payload { return q }

// ofProject reports whether the quota is a project's, not an organisation's.
func (q Quota) ofProject() bool { return strings.Contains(q.Of, "/") }

// what names the quota for people.
func (q Quota) what() string {
	if q.ofProject() {
		return "the quota of the project " + q.Of
	}
	return "the quota of the organisation " + q.Of
}

// seenBy reports whether a may see what is booked: a project's is for whoever
// may read the project, an organisation's, which tells of all its projects, for
// its administrators.
func (q Quota) seenBy(a Actor) bool {
	if q.ofProject() {
		return a.May(RightRead, q.Of)
	}
	return a.May(RightProjects, q.Of)
}

// quotaOf returns the quota of an organisation or project that is there. There is
// a record only where a limit was ever set: before, what is used is counted.
func quotaOf(tx Tx, of string) (Quota, error) {
	q, _, err := Get[Quota](tx, of)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return q, err
	}
	q = Quota{Of: of, Revision: 1}
	booked, err := bookedIn(tx, of)
	for _, n := range booked {
		q.UsedConnections += n.connections
	}
	return q, err
}

// booked is what somebody has booked.
type booked struct {
	name        string // of a cluster of a project, or of a project of an organisation
	connections int
}

// bookedIn lists what is booked in a project, by cluster, or in an organisation,
// by project; most first.
func bookedIn(tx Tx, of string) ([]booked, error) {
	byProject := !strings.Contains(of, "/")
	q := Query{Project: of}
	if byProject {
		q = Query{Match: func(_ string, i Index) bool { return Project{Path: i.Project}.Org() == of }}
	}
	sums := map[string]int{}
	for r, err := range List[ClusterRecord](tx, q) {
		if err != nil {
			return nil, err
		}
		name := r.Name
		if byProject {
			name = r.Project
		}
		sums[name] += r.Booked()
	}
	out := make([]booked, 0, len(sums))
	for name, n := range sums {
		out = append(out, booked{name, n})
	}
	slices.SortFunc(out, func(a, b booked) int {
		return cmp.Or(cmp.Compare(b.connections, a.connections), strings.Compare(a.name, b.name))
	})
	return out, nil
}

// quotaRefuses returns why an actor cannot have more connections; nil if it can.
// Whoever may not see what others have booked is not told how much that is.
func quotaRefuses(q Quota, tx Tx, a Actor, more int, field string) error {
	free := max(q.Connections-q.UsedConnections, 0)
	if q.Connections == 0 || more <= free {
		return nil
	}
	refused := &Error{Code: CodeQuotaExceeded, Message: q.what() + " does not hold what was asked for"}
	if !q.seenBy(a) {
		refused.Message += "; its administrators see what is booked, and can have some given back or the quota raised"
		refused.Fields = []FieldError{{field, fmt.Sprintf("wants %d connections more; %s has fewer free", more, q.what())}}
		return refused
	}
	all, err := bookedIn(tx, q.Of)
	if err != nil {
		return err
	}
	var most []string
	for _, b := range all[:min(len(all), usesShown)] {
		most = append(most, fmt.Sprintf("%s %d", b.name, b.connections))
	}
	by := ""
	if most != nil {
		by = "; booked most: " + strings.Join(most, ", ")
	}
	refused.Fields = []FieldError{{field, fmt.Sprintf("wants %d connections more; %d of %d are free in %s%s", more, free, q.Connections, q.what(), by)}}
	return refused
}

// Quota returns the quota of an organisation ("org") or project ("org/project"),
// also where no limit is set.
func (d *Directory) Quota(ctx context.Context, of string) (q Quota, err error) {
	op := "read quota of " + of
	a, err := authorize(ctx, op, RightRead, "")
	if err != nil {
		return q, err
	}
	err = d.store.Read(ctx, func(tx Tx) (err error) {
		q, err = visibleQuota(tx, a, of)
		return err
	})
	if err != nil {
		return Quota{}, explain(op, err, "", "")
	}
	return q, nil
}

// visibleQuota returns a quota if the actor may see it.
func visibleQuota(tx Tx, a Actor, of string) (Quota, error) {
	what, sees, kind := "organisation", a.sees(of), KindOrg
	if (Quota{Of: of}).ofProject() {
		what, sees, kind = "project", a.May(RightRead, of), KindProject
	}
	_, err := tx.Get(kind, of)
	if errors.Is(err, ErrNotFound) || err == nil && !sees {
		return Quota{}, noSuch(what, of, err)
	}
	if err == nil && kind == KindOrg {
		err = a.permit("", RightProjects, of)
	}
	if err != nil {
		return Quota{}, err
	}
	return quotaOf(tx, of)
}

// Quotas lists the quotas with a limit that the actor may see, by whose they are.
func (d *Directory) Quotas(ctx context.Context) ([]Quota, error) {
	return listVisible(ctx, d.store, "list quotas", Query{}, func(a Actor, q Quota) bool { return q.Connections > 0 && q.seenBy(a) })
}

// UpdateQuota changes the limit of a quota; what is booked is the ledger's. Its
// revision is the one that was read, 0 = whatever. No limit goes below what is
// booked. An organisation's is changed by whoever administers all of them, a
// project's by who administers its organisation.
func (d *Directory) UpdateQuota(ctx context.Context, q Quota) (Quota, error) {
	r := request{op: "change quota of " + q.Of, action: "update", kind: KindQuota, key: q.Of, scope: q.Of, asked: q}
	return submit(ctx, d.changes, r, func(w *work) (Quota, error) {
		old, err := visibleQuota(w.Tx, w.actor, q.Of)
		if err != nil {
			return Quota{}, err
		}
		right, where := RightAdmin, ""
		if q.ofProject() {
			right, where = RightProjects, Project{Path: q.Of}.Org()
		}
		if err := errors.Join(w.permit(right, where), checkRevision(q.Revision, old.Revision)); err != nil {
			return Quota{}, err
		}
		if err := checkQuota(q, old); err != nil {
			return Quota{}, err
		}
		next := old
		if next.Connections = q.Connections; same(old, next) {
			return old, nil
		}
		next.Revision++
		w.note(q.Of, q.Of, old, next)
		return next, Put(w.Tx, next, AnyVersion)
	})
}

// checkQuota returns what is wrong with a new limit, as it is with the pool's.
func checkQuota(q Quota, old Quota) error {
	var wrong problems
	switch {
	case q.Connections < 0:
		wrong.add("connections", "is %d; 0 means without a limit, else a number above 0 is wanted", q.Connections)
		return wrong.err("")
	case q.Connections > 0 && q.Connections < old.UsedConnections:
		wrong.add("connections", "is %d; %d connections are booked", q.Connections, old.UsedConnections)
		return &Error{Code: CodeConflict, Message: "a limit cannot go below what is used; make clusters smaller or delete some first", Fields: wrong}
	}
	return nil
}
