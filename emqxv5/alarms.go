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

// ActiveAlarms lists what the nodes raise now.
func (b *broker) ActiveAlarms(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, true)
}

// AlarmHistory lists what they have raised before.
func (b *broker) AlarmHistory(ctx context.Context) ([]ecp.Alarm, error) {
	return b.alarms(ctx, false)
}

func (b *broker) alarms(ctx context.Context, active bool) ([]ecp.Alarm, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	raised, err := ofAll(ctx, b, func(ctx context.Context) ([]emqxhttp.NodeAlarm, error) {
		raised, _, err := pages(ctx, b, alarmsPath, url.Values{"activated": {strconv.FormatBool(active)}}, ecp.MostAlarms, func(body []byte) (page[emqxhttp.NodeAlarm], error) {
			return decodeAlarms(body, active)
		})
		return raised, err
	})
	if err != nil {
		return nil, err
	}
	return emqxhttp.GroupAlarms(raised), nil
}

// alarm is an entry of /alarms: the same cause is there once for each node.
type alarm struct {
	Node     emqxhttp.Text   `json:"node"`
	Name     emqxhttp.Text   `json:"name"`
	Message  emqxhttp.Words  `json:"message"`
	Details  json.RawMessage `json:"details"`
	Since    emqxhttp.Words  `json:"activate_at"`   // RFC 3339
	Until    emqxhttp.Words  `json:"deactivate_at"` // only of one that is over
	Duration emqxhttp.Count  `json:"duration"`      // milliseconds
}

// decodeAlarms reads a page of /alarms.
func decodeAlarms(body []byte, active bool) (page[emqxhttp.NodeAlarm], error) {
	alarms, more, err := emqxhttp.DecodePage[alarm](body)
	p := page[emqxhttp.NodeAlarm]{more: more}
	for _, a := range alarms {
		p.items = append(p.items, a.raised(active))
	}
	return p, err
}

// longAgo is the time of what is over and was, nobody says when.
var longAgo = time.UnixMilli(0).UTC()

// raised is the alarm as one node raised it. What is over has an end, told or
// reckoned.
func (a alarm) raised(active bool) emqxhttp.NodeAlarm {
	r := emqxhttp.NodeAlarm{Node: string(a.Node), Name: string(a.Name), Message: string(a.Message), Since: moment(a.Since)}
	var object bytes.Buffer
	if json.Compact(&object, a.Details) == nil && bytes.HasPrefix(object.Bytes(), []byte("{")) {
		r.Details = object.Bytes()
	}
	if active {
		return r
	}
	r.Until = moment(a.Until)
	if r.Until.Before(r.Since) || r.Until.IsZero() {
		r.Until = written(r.Since.Add(a.Duration.Millis()))
	}
	if r.Until.Before(r.Since) || r.Until.IsZero() {
		r.Since, r.Until = longAgo, longAgo
	}
	return r
}
