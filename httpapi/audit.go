package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// auditRoutes show who changed what.
func (a *api) auditRoutes() {
	a.json(route{
		method: http.MethodGet, path: "/api/v1/audit", id: "listAudit",
		summary:     "List what was changed, and refused for want of a right, newest first",
		description: "A page may be short with a next cursor: enough was looked through for one request.",
		parameters:  append(auditParameters(), listParameters()[:2]...),
		success:     returns[page[change.AuditEntry]](http.StatusOK),
	}, a.listAudit)
	a.stream(route{
		method: http.MethodGet, path: "/api/v1/audit/export", id: "exportAudit",
		summary:     "Get all of the audit that is selected, an entry a line, newest first",
		description: "The answer is newline-delimited JSON. Where it cannot be read to its end, the connection is cut.",
		parameters:  auditParameters(), timeout: 10 * time.Minute,
		success: []answer{{
			status: http.StatusOK, content: map[string]schema{"application/x-ndjson": schemaOf[change.AuditEntry]},
		}},
	}, a.exportAudit)
}

var auditOutcomes = words(change.OutcomeDone, change.OutcomeDenied)

func auditParameters() []*huma.Param {
	return []*huma.Param{
		query("actor", "only of this name; an API token's begins with token:", text()),
		query("kind", "only changes of this kind of thing, e.g. cluster", text()),
		query("key", "only changes of this one thing", text()),
		query("scope", "only what lies in org/project, or in org and its projects", text()),
		query("outcome", "only what became of it", text(auditOutcomes...)),
		query("since", "only what is not older, RFC 3339", timestamp()),
		query("until", "only what is older, RFC 3339", timestamp()),
	}
}

// auditOptions reads what of the audit is wanted.
func auditOptions(r *http.Request) (o change.AuditOptions, wrong []fieldView) {
	query := r.URL.Query()
	since, badSince := readTime(r, "since")
	until, badUntil := readTime(r, "until")
	o = change.AuditOptions{
		Actor: query.Get("actor"), Kind: ecp.Kind(query.Get("kind")), Key: query.Get("key"), Scope: query.Get("scope"),
		Outcome: change.Outcome(query.Get("outcome")), Since: since, Until: until,
	}
	return o, slices.Concat(badSince, badUntil, checkWord("outcome", query.Get("outcome"), auditOutcomes))
}

func (a *api) listAudit(ctx context.Context, r *http.Request, _ body) (success, error) {
	o, wrong := auditOptions(r)
	limit, after, bad := listing(r, auditCursor)
	if wrong = append(wrong, bad...); len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	o.Limit, o.Cursor = limit, after
	found, err := a.manager.Changes.Audit(ctx, o)
	if err != nil {
		return success{}, ofQuery(err)
	}
	out := page[change.AuditEntry]{Items: list(found.Items), Next: makeCursor(auditCursor, found.Next)}
	return success{status: http.StatusOK, body: out}, nil
}

// exportAudit writes entry by entry; a client that does not take them in time
// is left.
func (a *api) exportAudit(w http.ResponseWriter, r *http.Request) {
	o, wrong := auditOptions(r)
	if len(wrong) > 0 {
		badParameter(wrong...).write(w)
		return
	}
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Content-Disposition", `attachment; filename="audit.ndjson"`)
			begun = true
		}
	}
	control, encoder := http.NewResponseController(w), json.NewEncoder(w)
	for e, err := range a.manager.Changes.ExportAudit(r.Context(), o) {
		if err != nil && begun {
			_ = a.failed(r.Context(), err) // for the log: the status is out
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			a.failed(r.Context(), err).write(w)
			return
		}
		begin()
		_ = control.SetWriteDeadline(time.Now().Add(a.writeTimeout)) // not every writer can
		if err := encoder.Encode(e); err != nil {
			return
		}
	}
	begin()
}
