package emqxv5

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

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
	return hedged(ctx, func(ctx context.Context) (ecp.Description, error) {
		return ask(ctx, b, emqxhttp.Request{Path: nodesPath}, decodeNodes)
	}, b.eachMember)
}

// hedged asks one question and, where that fails within the broker or takes half
// of the time, another one beside it. The answer that comes first counts; the
// error is that of the first.
func hedged[T any](ctx context.Context, first, second func(context.Context) (T, error)) (T, error) {
	end, ok := ctx.Deadline()
	if !ok {
		return first(ctx)
	}
	type answer struct {
		is  T
		err error
	}
	toFirst, endFirst := context.WithCancel(ctx)
	defer endFirst()
	toSecond, endSecond := context.WithCancel(ctx)
	defer endSecond()
	other := make(chan answer, 1)
	late := time.AfterFunc(time.Until(end)/2, func() {
		is, err := second(toSecond)
		other <- answer{is, err}
		if err == nil {
			endFirst()
		}
	})
	is, err := first(toFirst)
	switch {
	case !late.Stop(): // the second is under way
		if err == nil {
			endSecond()
		}
		if a := <-other; err != nil && a.err == nil {
			return a.is, nil
		}
	case crashed(err):
		if other, otherErr := second(toSecond); otherErr == nil {
			return other, nil
		}
	}
	return is, err
}

// crashed says that an error is a call's that failed within the broker.
func crashed(err error) bool {
	var said *ecp.BrokerError
	return errors.As(err, &said) && said.Status == http.StatusInternalServerError
}

// mostOfOne is how many bytes are read of what one member, or the cluster as one,
// says of itself, which comes to a few thousand.
const mostOfOne = 1 << 18

// mostMembers is how many members are asked for one by one.
const mostMembers = 100

// eachMember asks for the members by name.
func (b *broker) eachMember(ctx context.Context) (ecp.Description, error) {
	all, err := each(ctx, b, "", decodeNode)
	if err != nil {
		return ecp.Description{}, err
	}
	var d ecp.Description
	for _, m := range all {
		if m.told {
			d.Nodes, d.Edition = append(d.Nodes, m.says.Nodes...), cmp.Or(d.Edition, m.says.Edition)
		} else {
			d.Nodes = append(d.Nodes, ecp.BrokerNode{Name: m.name, Status: ecp.NodeUnknown, Error: noAnswer})
		}
	}
	return d, nil
}

// noAnswer is why nothing is told of a member.
const noAnswer = "the node that was asked gets no answer from it"

// byMember is what one member says of itself, if it does.
type byMember[T any] struct {
	name string
	says T
	told bool
}

// each asks all members that run the same, at once and by name. It fails where
// none answers.
func each[T any](ctx context.Context, b *broker, rest string, decode func([]byte) (T, error)) ([]byMember[T], error) {
	names, err := ask(ctx, b, emqxhttp.Request{Path: clusterPath, Most: mostOfOne}, decodeNames)
	if err != nil {
		return nil, err
	}
	all := make([]byMember[T], len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			b.client.Optional(ctx, "a member", func(ctx context.Context) error {
				says, err := ask(ctx, b, emqxhttp.Request{Path: nodesPath + "/" + emqxhttp.Segment(name) + rest, Most: mostOfOne}, decode)
				all[i] = byMember[T]{name, says, err == nil}
				return err
			})
		})
	}
	wg.Wait()
	if !slices.ContainsFunc(all, func(m byMember[T]) bool { return m.told }) {
		return nil, b.client.Fail(ecp.CodeUnavailable, "none of its members answers", nil)
	}
	return all, nil
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
