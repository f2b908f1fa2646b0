package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// route is one operation of the API: what the document says of it, and how a
// request to it is checked. A literal sets the fields in lower case; add fills in
// the rest. The right that it needs is in the table needs, and an example of its
// body in the table requestExamples.
type route struct {
	method, path string
	id           string // operationId of the document
	summary      string
	description  string
	parameters   []*huma.Param // of the query and the headers; add describes those of the path
	body         schema        // of the JSON body; nil if the route takes none
	success      []answer
	refuses      []ecp.Code    // problems that the Manager may answer with, beside those that every route has
	timeout      time.Duration // of a request; 0 means requestTimeout
	unbounded    bool          // the route bounds its own time
	open         bool          // no token is needed
	keyless      bool          // takes no Idempotency-Key: its answer is a secret, or it changes nothing twice
	passthrough  bool          // body and answer belong to a broker

	*huma.Operation // made by add
}

// answer is one answer of a route that is a success.
type answer struct {
	status  int
	content map[string]schema // by media type; nil if the answer has no body
	headers []string
	text    string // empty means the usual text of the status
}

// answerOf is a JSON answer.
func answerOf[T any](status int, headers ...string) answer {
	return answer{status: status, content: map[string]schema{"application/json": schemaOf[T]}, headers: headers}
}

// saying returns the answer with a text of its own.
func (r answer) saying(text string) answer {
	r.text = text
	return r
}

// returns are the successes of a route that has one, with a JSON body.
func returns[T any](status int, headers ...string) []answer {
	return []answer{answerOf[T](status, headers...)}
}

// noContent are the successes of a route that answers without a body.
func noContent() []answer { return []answer{{status: http.StatusNoContent}} }

// handler serves a JSON route. Its error is a *problemView or the Manager's.
type handler func(ctx context.Context, r *http.Request, b body) (success, error)

// decoded is a handler that gets the body as a B.
func decoded[B any](h func(ctx context.Context, r *http.Request, b B) (success, error)) handler {
	return func(ctx context.Context, r *http.Request, raw body) (success, error) {
		b, err := decode[B](raw)
		if err != nil {
			return success{}, err
		}
		return h(ctx, r, b)
	}
}

// json adds a route that takes and returns JSON.
func (a *api) json(spec route, h handler) {
	rt := a.add(spec)
	a.mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
		b, p := rt.readBody(w, r)
		if p != nil {
			p.write(w)
			return
		}
		out, err := h(r.Context(), r, b)
		if err != nil {
			a.problem(r.Context(), err).write(w)
			return
		}
		out.write(w)
	})
}

// stream adds a route that takes no body and writes its answer itself: a stream, or
// bytes that are not JSON.
func (a *api) stream(spec route, serve http.HandlerFunc) {
	rt := a.add(spec)
	a.mux.HandleFunc(rt.Method+" "+rt.Path, serve)
}

// add puts a route into the document and the table of routes.
func (a *api) add(rt route) *route {
	op := &huma.Operation{
		Method: rt.method, Path: rt.path, OperationID: rt.id, Summary: rt.summary, Description: rt.description,
		Tags: []string{group(rt.path)}, Parameters: slices.Clone(rt.parameters), Responses: map[string]*huma.Response{},
	}
	rt.Operation = op
	if !rt.open {
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	}
	if rt.timeout == 0 {
		rt.timeout = requestTimeout
	}
	if rt.body != nil {
		op.RequestBody = &huma.RequestBody{Required: true,
			Content: a.content(map[string]schema{"application/json": rt.body})}
	}
	for _, r := range rt.success {
		op.Responses[strconv.Itoa(r.status)] = a.describeAnswer(r)
	}
	rt.describePath()
	rt.describeConditions()
	a.openapi.AddOperation(op)
	a.routes[op.Method+" "+op.Path] = &rt
	return &rt
}

func (a *api) describeAnswer(r answer) *huma.Response {
	out := &huma.Response{Description: r.text, Content: a.content(r.content), Headers: map[string]*huma.Param{}}
	if r.text == "" {
		out.Description = http.StatusText(r.status)
	}
	for _, name := range r.headers {
		out.Headers[name] = &huma.Param{Description: headerTexts[name], Schema: schemaOf[string](a.schemas())}
	}
	return out
}

// headerTexts describe the headers of answers.
var headerTexts = map[string]string{
	"ETag":               "the revision, for If-Match",
	"Location":           "path of what was made",
	"Operation-Location": "path of the operation that was begun",
	"Set-Cookie":         "the session, or that it is over",
}

var pathName = regexp.MustCompile(`\{([a-z]+)\}`)

// pathNames lists the parameters of a path.
func pathNames(path string) []string {
	var out []string
	for _, m := range pathName.FindAllStringSubmatch(path, -1) {
		out = append(out, m[1])
	}
	return out
}

// describePath describes the parameters of the path that are not described yet.
func (rt *route) describePath() {
	for _, name := range pathNames(rt.Path) {
		if rt.parameter("path", name) == nil {
			example := pathExamples[group(rt.Path)+"/"+name]
			rt.Parameters = append(rt.Parameters, pathParameter(name, pathTexts[name], example))
		}
	}
}

func pathParameter(name, text string, examples ...any) *huma.Param {
	return &huma.Param{In: "path", Name: name, Required: true, Description: text, Schema: exampleText(examples...)}
}

// parameter returns a parameter of the route, or nil.
func (rt *route) parameter(in, name string) *huma.Param {
	for _, p := range rt.Parameters {
		if p.In == in && p.Name == name {
			return p
		}
	}
	return nil
}

// success is what a JSON route answers when nothing is wrong. Empty headers are
// left out, and so is a nil body.
type success struct {
	status                            int
	etag, location, operationLocation string
	body                              any
	cookies                           []*http.Cookie
}

func (s success) write(w http.ResponseWriter) {
	headers := map[string]string{"ETag": s.etag, "Location": s.location, "Operation-Location": s.operationLocation}
	for name, v := range headers {
		if v != "" {
			w.Header().Set(name, v)
		}
	}
	for _, c := range s.cookies {
		http.SetCookie(w, c)
	}
	if s.body == nil {
		w.WriteHeader(s.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status)
	_ = json.NewEncoder(w).Encode(s.body) //nolint:errchkjson // our own views: if this fails, the client has gone
}

// problem is what a client learns of an error.
func (a *api) problem(ctx context.Context, err error) *problemView {
	var p *problemView
	if errors.As(err, &p) {
		return p
	}
	return a.failed(ctx, err)
}
