package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// ordinary is how long a request may take that does not wait for anything.
const ordinary = 30 * time.Second

// maxToken bounds what is taken for a token, in bytes.
const maxToken = 512

// patience is the key of a route's metadata under which its time stands; 0 =
// it ends by itself.
const patience = "patience"

// ServeHTTP answers one request: it finds the route, checks in this order the
// query, the conditions, who asks, and the body, and hands on to the route's own handler.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &answer{ResponseWriter: w, people: isReadByPeople(r)}
	out.Header().Set("X-Content-Type-Options", "nosniff")
	out.Header().Set("Cache-Control", "no-store")
	line := &logLine{began: time.Now(), method: r.Method, request: requestID(r), remote: a.remote(r), path: shorten(r.URL.EscapedPath(), maxWord)}
	out.Header().Set(headerRequest, line.request)
	defer a.finish(r.Context(), out, line)
	if p := a.route(out, r, line); p != nil {
		p.write(out)
	}
}

// logLine is what the log learns of a request: of what a client wrote the method
// and, of who is turned away, the escaped path, cut short; never the query, a
// header, or a path of a broker's.
type logLine struct {
	began                  time.Time
	method, pattern, actor string
	request                string // its id
	remote, path           string
}

// level is that of a request's line: who is turned away, and what failed, is
// there to be seen without debugging.
func (l *logLine) level(status int) slog.Level {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return slog.LevelInfo
	}
	if status >= http.StatusInternalServerError {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// finish logs a request and answers for one that panicked.
func (a *api) finish(ctx context.Context, out *answer, line *logLine) {
	cause := recover()
	if cause != nil && !out.broken && cause != http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is thrown
		a.log.ErrorContext(ctx, "request panicked", "route", line.pattern, "request", line.request, "panic", cause, "stack", string(debug.Stack()))
		if out.status == 0 {
			newProblem(ecp.CodeInternal, blandText).write(out)
			cause = nil
		}
	}
	level := line.level(out.status)
	if level < slog.LevelInfo {
		line.path = ""
	}
	a.log.Log(ctx, level, "request", "method", line.method, "route", line.pattern, "path", line.path, "status", out.status,
		"duration", time.Since(line.began), "actor", line.actor, "remote", line.remote, "request", line.request)
	a.observe(out, line)
	if cause != nil {
		panic(http.ErrAbortHandler) // the answer has begun and cannot be completed
	}
}

func (a *api) route(w *answer, r *http.Request, line *logLine) *problemView {
	if leadToPage(w, r) {
		return nil
	}
	op, p := a.find(r)
	if p != nil {
		return p
	}
	line.pattern = op.Method + " " + op.Path
	if isThrough(op) {
		w.Header().Set(proxy.AnsweredBy, proxy.Ours)
		w.people = false // the broker's own bytes
		line.path = ""   // and its own names of clients, topics and the like
	}
	if p := checkQuery(op, r); p != nil {
		return p
	}
	ctx, p := conditions(r.Context(), op, r)
	if p != nil {
		return p
	}
	ctx = ecp.WithOrigin(ctx, ecp.Origin{RemoteAddress: line.remote, RequestID: line.request})
	if len(op.Security) > 0 {
		actor, p := a.authenticate(r)
		if p != nil {
			return p
		}
		line.actor = actor.Name
		ctx = ecp.WithActor(ctx, actor)
	}
	r = r.WithContext(ctx)
	if isThrough(op) {
		return a.serveThrough(w, r)
	}
	if most, ok := op.Metadata[patience].(time.Duration); ok && most > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, most)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most + ordinary)) // not every writer can
	}
	if p := readBody(op, w, r); p != nil {
		return p
	}
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// find gives the route of a request. The mux's own answers, plain text and
// redirects, become problems.
func (a *api) find(r *http.Request) (*huma.Operation, *problemView) {
	if op, p := a.findBroker(r); op != nil || p != nil {
		return op, p
	}
	if path.Clean(r.URL.Path) != r.URL.Path {
		return nil, noRoute(r)
	}
	refuse, pattern := a.mux.Handler(r)
	if op := a.routes[pattern]; op != nil {
		return op, nil
	}
	probe := &headerOnly{header: http.Header{}}
	refuse.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); allow != "" {
		return nil, wrongMethod(r, allow)
	}
	return nil, noRoute(r)
}

func wrongMethod(r *http.Request, allow string) *problemView {
	return newProblem(ecp.CodeUnsupported, "the path does not take "+shorten(r.Method, maxWord)+"; it takes "+allow).
		as(http.StatusMethodNotAllowed).with("Allow", allow)
}

func noRoute(r *http.Request) *problemView {
	return newProblem(ecp.CodeNotFound, "there is nothing at "+shorten(r.URL.Path, maxWord)+"; GET /openapi.json lists the paths")
}

// maxWord bounds how much of one word of a request is repeated, in bytes.
const maxWord = 200

// shorten keeps what a client wrote short enough to be repeated to it.
func shorten(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// checkQuery refuses parameters that the route does not know, that stand twice,
// or that switch something without saying which way. Those of a broker are its own.
func checkQuery(op *huma.Operation, r *http.Request) *problemView {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return newProblem(ecp.CodeInvalid, "the query is not well-formed", fieldView{Pointer: "/query", Detail: "is not percent-encoded correctly"}).as(http.StatusBadRequest)
	}
	if isThrough(op) {
		return nil
	}
	var found []fieldView
	var names []string
	for _, p := range op.Parameters {
		if p.In != "query" {
			continue
		}
		names = append(names, p.Name)
		switch values := query[p.Name]; {
		case len(values) > 1:
			found = append(found, fieldView{"/query/" + p.Name, "stands twice"})
		case len(values) == 1 && values[0] == "" && p.Schema.Type != huma.TypeString:
			found = append(found, fieldView{"/query/" + p.Name, "has no value"})
		}
	}
	for name := range query {
		if !slices.Contains(names, name) && len(found) < maxFindings {
			known := "; the path takes no parameters"
			if len(names) > 0 {
				known = "; known are " + strings.Join(names, ", ")
			}
			found = append(found, fieldView{"/query/" + escapePointer(shorten(name, maxWord)), "is not known" + known})
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b fieldView) int { return strings.Compare(a.Pointer, b.Pointer) })
	return newProblem(ecp.CodeInvalid, "a parameter is not valid", found...)
}

// authenticate gives the actor whose token a request carries.
func (a *api) authenticate(r *http.Request) (ecp.Actor, *problemView) {
	refuse := func(detail, challenge string) *problemView {
		return newProblem(ecp.CodeDenied, detail).as(http.StatusUnauthorized).with("WWW-Authenticate", challenge)
	}
	const wanted = `send the header "Authorization: Bearer <token>"`
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return ecp.Actor{}, refuse("the request carries no token; "+wanted, `Bearer realm="openecp"`)
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimSpace(token)
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return ecp.Actor{}, refuse("the Authorization header is not understood; "+wanted, `Bearer realm="openecp", error="invalid_request"`)
	}
	actor, err := a.manager.Authenticate(r.Context(), token)
	var e *ecp.Error
	if errors.Is(err, ecp.ErrDenied) && errors.As(err, &e) { // not known, or over: who has the token may know which
		return ecp.Actor{}, refuse(e.Message, `Bearer realm="openecp", error="invalid_token"`)
	}
	if err != nil {
		return ecp.Actor{}, a.failed(r.Context(), err)
	}
	return actor, nil
}

// readBody reads the body of a request that may have one, bounded in size and
// time, and puts it back to be read from memory.
func readBody(op *huma.Operation, w http.ResponseWriter, r *http.Request) *problemView {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if r.ContentLength > MaxBody {
		return tooLarge()
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(ordinary)) // not every writer can; the server has its own limit then
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(ecp.CodeInvalid, "the body did not arrive in time").as(http.StatusRequestTimeout).with("Connection", "close")
	case err != nil:
		return malformed("the body could not be read to its end")
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if len(body) > 0 {
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || !takesMedia(op, t) {
			return newProblem(ecp.CodeInvalid, `the body has to be JSON; send the header "Content-Type: application/json"`,
				fieldView{"/header/Content-Type", "is not application/json"}).as(http.StatusUnsupportedMediaType).with("Accept", "application/json")
		}
	}
	switch {
	case op.RequestBody == nil && len(body) > 0:
		return decode(body, &struct{}{})
	case op.RequestBody != nil && len(body) == 0:
		return malformed("the body is missing; a JSON object is wanted")
	}
	return nil
}

// mergePatchType is the media type of a merge patch (RFC 7396).
const mergePatchType = "application/merge-patch+json"

func takesMedia(op *huma.Operation, t string) bool {
	return t == "application/json" || t == mergePatchType && op.Method == http.MethodPatch
}

func tooLarge() *problemView {
	return newProblem(ecp.CodeInvalid, "the body is too large; 1 MiB is allowed").
		as(http.StatusRequestEntityTooLarge).with("Connection", "close")
}
