package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// problemView is the body of every answer that is not a success (RFC 9457).
type problemView struct {
	Type   string      `json:"type" doc:"urn:openecp:problem: and the code"`
	Title  string      `json:"title" doc:"what the code means"`
	Status int         `json:"status" doc:"the HTTP status again"`
	Code   ecp.Code    `json:"code" doc:"stable class of the problem; software decides by this"`
	Detail string      `json:"detail" doc:"what was wrong this time and what to do next, for people"`
	Errors []fieldView `json:"errors" doc:"what is wrong with which field; may be empty"`

	header http.Header
}

// fieldView names one thing that is wrong with one field or parameter.
type fieldView struct {
	Pointer string `json:"pointer" doc:"JSON pointer into the body, e.g. /spec/nodes; /query/NAME or /header/NAME for a parameter; empty for the body as a whole"`
	Detail  string `json:"detail" doc:"what was wrong and what is allowed"`
}

// codes has the status and title of each code. The last row is also for codes that are
// not in it.
var codes = []struct {
	code   ecp.Code
	status int
	title  string
}{
	{ecp.CodeInvalid, http.StatusUnprocessableEntity, "The request contradicts the rules"},
	{ecp.CodeNotFound, http.StatusNotFound, "There is no such thing"},
	{ecp.CodeExists, http.StatusConflict, "The name is taken"},
	{ecp.CodeConflict, http.StatusConflict, "Not possible in the present state"},
	{ecp.CodeDenied, http.StatusForbidden, "Not allowed"},
	{ecp.CodeQuotaExceeded, http.StatusUnprocessableEntity, "The pool or a quota does not hold what was asked for"},
	{ecp.CodeUnsupported, http.StatusUnprocessableEntity, "This cannot be done here"},
	{ecp.CodeUnavailable, http.StatusServiceUnavailable, "Something did not answer; try again later"},
	{ecp.CodeGone, http.StatusGone, "The position is not kept any more"},
	{ecp.CodePrecondition, http.StatusPreconditionFailed, "It has changed since it was read"},
	{ecp.CodeKeyReused, http.StatusUnprocessableEntity, "The idempotency key belongs to another request"},
	{ecp.CodeThrottled, http.StatusTooManyRequests, "Too often in a short time"},
	{ecp.CodeInternal, http.StatusInternalServerError, "A fault of the server"},
}

// retryAfter is the Retry-After of an unavailable, in seconds.
const retryAfter = "5"

// blandText is all that a client learns of an internal error.
const blandText = "internal error; the cause is logged"

// newProblem returns a problem with the usual status of its code.
func newProblem(code ecp.Code, detail string, fields ...fieldView) *problemView {
	row := codes[len(codes)-1]
	for _, r := range codes {
		if r.code == code {
			row = r
			break
		}
	}
	p := &problemView{
		Type: "urn:openecp:problem:" + string(row.code), Title: row.title, Status: row.status, Code: row.code,
		Detail: detail, Errors: fields, header: http.Header{},
	}
	if p.Errors == nil {
		p.Errors = []fieldView{}
	}
	if p.Status == http.StatusServiceUnavailable {
		p.header.Set("Retry-After", retryAfter)
	}
	return p
}

// as changes the status, where HTTP has a more exact one than the code.
func (p *problemView) as(status int) *problemView {
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// with adds a header to the answer.
func (p *problemView) with(key, value string) *problemView {
	p.header.Set(key, value)
	return p
}

// Error makes a problem an error that handlers can return.
func (p *problemView) Error() string { return p.Detail }

// write answers with p.
func (p *problemView) write(w http.ResponseWriter) {
	h := w.Header()
	for k, v := range p.header {
		h[k] = v
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // strings and numbers only: if this fails, the client has gone
}

// failed turns an error of the Manager into a problem, and logs the cause, which the client
// does not see.
func (a *api) failed(ctx context.Context, err error) *problemView {
	var e *ecp.Error
	if !errors.As(err, &e) || e.Code == ecp.CodeInternal {
		if ctx.Err() != nil {
			return newProblem(ecp.CodeUnavailable, "the request took too long and was given up")
		}
		a.log.ErrorContext(ctx, "request failed", ecp.ErrorAttr(err))
		return newProblem(ecp.CodeInternal, blandText)
	}
	detail := e.Message
	if e.Op != "" {
		detail = e.Op + ": " + detail
	}
	if e.Cause != nil {
		a.log.DebugContext(ctx, "request refused", "error", err, "cause", e.Cause)
	}
	var fields []fieldView
	for _, f := range e.Fields {
		if len(fields) < maxFindings {
			fields = append(fields, fieldView{shorten(pointerOf(f.Field), maxPointer), shorten(f.Message, maxDetail)})
		}
	}
	p := newProblem(e.Code, shorten(detail, maxDetail), fields...)
	if e.RetryAfter > 0 {
		p = p.with("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	return p
}

// pointerOf turns a field path of the domain, such as
// spec.network.listeners[0].port or spec.config[a.b], into a JSON pointer.
func pointerOf(field string) string {
	var b strings.Builder
	add := func(segment string) {
		if segment != "" {
			b.WriteString("/" + escapePointer(segment))
		}
	}
	for field != "" {
		i := strings.IndexAny(field, ".[")
		if i < 0 {
			add(field)
			break
		}
		add(field[:i])
		if field[i] == '.' {
			field = field[i+1:]
			continue
		}
		var key string
		key, field = bracket(field[i+1:])
		b.WriteString("/" + escapePointer(key))
	}
	return b.String()
}

// bracket returns what stands between brackets: an index, which ends at the next bracket,
// or a key, which may hold anything and stands last.
func bracket(s string) (key, rest string) {
	if index, after, ok := strings.Cut(s, "]"); ok {
		if _, err := strconv.ParseUint(index, 10, 32); err == nil {
			return index, strings.TrimPrefix(after, ".")
		}
	}
	return strings.TrimSuffix(s, "]"), ""
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(segment string) string { return pointerEscapes.Replace(segment) }
