package emqxhttp

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodePage(t *testing.T) {
	for _, c := range []struct {
		body  string
		items []int
		more  bool
		ok    bool
	}{
		{`{"data":[1,2],"meta":{"hasnext":true,"count":-1}}`, []int{1, 2}, true, true},
		{`{"code":0,"data":[]}`, []int{}, false, true},
		{`[3]`, []int{3}, false, true},
		{`[]`, []int{}, false, true},
		{`{}`, nil, false, false},
		{`null`, nil, false, false},
		{`{"data":null}`, nil, false, false},
		{`{"data":["a"]}`, nil, false, false},
		{``, nil, false, false},
	} {
		items, more, err := DecodePage[int]([]byte(c.body))
		require.Equal(t, c.ok, err == nil, c.body)
		require.Equal(t, c.more, more, c.body)
		require.Equal(t, c.items, items, c.body)
	}
}

// TestPages: pages are asked for while they follow, and no more often than the
// bound allows, whatever the broker says.
func TestPages(t *testing.T) {
	page := func(n int) []int { return make([]int, n) }
	for _, c := range []struct {
		name  string
		pages [][]int // the last is answered for ever
		last  int     // page that says none follows; 0 = none does
		got   int
		asked int
		whole bool
	}{
		{"one page", [][]int{page(3)}, 1, 3, 1, true},
		{"three pages", [][]int{page(1000), page(1000), page(7)}, 3, 2007, 3, true},
		{"an empty page that says more follow", [][]int{page(5), page(0)}, 0, 5, 2, true},
		{"no end", [][]int{page(10)}, 0, 30, 3, false},
		{"no end, fat pages", [][]int{page(2500)}, 0, 3000, 2, false},
	} {
		asked := 0
		all, whole, err := Pages(t.Context(), 3000, func(_ context.Context, n int) (Page[int], error) {
			asked++
			require.Equal(t, asked, n)
			return Page[int]{c.pages[min(n, len(c.pages))-1], n != c.last}, nil
		})
		require.NoError(t, err, c.name)
		require.Len(t, all, c.got, c.name)
		require.Equal(t, c.asked, asked, c.name)
		require.Equal(t, c.whole, whole, c.name)
	}
	failed := errors.New("no")
	_, _, err := Pages(t.Context(), 3000, func(context.Context, int) (Page[int], error) { return Page[int]{}, failed })
	require.ErrorIs(t, err, failed)
}
