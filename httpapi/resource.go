package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// resource is one kind of thing that is administered: how its routes are called,
// and which calls of the Manager answer them. A nil function has no route.
type resource[V any] struct {
	path      string // of the list, e.g. /api/v1/orgs
	at        string // what leads from there to one thing, e.g. /{name}
	one, many string // ends of operation ids, e.g. Org and Orgs
	word      string // e.g. organisation
	words     string // e.g. organisations

	key      func(V) string // of a thing in the list; its parts are separated by /
	revision func(V) int64  // nil means that it has none, and so no ETag
	label    func(V) string // what people call it beside the key; nil means nothing

	list   func(context.Context) ([]V, error)
	get    func(ctx context.Context, key string) (V, error)
	create func(ctx context.Context, b body) (V, error)
	change func(ctx context.Context, key string, patch body) (V, error)
	remove func(ctx context.Context, key string) error

	form, patch schema     // of the bodies of create and change
	refuses     []ecp.Code // problems of changes
}

// mergePatchText says how the body of a PATCH is read (RFC 7396).
const mergePatchText = "The body is a JSON merge patch: what is left out stays, null takes a value back. It may be " +
	"sent as " + mergePatchType + ", too."

// addResource adds the routes of a resource.
func addResource[V any](a *api, res resource[V]) {
	if res.list != nil {
		a.json(route{
			method: http.MethodGet, path: res.path, id: "list" + res.many, summary: "List " + res.words,
			parameters: listParameters(), success: returns[page[V]](http.StatusOK),
		}, res.serveList)
	}
	if res.get != nil {
		a.json(route{
			method: http.MethodGet, path: res.path + res.at, id: "get" + res.one, summary: "Get " + article(res.word),
			success: returns[V](http.StatusOK, res.headers()...),
		}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
			v, err := res.get(ctx, res.keyOf(r))
			return res.answer(v, http.StatusOK), err
		})
	}
	if res.create != nil {
		a.json(route{
			method: http.MethodPost, path: res.path, id: "create" + res.one, summary: "Make " + article(res.word),
			body: res.form, refuses: res.refuses,
			success: returns[V](http.StatusCreated, append(res.headers(), "Location")...),
		}, func(ctx context.Context, _ *http.Request, b body) (success, error) {
			v, err := res.create(ctx, b)
			if err != nil {
				return success{}, err
			}
			out := res.answer(v, http.StatusCreated)
			out.location = res.path + "/" + escapePath(res.key(v))
			return out, nil
		})
	}
	addChanges(a, res)
}

// addChanges adds the routes that change or remove one thing.
func addChanges[V any](a *api, res resource[V]) {
	if res.change != nil {
		a.json(route{
			method: http.MethodPatch, path: res.path + res.at, id: "update" + res.one,
			summary:     "Change " + article(res.word),
			description: mergePatchText, parameters: res.conditions(), body: res.patch, refuses: res.refuses,
			keyless: true, // a patch that is sent twice changes nothing more
			success: returns[V](http.StatusOK, res.headers()...),
		}, func(ctx context.Context, r *http.Request, b body) (success, error) {
			v, err := res.change(ctx, res.keyOf(r), b)
			return res.answer(v, http.StatusOK), err
		})
	}
	if res.remove != nil {
		a.json(route{
			method: http.MethodDelete, path: res.path + res.at, id: "delete" + res.one,
			summary:    "Remove " + article(res.word),
			parameters: res.conditions(), refuses: append(slices.Clone(res.refuses), ecp.CodeConflict),
			success: noContent(),
		}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
			return success{status: http.StatusNoContent}, res.remove(ctx, res.keyOf(r))
		})
	}
}

// conditions let a change depend on the revision that it was decided on.
func (res resource[V]) conditions() []*huma.Param {
	if res.revision == nil {
		return nil
	}
	return []*huma.Param{ifMatchParameter()}
}

func (res resource[V]) headers() []string {
	if res.revision == nil {
		return nil
	}
	return []string{"ETag"}
}

func (res resource[V]) answer(v V, status int) success {
	out := success{status: status, body: v}
	if res.revision != nil {
		out.etag = etag(res.revision(v))
	}
	return out
}

// keyOf joins the parts of a path that name one thing.
func (res resource[V]) keyOf(r *http.Request) string {
	var parts []string
	for _, name := range pathNames(res.at) {
		parts = append(parts, r.PathValue(name))
	}
	return strings.Join(parts, "/")
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

// serveList answers with a page of a list that is short enough to be read whole.
func (res resource[V]) serveList(ctx context.Context, r *http.Request, _ body) (success, error) {
	limit, after, wrong := listing(r, res.many+":")
	if len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	all, err := res.list(ctx)
	if err != nil {
		return success{}, err
	}
	text := strings.ToLower(r.URL.Query().Get("q"))
	all = slices.DeleteFunc(all, func(v V) bool { return !res.matches(v, text) })
	return success{status: http.StatusOK, body: pageOf(all, res.key, res.many+":", after, limit)}, nil
}

// matches reports whether a text in lower case is part of a thing's key or label.
func (res resource[V]) matches(v V, text string) bool {
	return strings.Contains(strings.ToLower(res.key(v)), text) ||
		res.label != nil && strings.Contains(strings.ToLower(res.label(v)), text)
}
