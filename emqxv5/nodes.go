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

// node is a member in /nodes. A stopped core has only name, status and role; a stopped
// replicant is not listed.
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

// decodeNodes reads /nodes, a bare array. "connections" counts sessions, including those of
// clients that are away. "cluster_sessions" is the same on every node.
func decodeNodes(body []byte) (ecp.Description, error) {
	var nodes []node
	if err := json.Unmarshal(body, &nodes); err != nil {
		return ecp.Description{}, err
	}
	if len(nodes) == 0 {
		return ecp.Description{}, errors.New("it lists no member, not even the node that answers")
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

// members queries the members. A member that hangs delays the list by half a minute, and a
// strange one could make it fail. Then each member is queried by itself, and the status of
// those that do not answer is unknown.
func (b *broker) members(ctx context.Context) (ecp.Description, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (ecp.Description, error) {
		return query(ctx, b, emqxhttp.Request{Path: nodesPath, MaxAnswer: maxAllNodes}, decodeNodes)
	}, b.eachMember)
}

// maxOneNode is how many bytes are read of an answer about one member or about the cluster
// as a whole. Usually there are a few thousand.
const maxOneNode = 1 << 18

// maxAllNodes is how many bytes are read of an answer about all members. Several such
// answers are read at once.
const maxAllNodes = 4 << 20

// maxMembers is how many members are queried one by one.
const maxMembers = 100

// eachMember queries the members by name.
func (b *broker) eachMember(ctx context.Context) (ecp.Description, error) {
	all, err := queryEach(ctx, b, nodePath, decodeNode)
	if err != nil {
		return ecp.Description{}, err
	}
	var d ecp.Description
	for _, m := range all {
		if m.Err == nil {
			d.Nodes, d.Edition = append(d.Nodes, m.Value.Nodes...), cmp.Or(d.Edition, m.Value.Edition)
		} else {
			d.Nodes = append(d.Nodes, ecp.BrokerNode{Name: m.Name, Status: ecp.NodeUnknown, Error: noAnswer})
		}
	}
	return d, nil
}

// noAnswer is the error of a member without an answer.
const noAnswer = "the node that was asked gets no answer from it"

// queryEach makes the same query to all running members by name. It fails if none answers.
func queryEach[T any](ctx context.Context, b *broker, path func(node string) string,
	decode func([]byte) (T, error)) ([]emqxhttp.MemberAnswer[T], error) {
	names, err := query(ctx, b, emqxhttp.Request{Path: clusterPath, MaxAnswer: maxOneNode}, decodeNames)
	if err != nil {
		return nil, err
	}
	all := emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (T, error) {
		return query(ctx, b, emqxhttp.Request{Path: path(name), MaxAnswer: maxOneNode}, decode)
	})
	if !slices.ContainsFunc(all, func(m emqxhttp.MemberAnswer[T]) bool { return m.Err == nil }) {
		return nil, b.client.Fail(ecp.CodeUnavailable, "none of its members answers", nil)
	}
	return all, nil
}

// unanswered returns the names of the running members that do not answer.
func (b *broker) unanswered(ctx context.Context) []string {
	all, err := queryEach(ctx, b, nodePath, decodeNode)
	if err != nil {
		return nil
	}
	return emqxhttp.Unanswered(all)
}

// ofAllMembers makes a query about all members that no single member can answer. If a
// member hangs, the error names it.
func ofAllMembers[T any](ctx context.Context, b *broker, question func(context.Context) (T, error)) (T, error) {
	return emqxhttp.GiveUpOnHanging(ctx, b.client, b.unanswered, question)
}

// decodeNames reads the names of the running members from /cluster.
func decodeNames(body []byte) ([]string, error) {
	var c struct {
		Nodes []string `json:"nodes"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, err
	}
	if len(c.Nodes) == 0 || len(c.Nodes) > maxMembers || slices.Contains(c.Nodes, "") {
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

// decodeSelf reads the name of the answering node from /cluster.
func decodeSelf(body []byte) (string, error) {
	var c struct {
		Self string `json:"self"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return "", err
	}
	return c.Self, nil
}
