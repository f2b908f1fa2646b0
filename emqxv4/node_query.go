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

// nodeFigures are the figures of one node, or the reason why there are none.
type nodeFigures[T any] struct {
	node       string
	data       T
	err        string
	unanswered bool // the node did not answer at all
}

// nodeQuery is a query that exists for one node and for all.
type nodeQuery struct {
	path      string // of the call for all nodes
	rest      string // of the call for one node, after the node's name
	key       string // the field beside "node" in the answer for all
	maxAnswer int    // bytes of an answer; 0 means the client's limit
}

// maxFigures is how many bytes are read of the list of members, or of the figures of all
// nodes. One node has a few thousand.
const maxFigures = 4 << 20

// allNodes returns the call for all nodes.
func (q nodeQuery) allNodes() call {
	c := get(q.path, always)
	c.MaxAnswer = q.maxAnswer
	return c
}

// oneNode returns the call for one node.
func (q nodeQuery) oneNode(node string) call {
	c := get(ofNode(node, q.rest), always)
	c.MaxAnswer = q.maxAnswer
	return c
}

// queryNodes queries all nodes and returns the answers sorted by name. It makes one call,
// or one call for each node if a member that does not answer makes the first one fail or
// hang. If no node answers, it returns the error of the first call.
func queryNodes[T any](ctx context.Context, b *broker, q nodeQuery) ([]nodeFigures[T], error) {
	all, err := emqxhttp.Hedged(ctx, func(ctx context.Context) ([]nodeFigures[T], error) {
		return query(ctx, b, q.allNodes(), decodeFigures[T](q.key))
	}, func(ctx context.Context) ([]nodeFigures[T], error) { return queryEach[T](ctx, b, q, b.names()) })
	if err != nil && ecp.CodeOf(err) == ecp.CodeUnavailable && ctx.Err() == nil {
		if one, oneErr := queryListed[T](ctx, b, q); oneErr == nil {
			all, err = one, nil
		}
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y nodeFigures[T]) int { return strings.Compare(x.node, y.node) })
	return all, nil
}

// queryListed queries the members one by one.
func queryListed[T any](ctx context.Context, b *broker, q nodeQuery) ([]nodeFigures[T], error) {
	members, err := b.members(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name()
	}
	return queryEach[T](ctx, b, q, names)
}

// queryEach queries nodes by name. It fails if none answers.
func queryEach[T any](ctx context.Context, b *broker, q nodeQuery, names []string) ([]nodeFigures[T], error) {
	all := emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (nodeFigures[T], error) {
		return query(ctx, b, q.oneNode(name), decodeFigure[T])
	})
	out := make([]nodeFigures[T], len(all))
	for i, m := range all {
		if out[i] = m.Value; m.Err != nil {
			out[i] = nodeFigures[T]{err: emqxhttp.MessageOnly(m.Err),
				unanswered: errors.Is(m.Err, context.DeadlineExceeded)}
		}
		out[i].node = m.Name
	}
	if !slices.ContainsFunc(out, func(f nodeFigures[T]) bool { return f.err == "" }) {
		return nil, b.client.Fail(ecp.CodeUnavailable, "none of its members answers", nil)
	}
	return out, nil
}

// decodeFigures returns the decoder for a list of {"node":…, <key>:…}. A node that could
// not be asked has "error" instead of the key, or below it. If the key is missing, the
// figures are beside "node", as the dashboard reads them.
func decodeFigures[T any](key string) func(data []byte) ([]nodeFigures[T], error) {
	return func(data []byte) ([]nodeFigures[T], error) {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
		out := make([]nodeFigures[T], 0, len(list))
		for _, entry := range list {
			var parts map[string]json.RawMessage
			_ = json.Unmarshal(entry, &parts) // nil if it is not an object
			raw, ok := parts[key]
			if !ok {
				raw = entry
			}
			var name emqxhttp.Text
			_ = json.Unmarshal(parts["node"], &name) // fails only without input
			f, _ := decodeFigure[T](raw)
			if f.node = string(name); f.node != "" {
				out = append(out, f)
			}
		}
		return out, nil
	}
}

// decodeFigure reads the figures of one node. If that fails, the error is part of the
// result, so that it does not affect the figures of the others.
func decodeFigure[T any](data []byte) (f nodeFigures[T], _ error) {
	var said struct {
		Error emqxhttp.Message `json:"error"`
	}
	_ = json.Unmarshal(data, &said) // fails for a list, which has no error
	switch {
	case said.Error != "":
		f.err = string(said.Error)
	case len(data) == 0 || string(data) == "null":
		f.err = "the node sent nothing"
	case json.Unmarshal(data, &f.data) != nil:
		f.err = "what the node sent cannot be read"
	}
	return f, nil
}
