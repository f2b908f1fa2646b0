package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// requestTimeout is how long a request may take that does not wait for anything.
const requestTimeout = 30 * time.Second

// maxToken is the length of the longest text that is looked up as a token, in bytes.
const maxToken = 512

// ServeHTTP answers one request: it finds the route, checks the query, the conditions,
// the token and the body, in this order, and calls the handler of the route.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &responseRecorder{ResponseWriter: w, indent: readByPeople(r)}
	out.Header().Set("X-Content-Type-Options", "nosniff")
	out.Header().Set("Cache-Control", "no-store")
	line := &accessLog{
		began: time.Now(), method: r.Method, request: requestID(r), remote: a.remote(r),
		path: shorten(r.URL.EscapedPath(), maxWord),
	}
	out.Header().Set(headerRequest, line.request)
	defer a.finish(r.Context(), out, line)
	if p := a.serve(out, r, line); p != nil {
		p.write(out)
	}
}

// accessLog is what is logged of a request. Of what a client wrote these are the method
// and, if the request was refused for want of rights, the escaped path, cut short: never
// the query, a header, or a broker's path.
type accessLog struct {
	began                  time.Time
	method, pattern, actor string
	request                string // its id
	remote, path           string
}

// level is the level at which a request is logged. Refused tokens and internal errors
// can be seen without debugging.
func (l *accessLog) level(status int) slog.Level {
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
func (a *api) finish(ctx context.Context, out *responseRecorder, line *accessLog) {
	cause := recover()
	if cause != nil && !out.broken && cause != http.ErrAbortHandler { //nolint:errorlint // the value itself is thrown
		a.log.ErrorContext(ctx, "request panicked", "route", line.pattern, "request", line.request,
			"panic", cause, "stack", string(debug.Stack()))
		if out.status == 0 {
			newProblem(ecp.CodeInternal, blandText).write(out)
			cause = nil
		}
	}
	level := line.level(out.status)
	if level < slog.LevelInfo {
		line.path = ""
	}
	a.log.Log(ctx, level, "request", "method", line.method, "route", line.pattern, "path", line.path,
		"status", out.status,
		"duration", time.Since(line.began), "actor", line.actor, "remote", line.remote, "request", line.request)
	a.observe(out, line)
	if cause != nil {
		panic(http.ErrAbortHandler) // the answer has begun and cannot be completed
	}
}

// serve checks a request and hands it on to its route. A problem that it returns is
// still to be written.
func (a *api) serve(w *responseRecorder, r *http.Request, line *accessLog) *problemView {
	if redirectToDocs(w, r) {
		return nil
	}
	rt, p := a.find(r)
	if p != nil {
		return p
	}
	line.pattern = rt.Method + " " + rt.Path
	if rt.passthrough {
		w.Header().Set(proxy.AnsweredBy, proxy.Ours)
		w.indent = false // the broker's own bytes
		line.path = ""   // and its own names of clients, topics and the like
	}
	if p := rt.checkQuery(r); p != nil {
		return p
	}
	ctx, p := rt.conditions(r.Context(), r)
	if p != nil {
		return p
	}
	ctx = ecp.WithOrigin(ctx, ecp.Origin{RemoteAddress: line.remote, RequestID: line.request})
	if !rt.open {
		actor, p := a.authenticate(r)
		if p != nil {
			return p
		}
		line.actor = actor.Name
		ctx = ecp.WithActor(ctx, actor)
	}
	if rt.passthrough {
		return a.servePassthrough(w, r.WithContext(ctx))
	}
	if !rt.unbounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rt.timeout)
		defer cancel()
		deadline := time.Now().Add(rt.timeout + requestTimeout)
		_ = http.NewResponseController(w).SetWriteDeadline(deadline) // not every writer can
	}
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// find returns the route of a request. The mux's own answers, plain text and
// redirects, become problems.
func (a *api) find(r *http.Request) (*route, *problemView) {
	if rt, p := a.findBroker(r); rt != nil || p != nil {
		return rt, p
	}
	if path.Clean(r.URL.Path) != r.URL.Path {
		return nil, noRoute(r)
	}
	refuse, pattern := a.mux.Handler(r)
	if rt := a.routes[pattern]; rt != nil {
		return rt, nil
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
	return newProblem(ecp.CodeNotFound, "there is nothing at "+shorten(r.URL.Path, maxWord)+"; GET /openapi.json "+
		"lists the paths")
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

// checkQuery refuses parameters that the route does not know, that are given twice, or
// that need a value and have none. It leaves the parameters of a broker alone.
func (rt *route) checkQuery(r *http.Request) *problemView {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return newProblem(ecp.CodeInvalid, "the query is not well-formed",
			fieldView{Pointer: "/query", Detail: "is not percent-encoded correctly"}).as(http.StatusBadRequest)
	}
	if rt.passthrough {
		return nil
	}
	var found []fieldView
	var names []string
	for _, p := range rt.Parameters {
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
	return badParameter(found...)
}

// authenticate returns the actor whose token a request carries.
func (a *api) authenticate(r *http.Request) (ecp.Actor, *problemView) {
	refuse := func(detail, challenge string) *problemView {
		return newProblem(ecp.CodeDenied, detail).as(http.StatusUnauthorized).with("WWW-Authenticate", challenge)
	}
	const wanted = `send the header "Authorization: Bearer <token>"`
	headers := r.Header.Values("Authorization")
	if secret := cookieSecret(r); len(headers) == 0 && secret != "" {
		if p := refuseOtherOrigins(r); p != nil {
			return ecp.Actor{}, p
		}
		return a.actorOf(r.Context(), secret)
	}
	if len(headers) == 0 {
		return ecp.Actor{}, refuse("the request carries no token; "+wanted, `Bearer realm="openecp"`)
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimSpace(token)
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return ecp.Actor{}, refuse("the Authorization header is not understood; "+wanted,
			`Bearer realm="openecp", error="invalid_request"`)
	}
	return a.actorOf(r.Context(), token)
}

// actorOf returns the actor whose token it is.
func (a *api) actorOf(ctx context.Context, token string) (ecp.Actor, *problemView) {
	actor, err := a.manager.Accounts.Authenticate(ctx, token)
	var e *ecp.Error
	if errors.Is(err, ecp.ErrDenied) && errors.As(err, &e) { // not known, or expired: the client may know which
		return ecp.Actor{}, newProblem(ecp.CodeDenied, e.Message).as(http.StatusUnauthorized).
			with("WWW-Authenticate", `Bearer realm="openecp", error="invalid_token"`)
	}
	if err != nil {
		return ecp.Actor{}, a.failed(ctx, err)
	}
	return actor, nil
}
