package emqxv4

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// figures are what one node says of itself, or why it says nothing.
type figures[T any] struct {
	node string
	data T
	err  string
}

// question is what every node can be asked of itself.
type question struct {
	path string // of the call for all nodes
	rest string // of the call for one node, behind its name
	key  string // beside "node" in the answer for all
}

// askNodes asks all nodes for something, by name: with one call, or, where a
// member that does not answer makes that fail, one by one. The error is that
// of the call if no node says anything.
func askNodes[T any](ctx context.Context, b *broker, q question) ([]figures[T], error) {
	all, err := ask(ctx, b, get(q.path, always), decodeFigures[T](q.key))
	if err != nil && ecp.CodeOf(err) == ecp.CodeUnavailable && ctx.Err() == nil {
		if one := askEach[T](ctx, b, q); slices.ContainsFunc(one, func(f figures[T]) bool { return f.err == "" }) {
			all, err = one, nil
		}
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y figures[T]) int { return strings.Compare(x.node, y.node) })
	return all, nil
}

// askEach asks the members one by one.
func askEach[T any](ctx context.Context, b *broker, q question) []figures[T] {
	members, err := b.members(ctx)
	if err != nil {
		return nil
	}
	out := make([]figures[T], len(members))
	abreast(len(members), func(i int) {
		node := members[i].name()
		one, err := ask(ctx, b, get(ofNode(node, q.rest), always), decodeFigure[T])
		if err != nil {
			one.err = ecp.MessageOf(err)
		}
		one.node = node
		out[i] = one
	})
	return out
}

// mostAbreast is how many requests of one call are under way at once.
const mostAbreast = 4

// abreast does n things, a few at a time, and waits for all of them.
func abreast(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, mostAbreast) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// decodeFigures gives what reads a list of {"node":…, <key>:…}. A node that could not be
// asked has "error" for the key, or below it. Where the key is missing the
// figures stand beside "node", as the dashboard reads them.
func decodeFigures[T any](key string) func(data []byte) ([]figures[T], error) {
	return func(data []byte) ([]figures[T], error) {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
		out := make([]figures[T], 0, len(list))
		for _, entry := range list {
			var parts map[string]json.RawMessage
			_ = json.Unmarshal(entry, &parts) // nil where it is no object
			raw, ok := parts[key]
			if !ok {
				raw = entry
			}
			var name plain
			_ = json.Unmarshal(parts["node"], &name) // never fails but for nothing
			f, _ := decodeFigure[T](raw)
			if f.node = string(name); f.node != "" {
				out = append(out, f)
			}
		}
		return out, nil
	}
}

// decodeFigure reads what one node says. That it makes no sense is said there:
// it costs the node's figures, not those of the others.
func decodeFigure[T any](data []byte) (f figures[T], _ error) {
	var said struct {
		Error emqxhttp.Words `json:"error"`
	}
	_ = json.Unmarshal(data, &said) // fails for a list, which has no error
	switch {
	case said.Error != "":
		f.err = string(said.Error)
	case len(data) == 0 || string(data) == "null":
		f.err = "it says nothing"
	case json.Unmarshal(data, &f.data) != nil:
		f.err = "what it says makes no sense"
	}
	return f, nil
}
