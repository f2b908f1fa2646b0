package httpapi

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// page is a part of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next" doc:"cursor of the next page; empty on the last"`
}

// list makes sure that an empty list is written as [] and not as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// convert returns the views of a list; an empty list is [].
func convert[T, V any](all []T, view func(T) V) []V {
	out := make([]V, len(all))
	for i, v := range all {
		out[i] = view(v)
	}
	return out
}

// pageOf returns the page of a whole list that comes after a cursor, in the order of
// the keys. It takes the list over.
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

const (
	defaultLimit = 50
	maxLimit     = ecp.MaxListLimit
)

const (
	limitText  = "items of a page"
	cursorText = "next of the page before; pages of one list are asked for with the same filters"
)

// listParameters describe which part of a list is wanted.
func listParameters() []*huma.Param {
	limit := &huma.Schema{Type: huma.TypeInteger, Minimum: number(1), Maximum: number(maxLimit), Default: defaultLimit}
	return []*huma.Param{
		query("limit", limitText, limit),
		query("cursor", cursorText, text()),
		query("q", "part of the id or name, in any case", text()),
	}
}

// listing reads which part of a list is wanted.
func listing(r *http.Request, kind string) (limit int, after string, wrong []fieldView) {
	query := r.URL.Query()
	after, wrong = openCursor(query.Get("cursor"), kind)
	limit = defaultLimit
	if text := query.Get("limit"); query.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			wrong = append(wrong,
				fieldView{"/query/limit", "is not a whole number from 1 to " + strconv.Itoa(maxLimit)})
		}
		limit = n
	}
	return limit, after, wrong
}

// Cursors are opaque: the key of the last item seen, after the kind of list that it
// is of.
const (
	clusterCursor   = "c:"
	operationCursor = "o:"
	auditCursor     = "a:"
	historyCursor   = "past:"
)

func makeCursor(kind, key string) string {
	if key == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(kind + key))
}

func openCursor(cursor, kind string) (key string, wrong []fieldView) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	key, ok := strings.CutPrefix(string(b), kind)
	if err != nil || !ok || key == "" {
		return "", []fieldView{{"/query/cursor", "is not the next of a page of this list; begin without it"}}
	}
	return key, nil
}

// ofQuery makes an error about an option point to the parameter that it came in.
func ofQuery(err error) error {
	return withFields(err, func(field string) string { return "query." + field })
}

// within cuts a prefix that the body does not have off the fields of an error.
func within(prefix string, err error) error {
	return withFields(err, func(field string) string { return strings.TrimPrefix(field, prefix) })
}

// withFields returns a copy of an error of the Manager in which fields have other
// names.
func withFields(err error, rename func(string) string) error {
	var e *ecp.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, ecp.FieldError{Field: rename(f.Field), Message: f.Message})
	}
	return &out
}
