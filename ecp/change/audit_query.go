package change

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/timekey"
)

// AuditOptions selects audit entries. The zero value selects all that the actor may
// read.
type AuditOptions struct {
	Actor   string // the whole name
	Kind    ecp.Kind
	Key     string
	Scope   string // an "org/project", or an "org" with all its projects
	Outcome Outcome
	Since   time.Time // entries of this time and newer ones
	Until   time.Time // entries older than this
	Cursor  string    // Next of the page before
	Limit   int       // of a page; zero means 50, and [ecp.MaxListLimit] is the most
}

// AuditPage is a page of the audit, newest first.
type AuditPage struct {
	Items []AuditEntry
	Next  string // Cursor of the next page; empty on the last one
}

// Audit returns a page of the audit, newest first. It has the entries of the projects
// and organisations whose audit the actor may read.
func (c *Writer) Audit(ctx context.Context, o AuditOptions) (AuditPage, error) {
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ecp.MaxListLimit)
	page, _, err := c.auditPage(ctx, o)
	return page, err
}

// ExportAudit yields all entries that the options select, newest first; Limit does not
// count. It reads in several transactions, so that it delays nobody. Entries that are
// written meanwhile are left out.
func (c *Writer) ExportAudit(ctx context.Context, o AuditOptions) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		o.Limit = ecp.MaxListLimit
		for {
			page, more, err := c.auditPage(ctx, o)
			for _, e := range page.Items {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(AuditEntry{}, err)
				return
			}
			if !more {
				return
			}
			o.Cursor = page.Next
		}
	}
}

// auditScanned is how many entries are read in one transaction at most.
const auditScanned = 20_000

// auditPage reads a page, and reports whether there may be more after Next. A page that
// is not full can have more after it, when enough was read for one transaction.
func (c *Writer) auditPage(ctx context.Context, o AuditOptions) (page AuditPage, more bool, err error) {
	const op = "read the audit"
	a, err := ecp.Authorize(ctx, op, ecp.RightAudit, "")
	if err != nil {
		return AuditPage{Items: []AuditEntry{}}, false, err
	}
	after, last := o.Cursor, ""
	if !o.Until.IsZero() {
		after = max(after, timekey.NewestFirst(o.Until)+"g") // after every entry of that moment
	}
	if o.Since.After(time.Unix(0, 0)) { // nothing is older than that
		last = timekey.NewestFirst(o.Since.Add(-time.Nanosecond))
	}
	q := ecp.Query{After: after}
	if strings.Contains(o.Scope, "/") {
		q.Project = o.Scope
	}
	if o.Kind != "" && o.Key != "" {
		q.Parent = string(o.Kind) + "/" + o.Key
	}
	match := func(_ string, i ecp.Index) bool { return mayAudit(a, i.Project) && inScope(i.Project, o.Scope) }
	q.Match = match
	err = c.Store.Read(ctx, func(tx ecp.Tx) error {
		page, more = AuditPage{Items: []AuditEntry{}}, false
		scanned := 0
		for e, err := range ecp.List[AuditEntry](tx, q) {
			if err != nil {
				return err
			}
			if last != "" && e.ID >= last {
				return nil
			}
			scanned++
			if _, _, i := e.Describe(); match(e.ID, i) && o.matches(e) {
				if len(page.Items) == o.Limit {
					page.Next, more = page.Items[o.Limit-1].ID, true
					return nil
				}
				page.Items = append(page.Items, e)
			}
			if scanned == auditScanned {
				page.Next, more = e.ID, true
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return AuditPage{Items: []AuditEntry{}}, false, fault.Wrap(op, err)
	}
	return page, more, nil
}

// mayAudit reports whether a may read the entries of a scope.
func mayAudit(a ecp.Actor, scope string) bool {
	if scope == "" {
		return a.May(ecp.RightAdmin, "")
	}
	return a.May(ecp.RightAudit, scope)
}

// inScope reports whether a scope is the wanted one or lies in it.
func inScope(scope, wanted string) bool {
	return wanted == "" || scope == wanted || ecp.Project{Path: scope}.Org() == wanted
}

func (o AuditOptions) matches(e AuditEntry) bool {
	return (o.Actor == "" || e.Actor == o.Actor) && (o.Kind == "" || e.Kind == o.Kind) &&
		(o.Key == "" || e.Key == o.Key) && (o.Outcome == "" || e.Outcome == o.Outcome)
}
