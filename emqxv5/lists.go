package emqxv5

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// page is one page of a list.
type page[T any] struct {
	items []T
	more  bool
}

// pages walks through a list, up to so many entries; whole says that nothing
// was left out.
func pages[T any](ctx context.Context, b *broker, path string, query url.Values, most int, decode func([]byte) (page[T], error)) (all []T, whole bool, err error) {
	return emqxhttp.Pages(ctx, most, func(ctx context.Context, number int) ([]T, bool, error) {
		q := url.Values{"page": {strconv.Itoa(number)}, "limit": {strconv.Itoa(emqxhttp.PageSize)}}
		maps.Copy(q, query)
		p, err := ask(ctx, b, emqxhttp.Request{Path: path, Query: q}, decode)
		return p.items, p.more, err
	})
}
