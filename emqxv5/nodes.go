package emqxv5

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// node is a member in /nodes. One that is stopped has name, status and role
// only; a stopped replicant is not listed at all.
type node struct {
	Node        string          `json:"node"`
	Status      string          `json:"node_status"`
	Role        string          `json:"role"`
	Version     string          `json:"version"`
	Edition     string          `json:"edition"` // "Enterprise" or "Opensource"
	Uptime      emqxhttp.Count  `json:"uptime"`  // milliseconds
	Connections emqxhttp.Count  `json:"connections"`
	Live        *emqxhttp.Count `json:"live_connections"`
	MemoryUsed  emqxhttp.Bytes  `json:"memory_used"`
	MemoryTotal emqxhttp.Bytes  `json:"memory_total"`
	Error       string          `json:"error"`
	Reason      string          `json:"reason"`
}

// decodeNodes reads /nodes, a bare array. "connections" counts sessions, those
// of clients that are away too; "cluster_sessions" is the same on every node.
func decodeNodes(body []byte) (ecp.Description, error) {
	var nodes []node
	if err := json.Unmarshal(body, &nodes); err != nil {
		return ecp.Description{}, err
	}
	if len(nodes) == 0 {
		return ecp.Description{}, errors.New("it names no member, not even the node that answers")
	}
	d := ecp.Description{Nodes: make([]ecp.BrokerNode, 0, len(nodes))}
	for _, n := range nodes {
		if n.Node == "" {
			return ecp.Description{}, errors.New("a member has no name")
		}
		m := ecp.BrokerNode{
			Name: n.Node, Role: n.Role, Version: n.Version, Uptime: n.Uptime.Millis(),
			Connections: n.Connections.Int(), Sessions: n.Connections.Int(),
			MemoryUsed: int64(n.MemoryUsed), MemoryTotal: int64(n.MemoryTotal),
		}
		m.Status, m.Error = emqxhttp.Status(n.Status, n.Error+n.Reason)
		if n.Live != nil {
			m.Connections = n.Live.Int()
		}
		if n.Edition != "" {
			d.Edition = edition(n.Edition)
		}
		d.Nodes = append(d.Nodes, m)
	}
	return d, nil
}

// members asks for the members. A member that hangs lets that take half a
// minute, and one it cannot make sense of could let it fail: each is then asked
// for by itself, and those that do not answer are not known to run.
func (b *broker) members(ctx context.Context) (ecp.Description, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (ecp.Description, error) {
		return ask(ctx, b, emqxhttp.Request{Path: nodesPath, Most: mostOfAll}, decodeNodes)
	}, b.eachMember)
}

// mostOfOne is how many bytes are read of what one member, or the cluster as one,
// says of itself, which comes to a few thousand.
const mostOfOne = 1 << 18

// mostOfAll is that of what all members say of themselves: several such answers
// are read at once.
const mostOfAll = 4 << 20

// mostMembers is how many members are asked for one by one.
const mostMembers = 100

// eachMember asks for the members by name.
func (b *broker) eachMember(ctx context.Context) (ecp.Description, error) {
	all, err := each(ctx, b, nodePath, decodeNode)
	if err != nil {
		return ecp.Description{}, err
	}
	var d ecp.Description
	for _, m := range all {
		if m.Err == nil {
			d.Nodes, d.Edition = append(d.Nodes, m.Says.Nodes...), cmp.Or(d.Edition, m.Says.Edition)
		} else {
			d.Nodes = append(d.Nodes, ecp.BrokerNode{Name: m.Name, Status: ecp.NodeUnknown, Error: noAnswer})
		}
	}
	return d, nil
}

// noAnswer is why nothing is told of a member.
const noAnswer = "the node that was asked gets no answer from it"

// each asks all members that run the same, at once and by name. It fails where
// none answers.
func each[T any](ctx context.Context, b *broker, path func(node string) string, decode func([]byte) (T, error)) ([]emqxhttp.OfMember[T], error) {
	names, err := ask(ctx, b, emqxhttp.Request{Path: clusterPath, Most: mostOfOne}, decodeNames)
	if err != nil {
		return nil, err
	}
	all := emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (T, error) {
		return ask(ctx, b, emqxhttp.Request{Path: path(name), Most: mostOfOne}, decode)
	})
	if !slices.ContainsFunc(all, func(m emqxhttp.OfMember[T]) bool { return m.Err == nil }) {
		return nil, b.client.Fail(ecp.CodeUnavailable, "none of its members answers", nil)
	}
	return all, nil
}

// missing names the members that run and do not answer.
func (b *broker) missing(ctx context.Context) []string {
	all, err := each(ctx, b, nodePath, decodeNode)
	if err != nil {
		return nil
	}
	return emqxhttp.Missing(all)
}

// ofAll asks what EMQX 5 tells of all members at once only: while one hangs
// nobody tells it, and the error names that member.
func ofAll[T any](ctx context.Context, b *broker, question func(context.Context) (T, error)) (T, error) {
	return emqxhttp.Watched(ctx, b.client, b.missing, question)
}

// decodeNames reads the names of the members that run from /cluster.
func decodeNames(body []byte) ([]string, error) {
	var c struct {
		Nodes []string `json:"nodes"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, err
	}
	if len(c.Nodes) == 0 || len(c.Nodes) > mostMembers || slices.Contains(c.Nodes, "") {
		return nil, errNotIt
	}
	return c.Nodes, nil
}

// decodeNode reads one member.
func decodeNode(body []byte) (ecp.Description, error) {
	return decodeNodes(slices.Concat([]byte("["), body, []byte("]")))
}

func edition(word string) string {
	for _, e := range []string{ecp.EditionEnterprise, ecp.EditionOpenSource} {
		if strings.EqualFold(word, e) {
			return e
		}
	}
	return ""
}

// decodeSelf reads the name of the node that answers from /cluster.
func decodeSelf(body []byte) (string, error) {
	var c struct {
		Self string `json:"self"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return "", err
	}
	return c.Self, nil
}
