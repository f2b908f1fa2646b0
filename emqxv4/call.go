package emqxv4

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// The paths of the calls, and that of a call that only the next major has.
const (
	listPath         = "/api/v4" // lists the broker's calls
	nodesPath        = "/api/v4/nodes"
	brokersPath      = "/api/v4/brokers"
	statsPath        = "/api/v4/stats"
	metricsPath      = "/api/v4/metrics"
	ratesPath        = "/api/v4/monitor/current_metrics"
	seriesPath       = "/api/v4/monitor/metrics/"
	activePath       = "/api/v4/alarms/activated"
	historyPath      = "/api/v4/alarms/deactivated"
	rulesPath        = "/api/v4/rules"
	resourcesPath    = "/api/v4/resources"
	listenersPath    = "/api/v4/listeners"
	licensePath      = "/api/v4/license"
	licenseInfoPath  = "/api/v4/license_info"
	uploadPath       = "/api/v4/license/upload"
	invitePath       = "/api/v4/cluster/invite_node"
	forceLeavePath   = "/api/v4/cluster/force_leave/"
	limitPath        = "/api/v4/dynamic_license" // known only from the kinds of entries in the audit log
	evacuationsPath  = "/api/v4/load_rebalance/global_status"
	availabilityPath = "/api/v4/load_rebalance/availability_check"
	prometheusPath   = "/api/v4/emqx_prometheus"
	statusPath       = emqxhttp.StatusPath // on port 8081 only
	newerPath        = "/api/v5/nodes"
)

// ofNode returns the path of a call about one node.
func ofNode(node, rest string) string { return nodesPath + "/" + emqxhttp.Segment(node) + rest }

// evacuationPath returns the path of the call that starts or stops an evacuation.
func evacuationPath(node, verb string) string {
	return "/api/v4/load_rebalance/" + emqxhttp.Segment(node) + "/evacuation/" + verb
}

// call is a call of the broker's API.
type call struct {
	emqxhttp.Request
	requires requirement // what a broker needs to have the call
	// The node in the path, if any; the broker answers for an unknown one as for an unknown
	// call.
	node           string
	alreadyDone    []string // messages that say that nothing is left to do
	refusalMeaning string   // the meaning of a refusal without a better explanation, if there is one
	secret         string   // a secret in the body, no line of which may be shown
	noEnvelope     bool     // the answer has no envelope
	keepEnvelope   bool     // the decoder also reads the envelope
}

// get returns a call that only reads.
func get(path string, n requirement) call {
	return call{Request: emqxhttp.Request{Path: path}, requires: n}
}

// mutates reports whether the call changes something.
func (c call) mutates() bool { return c.Method != "" && c.Method != http.MethodGet }

// query makes a call and decodes the data of its answer.
func query[T any](ctx context.Context, b *broker, c call, decode func([]byte) (T, error)) (T, error) {
	return emqxhttp.Query(ctx, b.client, c.Request, func(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
		return b.payload(ctx, c, a)
	}, decode)
}

// do makes a call whose answer has no data.
func (b *broker) do(ctx context.Context, c call) error {
	_, err := query(ctx, b, c, func(data []byte) (json.RawMessage, error) { return data, nil })
	return err
}
