package emqxv4

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// The calls that are used, and one that only the next major answers.
const (
	listPath         = "/api/v4" // the broker's own list of its calls
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
	limitPath        = "/api/v4/dynamic_license" // from the kinds of entries in the audit log; no more is known
	evacuationsPath  = "/api/v4/load_rebalance/global_status"
	availabilityPath = "/api/v4/load_rebalance/availability_check"
	prometheusPath   = "/api/v4/emqx_prometheus"
	statusPath       = emqxhttp.StatusPath // on 8081 only
	newerPath        = "/api/v5/nodes"
)

// ofNode is the path of a call that is about one node.
func ofNode(node, rest string) string { return nodesPath + "/" + emqxhttp.Segment(node) + rest }

// evacuationPath is the path of a call that starts or stops an evacuation.
func evacuationPath(node, verb string) string {
	return "/api/v4/load_rebalance/" + emqxhttp.Segment(node) + "/evacuation/" + verb
}

// call is one thing that is asked of the broker.
type call struct {
	emqxhttp.Request
	needs   need     // what a broker has that takes the call
	node    string   // that the path names; "" = none. An unknown one is answered like an unknown call
	already []string // words of a refusal that say that it is so already
	wrong   string   // what a refusal means for which the broker has no better word; "" = that it cannot now
	secret  string   // that it sends, no line of which may be shown
	bare    bool     // its answer has no envelope
	whole   bool     // its decoder reads what is beside the data, too
}

// get is a call that reads.
func get(path string, n need) call { return call{Request: emqxhttp.Request{Path: path}, needs: n} }

// mutates says that the call changes something.
func (c call) mutates() bool { return c.Method != "" && c.Method != http.MethodGet }

// ask makes a call and decodes the data of its answer.
func ask[T any](ctx context.Context, b *broker, c call, decode func([]byte) (T, error)) (T, error) {
	return emqxhttp.Ask(ctx, b.client, c.Request, func(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
		return b.payload(ctx, c, a)
	}, decode)
}

// do makes a call whose answer says no more than that it is done.
func (b *broker) do(ctx context.Context, c call) error {
	_, err := ask(ctx, b, c, func(data []byte) (json.RawMessage, error) { return data, nil })
	return err
}
