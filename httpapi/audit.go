package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

const auditCursor = "a:"

// auditRoutes show who changed what.
func (a *api) auditRoutes() {
	read := a.operation(http.MethodGet, "/api/v1/audit", "listAudit", "List what was changed, and refused for want of a right, newest first")
	read.Description = "A page may be short with a next cursor: enough was looked through for one request."
	read.Parameters = append(auditParameters(), listParameters()[:2]...)
	a.serve(read, http.StatusOK, schemaOf[page[ecp.AuditEntry]](a.schemas()), a.listAudit)

	export := a.operation(http.MethodGet, "/api/v1/audit/export", "exportAudit", "Get all of the audit that is selected, an entry a line, newest first")
	export.Description = "The answer is newline-delimited JSON. Where it cannot be read to its end, the connection is cut."
	export.Parameters = auditParameters()
	export.Metadata[patience] = 10 * time.Minute
	a.plain(export, "application/x-ndjson", a.exportAudit)
	export.Responses["200"].Content["application/x-ndjson"].Schema = schemaOf[ecp.AuditEntry](a.schemas())
}

func auditParameters() []*huma.Param {
	text := func(name, says string) *huma.Param {
		return &huma.Param{In: "query", Name: name, Description: says, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	when := func(name, says string) *huma.Param {
		p := text(name, says)
		p.Schema.Format, p.Schema.Pattern = "date-time", `^[0-9]{4}-`
		return p
	}
	outcome := text("outcome", "only what became of it")
	outcome.Schema.Enum = []any{string(ecp.OutcomeDone), string(ecp.OutcomeDenied)}
	return []*huma.Param{
		text("actor", "only of this name; an API token's begins with token:"), text("kind", "only changes of this kind of thing, e.g. cluster"), text("key", "only changes of this one thing"),
		text("scope", "only what lies in org/project, or in org and its projects"), outcome,
		when("since", "only what is not older, RFC 3339"), when("until", "only what is older, RFC 3339"),
	}
}

// auditOptions reads what of the audit is wanted.
func auditOptions(query url.Values) (o ecp.AuditOptions, wrong []fieldView) {
	when := func(name string) (t time.Time) {
		text := query.Get(name)
		if text == "" && !query.Has(name) {
			return t
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			wrong = append(wrong, fieldView{"/query/" + name, "is not a time such as 2026-01-02T03:04:05Z"})
		}
		return t
	}
	o = ecp.AuditOptions{
		Actor: query.Get("actor"), Kind: ecp.Kind(query.Get("kind")), Key: query.Get("key"), Scope: query.Get("scope"),
		Outcome: ecp.Outcome(query.Get("outcome")), Since: when("since"), Until: when("until"),
	}
	return o, append(wrong, oneOf("outcome", query.Get("outcome"), []string{string(ecp.OutcomeDone), string(ecp.OutcomeDenied)})...)
}

func (a *api) listAudit(ctx context.Context, r *http.Request, _ []byte) (success, error) {
	o, wrong := auditOptions(r.URL.Query())
	limit, after, p := listing(r, auditCursor)
	if p != nil {
		wrong = append(wrong, p.Errors...)
	}
	if len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	o.Limit, o.Cursor = limit, after
	found, err := a.manager.Audit(ctx, o)
	if err != nil {
		return success{}, ofQuery(err)
	}
	return success{status: http.StatusOK, body: page[ecp.AuditEntry]{Items: list(found.Items), Next: makeCursor(auditCursor, found.Next)}}, nil
}

// exportAudit writes entry by entry; a client that does not take them in time
// is left.
func (a *api) exportAudit(w http.ResponseWriter, r *http.Request) {
	o, wrong := auditOptions(r.URL.Query())
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
	for e, err := range a.manager.ExportAudit(r.Context(), o) {
		if err != nil && begun {
			_ = a.failed(r.Context(), err) // for the log: the status is out
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			a.failed(r.Context(), err).write(w)
			return
		}
		begin()
		_ = control.SetWriteDeadline(time.Now().Add(a.stuck)) // not every writer can
		if err := encoder.Encode(e); err != nil {
			return
		}
	}
	begin()
}
