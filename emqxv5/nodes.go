package emqxv5

import (
	"encoding/json"
	"errors"
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
