package emqxv4

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// figures are what one node says of itself, or why it says nothing.
type figures[T any] struct {
	node   string
	data   T
	err    string
	silent bool // it gave no answer at all
}

// question is what every node can be asked of itself.
type question struct {
	path string // of the call for all nodes
	rest string // of the call for one node, behind its name
	key  string // beside "node" in the answer for all
	most int    // bytes that an answer may have; 0 = as many as any
}

// mostFigures is how many bytes are read of figures of all nodes, of which one
// has some thousand, and of the members' list.
const mostFigures = 4 << 20

// ofAll is the call for all nodes.
func (q question) ofAll() call {
	c := get(q.path, always)
	c.Most = q.most
	return c
}

// ofOne is the call for one node.
func (q question) ofOne(node string) call {
	c := get(ofNode(node, q.rest), always)
	c.Most = q.most
	return c
}

// askNodes asks all nodes for something, by name: with one call, or, where a
// member that does not answer makes that fail or last, one by one. The error is
// that of the call if no node says anything.
func askNodes[T any](ctx context.Context, b *broker, q question) ([]figures[T], error) {
	all, err := emqxhttp.Hedged(ctx, func(ctx context.Context) ([]figures[T], error) {
		return ask(ctx, b, q.ofAll(), decodeFigures[T](q.key))
	}, func(ctx context.Context) ([]figures[T], error) { return askEach[T](ctx, b, q, b.names()) })
	if err != nil && ecp.CodeOf(err) == ecp.CodeUnavailable && ctx.Err() == nil {
		if one, oneErr := askListed[T](ctx, b, q); oneErr == nil {
			all, err = one, nil
		}
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y figures[T]) int { return strings.Compare(x.node, y.node) })
	return all, nil
}

// askListed asks the members one by one.
func askListed[T any](ctx context.Context, b *broker, q question) ([]figures[T], error) {
	members, err := b.members(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name()
	}
	return askEach[T](ctx, b, q, names)
}

// askEach asks nodes by name. The error says that none answers.
func askEach[T any](ctx context.Context, b *broker, q question, names []string) ([]figures[T], error) {
	all := emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (figures[T], error) {
		return ask(ctx, b, q.ofOne(name), decodeFigure[T])
	})
	out := make([]figures[T], len(all))
	for i, m := range all {
		if out[i] = m.Says; m.Err != nil {
			out[i] = figures[T]{err: emqxhttp.MessageOnly(m.Err), silent: errors.Is(m.Err, context.DeadlineExceeded)}
		}
		out[i].node = m.Name
	}
	if !slices.ContainsFunc(out, func(f figures[T]) bool { return f.err == "" }) {
		return nil, b.client.Fail(ecp.CodeUnavailable, "none of its members answers", nil)
	}
	return out, nil
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
