package emqxv5

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Traffic asks for the cluster's rates and sums, for each node's counters, and
// for the members, because one that is stopped is in none of the others: all at
// once, since a member that hangs takes time from each. It fails only where
// nothing at all is told.
func (b *broker) Traffic(ctx context.Context) (ecp.Traffic, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	var current monitored
	var stats, metrics []nodeFigures
	var members ecp.Description
	questions := []struct {
		what string
		ask  func(context.Context) error
	}{
		{"its traffic", func(ctx context.Context) (err error) { current, err = b.current(ctx); return err }},
		{"its statistics", func(ctx context.Context) (err error) { stats, err = b.figures(ctx, statsPath, "/stats"); return err }},
		{"its counters", func(ctx context.Context) (err error) {
			metrics, err = b.figures(ctx, metricsPath, "/metrics")
			return err
		}},
		{"its members", func(ctx context.Context) (err error) { members, err = b.members(ctx); return err }},
	}
	errs := make([]error, len(questions))
	emqxhttp.Abreast(len(questions), func(i int) {
		b.client.Optional(ctx, questions[i].what, func(ctx context.Context) error {
			errs[i] = questions[i].ask(ctx)
			return errs[i]
		})
	})
	if err := b.client.Ended(ctx); err != nil {
		return ecp.Traffic{}, err
	}
	if figures := errs[:3]; !slices.Contains(figures, nil) {
		return ecp.Traffic{}, figures[0]
	}
	t := trafficOf(current, stats, metrics, members.Nodes)
	if errs[0] != nil {
		t.RatesError = emqxhttp.MessageOnly(errs[0])
	}
	return t, nil
}

// current asks for the figures of the last sample. While a member hangs nobody
// tells those of all: what each says of itself is added up then, and who says
// nothing is named.
func (b *broker) current(ctx context.Context) (monitored, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (monitored, error) {
		return ask(ctx, b, emqxhttp.Request{Path: currentPath, Most: mostOfOne}, decodeCurrent)
	}, func(ctx context.Context) (monitored, error) {
		all, err := each(ctx, b, func(node string) string { return currentPath + "/nodes/" + emqxhttp.Segment(node) }, decodeCurrent)
		return sumOf(all), err
	})
}

// sumOf adds up the rates of the members that tell them; what is beside them is
// taken from each node's counters.
func sumOf(all []emqxhttp.OfMember[monitored]) monitored {
	var sum monitored
	for _, m := range all {
		for _, f := range []struct {
			from *emqxhttp.Rate
			to   **emqxhttp.Rate
		}{{m.Says.Received, &sum.Received}, {m.Says.Sent, &sum.Sent}, {m.Says.Dropped, &sum.Dropped}} {
			switch {
			case f.from == nil:
			case *f.to == nil:
				total := *f.from
				*f.to = &total
			default:
				**f.to += *f.from
			}
		}
	}
	if names := emqxhttp.Missing(all); len(names) > 0 {
		sum.without = "without those of " + strings.Join(names, ", ") + ", from which the other members get no answer"
	}
	return sum
}

// TrafficSeries asks for the points of the last while.
func (b *broker) TrafficSeries(ctx context.Context, last time.Duration) ([]ecp.TrafficSample, error) {
	if last <= 0 {
		return nil, invalid("read traffic", "last", "must be more than nothing")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	seconds := int64((last + time.Second - 1) / time.Second)
	return ofAll(ctx, b, func(ctx context.Context) ([]ecp.TrafficSample, error) {
		return ask(ctx, b, emqxhttp.Request{Path: seriesPath, Query: url.Values{"latest": {strconv.FormatInt(seconds, 10)}}}, decodeSeries)
	})
}

// monitored is the answer of /monitor_current, of the whole cluster. Most of it
// is from the last sample, of which there is one every ten seconds.
type monitored struct {
	Connections         *emqxhttp.Count `json:"connections"` // those of clients that are away, too
	Live                *emqxhttp.Count `json:"live_connections"`
	Topics              emqxhttp.Count  `json:"topics"`
	Subscriptions       emqxhttp.Count  `json:"subscriptions"`
	SharedSubscriptions emqxhttp.Count  `json:"shared_subscriptions"`
	Retained            emqxhttp.Count  `json:"retained_msg_count"`
	Received            *emqxhttp.Rate  `json:"received_msg_rate"`
	Sent                *emqxhttp.Rate  `json:"sent_msg_rate"`
	Dropped             *emqxhttp.Rate  `json:"dropped_msg_rate"`

	without string // whose rates are not in it; "" = it has all
}

// decodeCurrent reads /monitor_current.
func decodeCurrent(body []byte) (monitored, error) {
	var m monitored
	if err := json.Unmarshal(body, &m); err != nil {
		return monitored{}, err
	}
	if m.Connections == nil && m.Live == nil { // which each version has
		return monitored{}, errNotIt
	}
	return m, nil
}

func (m monitored) rates() *ecp.Rates {
	if m.Received == nil && m.Sent == nil && m.Dropped == nil {
		return nil
	}
	var r ecp.Rates
	for _, f := range []struct {
		from *emqxhttp.Rate
		to   *float64
	}{{m.Received, &r.Received}, {m.Sent, &r.Sent}, {m.Dropped, &r.Dropped}} {
		if f.from != nil {
			*f.to = float64(*f.from)
		}
	}
	return &r
}

// nodeFigures is one element of /stats or /metrics. A node that could not be
// asked has a reason and no figures.
type nodeFigures struct {
	Node                string         `json:"node"`
	Reason              emqxhttp.Words `json:"reason"`
	Error               emqxhttp.Words `json:"error"`
	Connections         emqxhttp.Count `json:"connections.count"` // those of clients that are away, too
	Live                emqxhttp.Count `json:"live_connections.count"`
	Topics              emqxhttp.Count `json:"topics.count"` // of the cluster, as each node knows them
	Subscriptions       emqxhttp.Count `json:"subscriptions.count"`
	SharedSubscriptions emqxhttp.Count `json:"subscriptions.shared.count"` // of the cluster
	Retained            emqxhttp.Count `json:"retained.count"`             // of the cluster
	Received            emqxhttp.Count `json:"messages.received"`
	Sent                emqxhttp.Count `json:"messages.sent"`
	Dropped             emqxhttp.Count `json:"messages.dropped"`
}

var errNoNode = errors.New("an element names no node")

// decodeFigures reads /stats and /metrics, arrays with an element for each
// node that runs.
func decodeFigures(body []byte) ([]nodeFigures, error) {
	all, _, err := emqxhttp.DecodePage[nodeFigures](body)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(f nodeFigures) bool { return f.Node == "" }) {
		return nil, errNoNode
	}
	return all, nil
}

// figures asks for those of all nodes. One that hangs lets that take as long as
// it does: each is then asked by itself.
func (b *broker) figures(ctx context.Context, path, ofNode string) ([]nodeFigures, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) ([]nodeFigures, error) {
		return ask(ctx, b, emqxhttp.Request{Path: path, Most: mostOfAll}, decodeFigures)
	}, func(ctx context.Context) ([]nodeFigures, error) {
		all, err := each(ctx, b, func(node string) string { return nodePath(node) + ofNode }, func(body []byte) (f nodeFigures, err error) {
			err = json.Unmarshal(body, &f)
			return f, err
		})
		figures := make([]nodeFigures, len(all))
		for i, m := range all {
			figures[i] = m.Says
			if figures[i].Node = m.Name; m.Err != nil {
				figures[i] = nodeFigures{Node: m.Name, Reason: noAnswer}
			}
		}
		return figures, err
	})
}

// silent says that a node has told nothing.
func (f nodeFigures) silent() string { return string(cmp.Or(f.Reason, f.Error)) }

// trafficOf puts together what was told; parts may be missing. The nodes'
// counters are of this moment; the cluster's sums, which are those of the last
// sample and zero before the first, are taken where no node tells its own.
func trafficOf(current monitored, stats, metrics []nodeFigures, members []ecp.BrokerNode) ecp.Traffic {
	nodes := nodesOf(stats, metrics, members)
	t := ecp.Traffic{Nodes: nodes, Rates: current.rates(), RatesError: current.without}
	for _, n := range nodes {
		t.Totals.Received += n.Totals.Received
		t.Totals.Sent += n.Totals.Sent
		t.Totals.Dropped += n.Totals.Dropped
	}
	if !slices.ContainsFunc(stats, func(f nodeFigures) bool { return f.silent() == "" }) {
		t.Connections, t.Sessions = count(current.Live).Int(), count(current.Connections).Int()
		t.Topics, t.Subscriptions = current.Topics.Int(), current.Subscriptions.Int()
		t.SharedSubscriptions, t.Retained = current.SharedSubscriptions.Int(), current.Retained.Int()
		return t
	}
	for _, f := range stats {
		t.Connections += f.Live.Int()
		t.Sessions += f.Connections.Int()
		t.Subscriptions += f.Subscriptions.Int()
		t.Topics = max(t.Topics, f.Topics.Int())
		t.SharedSubscriptions = max(t.SharedSubscriptions, f.SharedSubscriptions.Int())
		t.Retained = max(t.Retained, f.Retained.Int())
	}
	return t
}

// nodesOf gives each node's part, by name. One of which a part is missing says
// why.
func nodesOf(stats, metrics []nodeFigures, members []ecp.BrokerNode) []ecp.NodeTraffic {
	byName := map[string]*ecp.NodeTraffic{}
	at := func(name string) *ecp.NodeTraffic {
		if byName[name] == nil {
			byName[name] = &ecp.NodeTraffic{Node: name}
		}
		return byName[name]
	}
	counted, measured := map[string]bool{}, map[string]bool{}
	for _, f := range stats {
		n := at(f.Node)
		n.Error = cmp.Or(n.Error, f.silent())
		n.Connections, n.Sessions = f.Live.Int(), f.Connections.Int()
		counted[f.Node] = f.silent() == ""
	}
	for _, f := range metrics {
		n := at(f.Node)
		n.Error = cmp.Or(n.Error, f.silent())
		n.Totals = ecp.MessageTotals{Received: messages(f.Received), Sent: messages(f.Sent), Dropped: messages(f.Dropped)}
		measured[f.Node] = f.silent() == ""
	}
	for _, m := range members {
		if n := at(m.Name); !counted[m.Name] && !measured[m.Name] {
			n.Error = cmp.Or(n.Error, m.Error, "the node is "+string(m.Status))
		}
	}
	nodes := make([]ecp.NodeTraffic, 0, len(byName))
	for name, n := range byName {
		if n.Error == "" && (!counted[name] || !measured[name]) {
			n.Error = "the broker tells only part of its figures"
		}
		nodes = append(nodes, *n)
	}
	slices.SortFunc(nodes, func(a, b ecp.NodeTraffic) int { return strings.Compare(a.Node, b.Node) })
	return nodes
}

// messages is a count of them; 0 where it is beyond all reason, so that no
// broker can make a total overflow.
func messages(c emqxhttp.Count) int64 {
	if c > 1<<53 {
		return 0
	}
	return int64(c)
}

// point is one moment of /monitor. Messages are those since the sample before,
// ten seconds earlier as a rule. From some version on the moments in between
// come, too, with nothing but their time.
type point struct {
	At            emqxhttp.Count  `json:"time_stamp"` // milliseconds
	Connections   *emqxhttp.Count `json:"connections"`
	Live          *emqxhttp.Count `json:"live_connections"`
	Topics        *emqxhttp.Count `json:"topics"`
	Subscriptions *emqxhttp.Count `json:"subscriptions"`
	Received      *emqxhttp.Count `json:"received"`
	Sent          *emqxhttp.Count `json:"sent"`
	Dropped       *emqxhttp.Count `json:"dropped"`
}

// decodeSeries reads /monitor.
func decodeSeries(body []byte) ([]ecp.TrafficSample, error) {
	points, _, err := emqxhttp.DecodePage[point](body)
	if err != nil {
		return nil, err
	}
	series := []ecp.TrafficSample{}
	for _, p := range points {
		at := p.At
		p.At = 0
		if at == 0 || at > mostMillis || p == (point{}) {
			continue
		}
		if p.Live == nil { // not in each version
			p.Live = p.Connections
		}
		series = append(series, ecp.TrafficSample{
			At:          time.UnixMilli(int64(at)).UTC(),
			Connections: count(p.Live).Int(), Sessions: count(p.Connections).Int(), Topics: count(p.Topics).Int(), Subscriptions: count(p.Subscriptions).Int(),
			Received: messages(count(p.Received)), Sent: messages(count(p.Sent)), Dropped: messages(count(p.Dropped)),
		})
	}
	slices.SortStableFunc(series, func(a, b ecp.TrafficSample) int { return a.At.Compare(b.At) })
	return series, nil
}

func count(c *emqxhttp.Count) emqxhttp.Count {
	if c == nil {
		return 0
	}
	return *c
}
