package emqxv5

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// ActiveAlarms lists the active alarms of the nodes.
func (b *broker) ActiveAlarms(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, true)
}

// AlarmHistory lists the past alarms of the nodes.
func (b *broker) AlarmHistory(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, false)
}

func (b *broker) alarms(ctx context.Context, active bool) ([]ecp.Alarm, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	raised, err := ofAllMembers(ctx, b, func(ctx context.Context) ([]emqxhttp.NodeAlarm, error) {
		raised, _, err := pages(ctx, b, alarmsPath, url.Values{"activated": {strconv.FormatBool(active)}},
			ecp.MaxAlarms,
			func(body []byte) (emqxhttp.Page[emqxhttp.NodeAlarm], error) {
				return decodeAlarms(body, active)
			})
		return raised, err
	})
	if err != nil {
		return nil, err
	}
	return emqxhttp.GroupAlarms(raised), nil
}

// alarm is an entry of /alarms. Nodes with the same alarm have an entry each.
type alarm struct {
	Node     emqxhttp.Text    `json:"node"`
	Name     emqxhttp.Text    `json:"name"`
	Message  emqxhttp.Message `json:"message"`
	Details  json.RawMessage  `json:"details"`
	Since    emqxhttp.Message `json:"activate_at"`   // RFC 3339
	Until    emqxhttp.Message `json:"deactivate_at"` // of past alarms only
	Duration emqxhttp.Count   `json:"duration"`      // milliseconds
}

// decodeAlarms reads a page of /alarms.
func decodeAlarms(body []byte, active bool) (emqxhttp.Page[emqxhttp.NodeAlarm], error) {
	alarms, more, err := emqxhttp.DecodePage[alarm](body)
	p := emqxhttp.Page[emqxhttp.NodeAlarm]{More: more}
	for _, a := range alarms {
		p.Items = append(p.Items, a.nodeAlarm(active))
	}
	return p, err
}

// unknownTime is the time of past alarms without a valid time.
var unknownTime = time.UnixMilli(0).UTC()

// nodeAlarm converts the entry. A past alarm always has an end; if none is given, its
// duration decides.
func (a alarm) nodeAlarm(active bool) emqxhttp.NodeAlarm {
	r := emqxhttp.NodeAlarm{
		Node: string(a.Node), Name: string(a.Name), Message: string(a.Message), Since: timeOf(a.Since),
	}
	var object bytes.Buffer
	if json.Compact(&object, a.Details) == nil && bytes.HasPrefix(object.Bytes(), []byte("{")) {
		r.Details = object.Bytes()
	}
	if active {
		return r
	}
	r.Until = timeOf(a.Until)
	if r.Until.Before(r.Since) || r.Until.IsZero() {
		r.Until = validTime(r.Since.Add(a.Duration.Millis()))
	}
	if r.Until.Before(r.Since) || r.Until.IsZero() {
		r.Since, r.Until = unknownTime, unknownTime
	}
	return r
}
