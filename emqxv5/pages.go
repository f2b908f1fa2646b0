package emqxv5

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// pages reads a list, up to most entries. whole reports whether it was read to its end.
func pages[T any](ctx context.Context, b *broker, path string, params url.Values, most int,
	decode func([]byte) (emqxhttp.Page[T], error)) (all []T, whole bool, err error) {
	return emqxhttp.Pages(ctx, most, func(ctx context.Context, number int) (emqxhttp.Page[T], error) {
		q := url.Values{"page": {strconv.Itoa(number)}, "limit": {strconv.Itoa(emqxhttp.PageSize)}}
		maps.Copy(q, params)
		return query(ctx, b, emqxhttp.Request{Path: path, Query: q}, decode)
	})
}
