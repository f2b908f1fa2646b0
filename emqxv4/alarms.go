package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

var (
	activeAlarms = nodeQuery{path: activePath, rest: "/alarms/activated", key: "alarms"}
	pastAlarms   = nodeQuery{path: historyPath, rest: "/alarms/deactivated", key: "alarms"}
)

// alarm is an alarm as a node lists it. A name that is not a string is a printed Erlang
// term.
type alarm struct {
	Name    emqxhttp.Message `json:"name"`
	Message emqxhttp.Message `json:"message"`
	Details json.RawMessage  `json:"details"`
	Since   emqxhttp.Count   `json:"activate_at"`   // microseconds
	Until   emqxhttp.Count   `json:"deactivate_at"` // "infinity" while it is active
}

// ActiveAlarms queries every node.
func (b *broker) ActiveAlarms(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, activeAlarms, true)
}

// AlarmHistory queries every node for its whole history. By default the broker keeps a
// thousand alarms.
func (b *broker) AlarmHistory(ctx context.Context) ([]ecp.Alarm, error) {
	all, err := b.alarms(ctx, pastAlarms, false)
	return all[:min(len(all), ecp.MaxAlarms)], err
}

func (b *broker) alarms(ctx context.Context, q nodeQuery, active bool) ([]ecp.Alarm, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	nodes, err := queryNodes[[]alarm](ctx, b, q)
	if err != nil {
		return nil, err
	}
	var hanging []string
	for _, f := range nodes {
		if f.unanswered {
			hanging = append(hanging, f.node)
		}
	}
	if len(hanging) > 0 {
		return nil, b.client.HangingError(hanging)
	}
	return emqxhttp.GroupAlarms(nodeAlarms(nodes, active)), nil
}

// nodeAlarms returns the alarms of all nodes. A past alarm without an end ends when it
// began.
func nodeAlarms(nodes []nodeFigures[[]alarm], active bool) []emqxhttp.NodeAlarm {
	var all []emqxhttp.NodeAlarm
	for _, f := range nodes {
		for _, a := range f.data {
			one := emqxhttp.NodeAlarm{
				Node: f.node, Name: string(a.Name), Message: string(a.Message), Details: objectDetails(a.Details),
				Since: timeOf(int64(a.Since)),
			}
			if !active {
				one.Until = cmp.Or(timeOf(int64(max(a.Since, a.Until))), time.Unix(0, 0).UTC())
			}
			all = append(all, one)
		}
	}
	return all
}

// objectDetails returns details that are an object, and wraps any other value in one.
func objectDetails(raw json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	switch {
	case len(raw) == 0, string(raw) == "null", string(raw) == "[]": // Erlang has no other empty object
		return nil
	case json.Unmarshal(raw, &object) == nil:
		return raw
	}
	return slices.Concat(json.RawMessage(`{"value":`), raw, json.RawMessage(`}`))
}

// timeOf returns a time given in seconds, milliseconds or microseconds. The size of the
// number decides, which is unambiguous between 1973 and 5138. It returns the zero time for
// 0.
func timeOf(n int64) time.Time {
	switch {
	case n <= 0:
		return time.Time{}
	case n < 1e11:
		return time.Unix(n, 0).UTC()
	case n < 1e14:
		return time.UnixMilli(n).UTC()
	}
	return time.UnixMicro(n).UTC()
}
