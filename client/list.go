package client

import (
	"context"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

// pageSize is how many items are asked for at once, which is the most that the API has in
// a page.
const pageSize = 500

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // cursor of the next page; empty on the last
}

// Pages yields the pages of a list one after the other. A page is asked for when the one
// before it has been taken. The query's limit is the size of a page; left out, it is 500
// where the list has pages.
func Pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		q := maps.Clone(query)
		if q == nil {
			q = url.Values{}
		}
		for {
			var p Page[T]
			_, err := c.Do(ctx, Request{Path: path, Query: q}, &p)
			if !yield(p, err) || err != nil || p.Next == "" {
				return
			}
			q.Set("cursor", p.Next)
		}
	}
}

// List yields the items of a list, page by page: no more than a page is held. At most so
// many are asked for; 0 means all.
func List[T any](ctx context.Context, c *Client, path string, query url.Values, most int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := maps.Clone(query)
		if q == nil {
			q = url.Values{}
		}
		if size := pageSize; !q.Has("limit") {
			if most > 0 {
				size = min(size, most)
			}
			q.Set("limit", strconv.Itoa(size))
		}
		seen := 0
		for p, err := range Pages[T](ctx, c, path, q) {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
				if seen++; seen == most {
					return
				}
			}
		}
	}
}
