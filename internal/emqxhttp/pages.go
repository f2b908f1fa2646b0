package emqxhttp

import (
	"context"
	"encoding/json"
	"errors"
)

// PageSize is how many entries a page of a list should have.
const PageSize = 1000

// Page is a page of a list.
type Page[T any] struct {
	Items []T
	More  bool // more pages follow
}

var errNoList = errors.New("there is no list in it")

// DecodePage reads a page of a list and reports whether more pages follow. Both majors
// write {"data":[…],"meta":{…,"hasnext":true}}. The count in it is not always there and not
// used. A bare array is the whole list.
func DecodePage[T any](body []byte) (items []T, more bool, err error) {
	var whole []T
	if json.Unmarshal(body, &whole) == nil && whole != nil {
		return whole, false, nil
	}
	var page struct {
		Data *[]T `json:"data"`
		Meta struct {
			HasNext bool `json:"hasnext"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, false, err
	}
	if page.Data == nil {
		return nil, false, errNoList
	}
	return *page.Data, page.Meta.HasNext, nil
}

// Pages reads the pages of a list from 1 on, until none follows, one is empty, or there are
// most entries. whole reports whether the list was read to its end.
func Pages[T any](ctx context.Context, most int,
	page func(ctx context.Context, number int) (Page[T], error)) (all []T, whole bool, err error) {
	for number := 1; number <= (most+PageSize-1)/PageSize; number++ {
		p, err := page(ctx, number)
		if err != nil {
			return nil, false, err
		}
		all = append(all, p.Items...)
		switch {
		case len(all) > most:
			return all[:most], false, nil
		case !p.More || len(p.Items) == 0:
			return all, true, nil
		}
	}
	return all, false, nil
}
