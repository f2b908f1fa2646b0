package emqxv5

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// The calls that are used, and one that only the major before answers.
const (
	nodesPath   = "/api/v5/nodes"
	licensePath = "/api/v5/license"
	clusterPath = "/api/v5/cluster"
	olderPath   = "/api/v4/nodes"
)

var checks = emqxhttp.Checks{
	Login: "check API key and secret, and that the key is enabled and not expired",
	Role:  "give the API key the role administrator or viewer and, where keys have scopes, at least monitoring, cluster_operations, system and license",
}

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
	var d ecp.Description
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
	switch word = strings.ToLower(word); word {
	case "enterprise", "opensource":
		return word
	}
	return ""
}

// decodeLicense reads /license. The limit has two names: the first counts
// clients, the second, since 5.8.5, sessions, and is the only one in some
// later documents.
func decodeLicense(body []byte) (int, error) {
	var l struct {
		MaxConnections emqxhttp.Count  `json:"max_connections"`
		MaxSessions    *emqxhttp.Count `json:"max_sessions"`
	}
	err := json.Unmarshal(body, &l)
	if l.MaxSessions != nil {
		return l.MaxSessions.Int(), err
	}
	return l.MaxConnections.Int(), err
}

// decodeSelf reads the name of the node that answers from /cluster.
func decodeSelf(body []byte) (string, error) {
	var c struct {
		Self string `json:"self"`
	}
	err := json.Unmarshal(body, &c)
	return c.Self, err
}

// bootPage is in the page that every path answers with, for a moment, when the
// listener is up and the API is not yet.
var bootPage = []byte("404 - NOT FOUND")

// payload gives the body of a success; the error says what another answer
// means. Errors are JSON with a code in capitals and a message that may itself
// be anything.
func (b *broker) payload(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
	if a.OK() {
		return a.Body, nil
	}
	if a.Status == http.StatusNotFound {
		switch {
		case a.Type == "text/html" && bytes.Contains(a.Body, bootPage):
			return nil, b.client.Fail(ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major: there is no "+a.Request.Path, nil)
		case a.Request.Path == nodesPath && b.client.Speaks(ctx, olderPath):
			return nil, b.client.Fail(ecp.CodeUnsupported, "an EMQX 4 answers there", nil)
		}
	}
	var said struct {
		Code string `json:"code"` // e.g. "BAD_API_KEY_OR_SECRET"
	}
	_ = json.Unmarshal(a.Body, &said) // a body without a code is answered for by its status
	return nil, b.client.Refused(a, checks, ecp.BrokerError{Code: said.Code})
}
