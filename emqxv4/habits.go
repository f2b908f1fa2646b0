package emqxv4

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// The calls that are used, and one that only the next major answers.
const (
	nodesPath   = "/api/v4/nodes"
	brokersPath = "/api/v4/brokers"
	statsPath   = "/api/v4/stats"
	licensePath = "/api/v4/license"
	statusPath  = "/status"
	newerPath   = "/api/v5/nodes"
)

var checks = emqxhttp.Checks{
	Login: "check AppID and AppSecret (on port 18083: a dashboard user's name and password), and that the application is enabled and not expired",
	Role:  "give it an application or a user that may read",
}

// refusedLogin are the codes of a refused login inside an answer of 200.
var refusedLogin = map[string]bool{"103": true, "104": true, "401": true, "403": true}

// payload gives the data of a success: status 200 and code 0. Business errors
// come with 200 as well, with a number or a word as code or with none; other
// errors are plain text.
//
// A member that is stopped can make /nodes itself crash; /brokers then still
// lists those that run.
func (b *broker) payload(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
	if a.Request.Path == nodesPath && a.Status == http.StatusInternalServerError {
		if brokers, err := b.client.Get(ctx, brokersPath); err == nil && brokers.OK() {
			a = brokers
		}
	}
	if a.Request.Path == nodesPath && a.Status == http.StatusNotFound && b.client.Speaks(ctx, newerPath) {
		return nil, b.client.Fail(ecp.CodeUnsupported, "an EMQX 5 or later answers there", nil)
	}
	if !a.OK() {
		return nil, b.client.Refused(a, checks, ecp.BrokerError{})
	}
	data, said, err := decodeEnvelope(a.Body)
	switch {
	case err != nil:
		return nil, b.client.Unreadable(a, err)
	case refusedLogin[said.code]:
		return nil, b.client.Refused(emqxhttp.Answer{Request: a.Request, Status: http.StatusUnauthorized}, checks, ecp.BrokerError{Message: said.String()})
	case said != (refusal{}):
		return nil, b.client.Fail(ecp.CodeUnavailable, "it cannot answer "+a.Request.Path+" now ("+b.client.Say(said.String())+")", nil)
	}
	return data, nil
}

// refusal is a business error as the broker words it.
type refusal struct{ code, message string }

// String gives both, e.g. "nodedown, code 101".
func (r refusal) String() string {
	return strings.TrimPrefix(r.message+", code "+r.code, ", ")
}

// decodeEnvelope opens {"code":0,"data":…}.
func decodeEnvelope(body []byte) (json.RawMessage, refusal, error) {
	var e struct {
		Code    json.RawMessage `json:"code"`
		Data    json.RawMessage `json:"data"`
		Message string          `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, refusal{}, err
	}
	if string(e.Code) == "0" {
		return e.Data, refusal{}, nil
	}
	said := refusal{code: "missing", message: e.Message}
	if len(e.Code) > 0 && json.Unmarshal(e.Code, &said.code) != nil {
		said.code = string(e.Code)
	}
	if said.code == "" {
		said.code = "empty"
	}
	return nil, said, nil
}

// member is an entry of /nodes or /brokers. One that is stopped may have
// "name" for "node"; one that could not be asked has name and error only.
type member struct {
	Node        string          `json:"node"`
	Name        string          `json:"name"`
	Status      string          `json:"node_status"` // "Running" or "Stopped"
	Version     string          `json:"version"`
	Uptime      uptime          `json:"uptime"`
	Connections *emqxhttp.Count `json:"connections"`      // with those of clients that are away; not in /brokers
	Live        *emqxhttp.Count `json:"live_connections"` // since 4.4.19
	MemoryUsed  emqxhttp.Bytes  `json:"memory_used"`
	MemoryTotal emqxhttp.Bytes  `json:"memory_total"`
	Error       string          `json:"error"`
}

func (m member) name() string {
	if m.Node != "" {
		return m.Node
	}
	return m.Name
}

// uncounted says that the node runs and its connections are not all known.
func (m member) uncounted() bool {
	status, _ := emqxhttp.Status(m.Status, m.Error)
	return status == ecp.NodeRunning && (m.Live == nil || m.Connections == nil)
}

// node gives the member with what the list lacks from its counters. Every
// member of a v4 cluster is a core.
func (m member) node(c counters) ecp.BrokerNode {
	n := ecp.BrokerNode{
		Name: m.name(), Role: "core", Version: m.Version, Uptime: time.Duration(m.Uptime),
		Sessions:   firstCount(m.Connections, c.Connections),
		MemoryUsed: int64(m.MemoryUsed), MemoryTotal: int64(m.MemoryTotal),
	}
	n.Status, n.Error = emqxhttp.Status(m.Status, m.Error)
	n.Connections = firstCount(m.Live, c.Live, m.Connections, c.Connections)
	return n
}

// firstCount gives the first number that is there, else 0.
func firstCount(counts ...*emqxhttp.Count) int {
	for _, c := range counts {
		if c != nil {
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
	Connections *emqxhttp.Count `json:"connections.count"`
	Live        *emqxhttp.Count `json:"live_connections.count"` // since about 4.4.15
}

// decodeStats reads the data of /stats by node. The counters stand under
// "stats", or beside "node" in the form the dashboard reads.
func decodeStats(data []byte) (map[string]counters, error) {
	var list []struct {
		Node string `json:"node"`
		counters
		Stats *counters `json:"stats"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	found := map[string]counters{}
	for _, e := range list {
		found[e.Node] = e.counters
		if e.Stats != nil {
			found[e.Node] = *e.Stats
		}
	}
	return found, nil
}

// decodeLicense reads the data of /license.
func decodeLicense(data []byte) (int, error) {
	var l struct {
		MaxConnections emqxhttp.Count `json:"max_connections"`
	}
	err := json.Unmarshal(data, &l)
	return l.MaxConnections.Int(), err
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
			return "enterprise", err
		case b.Description == "EMQX Broker":
			return "opensource", err
		}
	}
	return "", err
}

// decodeStatus finds the node's name in "Node emqx@10.0.0.1 is started"; "" if
// it is not there.
func decodeStatus(body []byte) string {
	name, ok := strings.CutPrefix(string(body), "Node ")
	if !ok {
		return ""
	}
	name, _, ok = strings.Cut(name, " is ")
	if !ok {
		return ""
	}
	return name
}

// uptime is written in words: "2 days, 3 hours, 4 minutes, 5 seconds", without
// the parts that lead and are zero.
type uptime time.Duration

// UnmarshalJSON never fails: what makes no sense is 0.
func (u *uptime) UnmarshalJSON(b []byte) error {
	var words string
	_ = json.Unmarshal(b, &words) // no string: no words
	*u = uptime(parseUptime(words))
	return nil
}

// spans are the units of an uptime, singular.
var spans = map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute, "second": time.Second}

// parseUptime gives 0 for what it does not understand or what does not fit.
func parseUptime(words string) time.Duration {
	var sum time.Duration
	for part := range strings.SplitSeq(words, ",") {
		digits, unit, _ := strings.Cut(strings.TrimSpace(part), " ")
		span, ok := spans[strings.TrimSuffix(unit, "s")]
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n > uint64(mostUptime/span) {
			return 0
		}
		if sum += time.Duration(n) * span; sum > mostUptime {
			return 0
		}
	}
	return sum
}

// mostUptime keeps the sum of two such parts within a duration.
const mostUptime = 100 * 365 * 24 * time.Hour
