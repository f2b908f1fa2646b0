package emqxv4

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// member is an entry of /nodes or /brokers. A stopped member may have "name" instead of
// "node". A member that could not be asked has only a name and an error.
type member struct {
	Node        string           `json:"node"`
	Name        string           `json:"name"`
	Status      string           `json:"node_status"` // "Running" or "Stopped"
	Version     string           `json:"version"`
	Uptime      uptime           `json:"uptime"`
	Connections optionalCount    `json:"connections"`      // includes clients that are away; not in /brokers
	Live        optionalCount    `json:"live_connections"` // since 4.4.19
	MemoryUsed  emqxhttp.Bytes   `json:"memory_used"`
	MemoryTotal emqxhttp.Bytes   `json:"memory_total"`
	Error       emqxhttp.Message `json:"error"`
}

func (m member) name() string {
	if m.Node != "" {
		return m.Node
	}
	return m.Name
}

// uncounted reports whether the node runs and some of its counts are missing.
func (m member) uncounted() bool {
	status, _ := emqxhttp.Status(m.Status, string(m.Error))
	return status == ecp.NodeRunning && (!m.Live.ok || !m.Connections.ok)
}

// node converts the entry, with the node's counters for what is missing. Every member of a
// v4 cluster is a core.
func (m member) node(c counters) ecp.BrokerNode {
	n := ecp.BrokerNode{
		Name: m.name(), Role: "core", Version: m.Version, Uptime: time.Duration(m.Uptime),
		Sessions:   firstCount(m.Connections, c.Connections),
		MemoryUsed: int64(m.MemoryUsed), MemoryTotal: int64(m.MemoryTotal),
	}
	n.Status, n.Error = emqxhttp.Status(m.Status, string(m.Error))
	n.Connections = firstCount(m.Live, c.Live, m.Connections, c.Connections)
	return n
}

// optionalCount is a count that may be missing.
type optionalCount struct {
	emqxhttp.Count
	ok bool
}

// UnmarshalJSON never fails. null counts as missing.
func (t *optionalCount) UnmarshalJSON(b []byte) error {
	t.ok = string(b) != "null"
	return t.Count.UnmarshalJSON(b)
}

// firstCount returns the first count that is not missing, or 0.
func firstCount(counts ...optionalCount) int {
	for _, c := range counts {
		if c.ok {
			return c.Int()
		}
	}
	return 0
}

// decodeMembers reads the data of /nodes and /brokers.
func decodeMembers(data []byte) ([]member, error) {
	var members []member
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, errors.New("it lists no member, not even the node that answers")
	}
	for _, m := range members {
		if m.name() == "" {
			return nil, errors.New("a member has no name")
		}
	}
	return members, nil
}

// counters are the counters of one node, as far as they are used here.
type counters struct {
	Connections optionalCount `json:"connections.count"`
	Live        optionalCount `json:"live_connections.count"` // since about 4.4.15
}

// decodeEdition derives the edition from the description in the data of /brokers. The open
// source edition describes itself as "EMQX Broker".
func decodeEdition(data []byte) (string, error) {
	var brokers []struct {
		Description string `json:"sysdescr"`
	}
	err := json.Unmarshal(data, &brokers)
	for _, b := range brokers {
		switch {
		case strings.Contains(b.Description, "Enterprise"):
			return ecp.EditionEnterprise, err
		case b.Description == "EMQX Broker":
			return ecp.EditionOpenSource, err
		}
	}
	return "", err
}
