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
	activeAlarms = question{path: activePath, rest: "/alarms/activated", key: "alarms"}
	pastAlarms   = question{path: historyPath, rest: "/alarms/deactivated", key: "alarms"}
)

// alarm is one as a node tells it. A name that is no string is a term of
// Erlang's, printed.
type alarm struct {
	Name    emqxhttp.Words  `json:"name"`
	Message emqxhttp.Words  `json:"message"`
	Details json.RawMessage `json:"details"`
	Since   emqxhttp.Count  `json:"activate_at"`   // microseconds
	Until   emqxhttp.Count  `json:"deactivate_at"` // "infinity" while it is active
}

// ActiveAlarms asks every node.
func (b *broker) ActiveAlarms(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, activeAlarms, true)
}

// AlarmHistory asks every node for what it keeps, which is all of it at once:
// the broker itself keeps no more than a thousand unless it is told to.
func (b *broker) AlarmHistory(ctx context.Context) ([]ecp.Alarm, error) {
	all, err := b.alarms(ctx, pastAlarms, false)
	return all[:min(len(all), ecp.MostAlarms)], err
}

func (b *broker) alarms(ctx context.Context, q question, active bool) ([]ecp.Alarm, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	nodes, err := askNodes[[]alarm](ctx, b, q)
	if err != nil {
		return nil, err
	}
	var hanging []string
	for _, f := range nodes {
		if f.silent {
			hanging = append(hanging, f.node)
		}
	}
	if len(hanging) > 0 {
		return nil, b.client.Hanging(hanging)
	}
	return emqxhttp.GroupAlarms(raised(nodes, active)), nil
}

// raised are the alarms of all nodes. Where one gives no end although it is
// over, it is its beginning.
func raised(nodes []figures[[]alarm], active bool) []emqxhttp.NodeAlarm {
	var all []emqxhttp.NodeAlarm
	for _, f := range nodes {
		for _, a := range f.data {
			one := emqxhttp.NodeAlarm{
				Node: f.node, Name: string(a.Name), Message: string(a.Message), Details: detailsOf(a.Details),
				Since: moment(int64(a.Since)),
			}
			if !active {
				one.Until = cmp.Or(moment(int64(max(a.Since, a.Until))), time.Unix(0, 0).UTC())
			}
			all = append(all, one)
		}
	}
	return all
}

// detailsOf gives details that are an object; anything else becomes one.
func detailsOf(raw json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	switch {
	case len(raw) == 0, string(raw) == "null", string(raw) == "[]": // Erlang has no other empty object
		return nil
	case json.Unmarshal(raw, &object) == nil:
		return raw
	}
	return slices.Concat(json.RawMessage(`{"value":`), raw, json.RawMessage(`}`))
}

// moment gives a time that is told in seconds, milliseconds or microseconds: by
// the size of the number, which leaves no doubt between 1973 and 5138. Zero is
// none.
func moment(n int64) time.Time {
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
