package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// resource is one kind of thing that is administered: how its routes are
// called, and what of the Manager stands behind them. A nil function has no
// route.
type resource[V any] struct {
	path      string // of the list, e.g. /api/v1/orgs
	at        string // what leads from there to one, e.g. /{name}
	one, many string // e.g. Org, Orgs: ends of operation ids
	word      string // e.g. organisation
	words     string // e.g. organisations

	key      func(V) string // below the list; parts are separated by /
	revision func(V) int64  // nil = it has none, and so no ETag
	called   func(V) string // what people call it beside the key; nil = nothing

	list   func(context.Context) ([]V, error)
	get    func(ctx context.Context, key string) (V, error)
	create func(context.Context, []byte) (V, error)
	change func(ctx context.Context, key string, body []byte) (V, error)
	remove func(ctx context.Context, key string) error

	made, changed func(huma.Registry) *huma.Schema // bodies of create and change
	refuses       []ecp.Code                       // of changes
}

// mergePatch says how the body of a PATCH is read (RFC 7396).
const mergePatch = "The body is a JSON merge patch: what is left out stays, null takes a value back. It may be sent as " + mergePatchType + ", too."

// administer adds the routes of a resource.
func administer[V any](a *api, r resource[V]) {
	shape := schemaOf[V](a.schemas())
	one := r.path + r.at
	if r.list != nil {
		op := a.operation(http.MethodGet, r.path, "list"+r.many, "List "+r.words)
		op.Parameters = listParameters()
		a.serve(op, http.StatusOK, schemaOf[page[V]](a.schemas()), r.serveList)
	}
	if r.get != nil {
		op := a.operation(http.MethodGet, one, "get"+r.one, "Get "+article(r.word))
		a.serve(op, http.StatusOK, shape, func(ctx context.Context, q *http.Request, _ []byte) (success, error) {
			v, err := r.get(ctx, r.keyOf(q))
			return r.answer(v, http.StatusOK), err
		}, r.tags()...)
	}
	if r.create != nil {
		op := a.operation(http.MethodPost, r.path, "create"+r.one, "Make "+article(r.word), r.refuses...)
		a.serve(op, http.StatusCreated, shape, func(ctx context.Context, _ *http.Request, body []byte) (success, error) {
			v, err := r.create(ctx, body)
			if err != nil {
				return success{}, err
			}
			out := r.answer(v, http.StatusCreated)
			out.location = r.path + "/" + escapePath(r.key(v))
			return out, nil
		}, append(r.tags(), "Location")...)
		a.takes(op, r.made(a.schemas()))
	}
	if r.change != nil {
		op := a.operation(http.MethodPatch, one, "update"+r.one, "Change "+article(r.word), r.refuses...)
		op.Description = mergePatch
		op.Metadata[keyless] = true // it is decided on a revision
		r.match(&op)
		a.serve(op, http.StatusOK, shape, func(ctx context.Context, q *http.Request, body []byte) (success, error) {
			v, err := r.change(ctx, r.keyOf(q), body)
			return r.answer(v, http.StatusOK), err
		}, r.tags()...)
		a.takes(op, r.changed(a.schemas()))
	}
	if r.remove != nil {
		op := a.operation(http.MethodDelete, one, "delete"+r.one, "Remove "+article(r.word), append(slices.Clone(r.refuses), ecp.CodeConflict)...)
		r.match(&op)
		a.serve(op, http.StatusNoContent, nil, func(ctx context.Context, q *http.Request, _ []byte) (success, error) {
			return success{status: http.StatusNoContent}, r.remove(ctx, r.keyOf(q))
		})
	}
}

// match lets a change hang on the revision it was decided on.
func (r resource[V]) match(op *huma.Operation) {
	if r.revision != nil {
		mindsMatch(op)
	}
}

func (r resource[V]) tags() []string {
	if r.revision == nil {
		return nil
	}
	return []string{"ETag"}
}

func (r resource[V]) answer(v V, status int) success {
	out := success{status: status, body: v}
	if r.revision != nil {
		out.etag = etag(r.revision(v))
	}
	return out
}

// keyOf joins the parts of a path that name one thing.
func (r resource[V]) keyOf(q *http.Request) string {
	var parts []string
	for _, name := range pathNames(r.at) {
		parts = append(parts, q.PathValue(name))
	}
	return strings.Join(parts, "/")
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

func escapePath(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func article(word string) string {
	if strings.ContainsRune("aeioAEIO", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// serveList answers with a part of a list that is short enough to be read
// whole: in the order of the keys, those behind the cursor's.
func (r resource[V]) serveList(ctx context.Context, q *http.Request, _ []byte) (success, error) {
	limit, after, p := listing(q, r.many+":")
	if p != nil {
		return success{}, p
	}
	all, err := r.list(ctx)
	if err != nil {
		return success{}, err
	}
	text := strings.ToLower(q.URL.Query().Get("q"))
	all = slices.DeleteFunc(all, func(v V) bool { return !r.matches(v, text) })
	return success{status: http.StatusOK, body: pageOf(all, r.key, r.many+":", after, limit)}, nil
}

// pageOf gives the page of a whole list that is behind a cursor of a kind, in
// the order of the keys. It takes the list over.
func pageOf[V any](all []V, key func(V) string, kind, after string, limit int) page[V] {
	all = slices.DeleteFunc(all, func(v V) bool { return after != "" && key(v) <= after })
	slices.SortFunc(all, func(a, b V) int { return cmp.Compare(key(a), key(b)) })
	out := page[V]{Items: list(all)}
	if len(all) > limit {
		out.Items = all[:limit]
		out.Next = makeCursor(kind, key(all[limit-1]))
	}
	return out
}

// matches says whether a text in lower case is part of a thing's key or name.
func (r resource[V]) matches(v V, text string) bool {
	return strings.Contains(strings.ToLower(r.key(v)), text) || r.called != nil && strings.Contains(strings.ToLower(r.called(v)), text)
}

const (
	usualPage   = 50
	longestPage = ecp.ListLimit
)

// listParameters describe which part of a list is wanted.
func listParameters() []*huma.Param {
	return []*huma.Param{
		{In: "query", Name: "limit", Description: "items of a page", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: number(1), Maximum: number(longestPage), Default: usualPage}},
		{In: "query", Name: "cursor", Description: "next of the page before; pages of one list are asked for with the same filters", Schema: &huma.Schema{Type: huma.TypeString}},
		{In: "query", Name: "q", Description: "part of the id or name, in any case", Schema: &huma.Schema{Type: huma.TypeString}},
	}
}

// listing reads which part of a list is wanted.
func listing(q *http.Request, kind string) (limit int, after string, p *problemView) {
	query := q.URL.Query()
	after, wrong := openCursor(query.Get("cursor"), kind)
	limit = usualPage
	if text := query.Get("limit"); query.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > longestPage {
			wrong = append(wrong, fieldView{"/query/limit", "is not a whole number from 1 to " + strconv.Itoa(longestPage)})
		}
		limit = n
	}
	if len(wrong) > 0 {
		return 0, "", badParameter(wrong...)
	}
	return limit, after, nil
}

func badParameter(wrong ...fieldView) *problemView {
	return newProblem(ecp.CodeInvalid, "a parameter is not valid", wrong...)
}

// success is what a route answers when nothing is wrong. Empty headers are
// left out; a nil body is none.
type success struct {
	status                            int
	etag, location, operationLocation string
	body                              any
}

// handler is what serves a route: the request's body was read, and its form is
// the handler's to check. Its error is a *problemView, or the Manager's.
type handler func(ctx context.Context, r *http.Request, body []byte) (success, error)

// serve adds a route with one kind of success, with the headers named; shape
// nil = it has no body.
func (a *api) serve(op huma.Operation, status int, shape *huma.Schema, h handler, headers ...string) {
	r := &huma.Response{Description: http.StatusText(status), Headers: map[string]*huma.Param{}}
	if shape != nil {
		r.Content = jsonContent([]*huma.Schema{shape})
	}
	op.Responses[strconv.Itoa(status)] = a.heads(r, headers...)
	a.handle(op, h)
}

// handle adds a route whose successes are described already.
func (a *api) handle(op huma.Operation, h handler) {
	describePath(&op)
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // it is in memory
		if err != nil {
			malformed("the body could not be read to its end").write(w)
			return
		}
		out, err := h(r.Context(), r, body)
		if err != nil {
			a.problem(r.Context(), err).write(w)
			return
		}
		out.write(w)
	})
}

// describePath describes the parameters of a route's path.
func describePath(op *huma.Operation) {
	for _, name := range pathNames(op.Path) {
		op.Parameters = append(op.Parameters, &huma.Param{
			In: "path", Name: name, Required: true, Description: pathWords[name], Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{pathSamples[group(op.Path)+"/"+name]}},
		})
	}
}

// problem is what a client is told of an error.
func (a *api) problem(ctx context.Context, err error) *problemView {
	var p *problemView
	if errors.As(err, &p) {
		return p
	}
	return a.failed(ctx, err)
}

func (s success) write(w http.ResponseWriter) {
	for name, v := range map[string]string{"ETag": s.etag, "Location": s.location, "Operation-Location": s.operationLocation} {
		if v != "" {
			w.Header().Set(name, v)
		}
	}
	if s.body == nil {
		w.WriteHeader(s.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status)
	_ = json.NewEncoder(w).Encode(s.body) //nolint:errchkjson // our own views: if this fails, the client has gone
}
