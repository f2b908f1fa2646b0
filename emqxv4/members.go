package emqxv4

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// member is an entry of /nodes or /brokers. One that is stopped may have
// "name" for "node"; one that could not be asked has name and error only.
type member struct {
	Node        string         `json:"node"`
	Name        string         `json:"name"`
	Status      string         `json:"node_status"` // "Running" or "Stopped"
	Version     string         `json:"version"`
	Uptime      uptime         `json:"uptime"`
	Connections told           `json:"connections"`      // with those of clients that are away; not in /brokers
	Live        told           `json:"live_connections"` // since 4.4.19
	MemoryUsed  emqxhttp.Bytes `json:"memory_used"`
	MemoryTotal emqxhttp.Bytes `json:"memory_total"`
	Error       emqxhttp.Words `json:"error"`
}

func (m member) name() string {
	if m.Node != "" {
		return m.Node
	}
	return m.Name
}

// uncounted says that the node runs and its connections are not all known.
func (m member) uncounted() bool {
	status, _ := emqxhttp.Status(m.Status, string(m.Error))
	return status == ecp.NodeRunning && (!m.Live.ok || !m.Connections.ok)
}

// node gives the member with what the list lacks from its counters. Every
// member of a v4 cluster is a core.
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

// told is a count that may be missing.
type told struct {
	emqxhttp.Count
	ok bool
}

// UnmarshalJSON never fails; null is missing.
func (t *told) UnmarshalJSON(b []byte) error {
	t.ok = string(b) != "null"
	return t.Count.UnmarshalJSON(b)
}

// firstCount gives the first number that is there, else 0.
func firstCount(counts ...told) int {
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
		return nil, errors.New("it names no member, not even the node that answers")
	}
	for _, m := range members {
		if m.name() == "" {
			return nil, errors.New("a member has no name")
		}
	}
	return members, nil
}

// counters are those of one node that are used.
type counters struct {
	Connections told `json:"connections.count"`
	Live        told `json:"live_connections.count"` // since about 4.4.15
}

// decodeEdition tells the edition by the description in the data of /brokers:
// "EMQX Broker" is the open-source one's; "" where it is neither's.
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
