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

// Traffic queries the rates and sums of the cluster, the counters of each node, and the
// members, since a stopped one is in none of the other answers. It makes all queries at
// once, because a member that hangs delays each. It fails only if none of the figures is
// available.
func (b *broker) Traffic(ctx context.Context) (ecp.Traffic, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	var current currentFigures
	var stats, metrics []nodeFigures
	var members ecp.Description
	questions := []struct {
		what string
		ask  func(context.Context) error
	}{
		{"its traffic", func(ctx context.Context) (err error) { current, err = b.current(ctx); return err }},
		{"its statistics", func(ctx context.Context) (err error) {
			stats, err = b.figures(ctx, statsPath,
				"/stats")
			return err
		}},
		{"its counters", func(ctx context.Context) (err error) {
			metrics, err = b.figures(ctx, metricsPath, "/metrics")
			return err
		}},
		{"its members", func(ctx context.Context) (err error) { members, err = b.members(ctx); return err }},
	}
	errs := make([]error, len(questions))
	emqxhttp.Parallel(len(questions), func(i int) {
		b.client.Optional(ctx, questions[i].what, func(ctx context.Context) error {
			errs[i] = questions[i].ask(ctx)
			return errs[i]
		})
	})
	if err := b.client.CallerGone(ctx); err != nil {
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

// current queries the figures of the last sample. The broker cannot answer for all members
// while one hangs. Then current adds up the figures of each member, and the result names
// the members without an answer.
func (b *broker) current(ctx context.Context) (currentFigures, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (currentFigures, error) {
		return query(ctx, b, emqxhttp.Request{Path: currentPath, MaxAnswer: maxOneNode}, decodeCurrent)
	}, func(ctx context.Context) (currentFigures, error) {
		all, err := queryEach(ctx, b, func(node string) string {
			return currentPath + "/nodes/" +
				emqxhttp.Segment(node)
		},
			decodeCurrent)
		return sumRates(all), err
	})
}

// sumRates adds up the rates of the members that reported them. Everything else comes from
// the counters of each node.
func sumRates(all []emqxhttp.MemberAnswer[currentFigures]) currentFigures {
	var sum currentFigures
	for _, m := range all {
		for _, f := range []struct {
			from *emqxhttp.Rate
			to   **emqxhttp.Rate
		}{{m.Value.Received, &sum.Received}, {m.Value.Sent, &sum.Sent}, {m.Value.Dropped, &sum.Dropped}} {
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
	if names := emqxhttp.Unanswered(all); len(names) > 0 {
		sum.without = "without those of " + strings.Join(names, ", ") + ", from which the other members get no answer"
	}
	return sum
}

// TrafficSeries queries the points of the given time.
func (b *broker) TrafficSeries(ctx context.Context, last time.Duration) ([]ecp.TrafficSample, error) {
	if last <= 0 {
		return nil, emqxhttp.Invalid("read traffic", "last", "must be positive")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	seconds := int64((last + time.Second - 1) / time.Second)
	return ofAllMembers(ctx, b, func(ctx context.Context) ([]ecp.TrafficSample, error) {
		return query(ctx, b, emqxhttp.Request{Path: seriesPath,
			Query: url.Values{"latest": {strconv.FormatInt(seconds, 10)}}}, decodeSeries)
	})
}

// currentFigures is the answer of /monitor_current for the whole cluster. Most of it comes
// from the last sample, which is taken every ten seconds.
type currentFigures struct {
	Connections         *emqxhttp.Count `json:"connections"` // includes clients that are away
	Live                *emqxhttp.Count `json:"live_connections"`
	Topics              emqxhttp.Count  `json:"topics"`
	Subscriptions       emqxhttp.Count  `json:"subscriptions"`
	SharedSubscriptions emqxhttp.Count  `json:"shared_subscriptions"`
	Retained            emqxhttp.Count  `json:"retained_msg_count"`
	Received            *emqxhttp.Rate  `json:"received_msg_rate"`
	Sent                *emqxhttp.Rate  `json:"sent_msg_rate"`
	Dropped             *emqxhttp.Rate  `json:"dropped_msg_rate"`

	without string // explains whose rates are missing; empty if none are
}

// decodeCurrent reads /monitor_current.
func decodeCurrent(body []byte) (currentFigures, error) {
	var m currentFigures
	if err := json.Unmarshal(body, &m); err != nil {
		return currentFigures{}, err
	}
	if m.Connections == nil && m.Live == nil { // each version has one of them
		return currentFigures{}, errNotIt
	}
	return m, nil
}

func (m currentFigures) rates() *ecp.Rates {
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

// nodeFigures is an element of /stats or /metrics. A node that could not be asked has a
// reason and no figures.
type nodeFigures struct {
	Node                string           `json:"node"`
	Reason              emqxhttp.Message `json:"reason"`
	Error               emqxhttp.Message `json:"error"`
	Connections         emqxhttp.Count   `json:"connections.count"` // includes clients that are away
	Live                emqxhttp.Count   `json:"live_connections.count"`
	Topics              emqxhttp.Count   `json:"topics.count"` // of the cluster, as known to each node
	Subscriptions       emqxhttp.Count   `json:"subscriptions.count"`
	SharedSubscriptions emqxhttp.Count   `json:"subscriptions.shared.count"` // of the cluster
	Retained            emqxhttp.Count   `json:"retained.count"`             // of the cluster
	Received            emqxhttp.Count   `json:"messages.received"`
	Sent                emqxhttp.Count   `json:"messages.sent"`
	Dropped             emqxhttp.Count   `json:"messages.dropped"`
}

var errNoNode = errors.New("an element names no node")

// decodeFigures reads /stats and /metrics, which are arrays with an element for each
// running node.
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

// figures queries all nodes. If that takes long because one of them hangs, it queries each
// node by itself.
func (b *broker) figures(ctx context.Context, path, ofNode string) ([]nodeFigures, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) ([]nodeFigures, error) {
		return query(ctx, b, emqxhttp.Request{Path: path, MaxAnswer: maxAllNodes}, decodeFigures)
	}, func(ctx context.Context) ([]nodeFigures, error) {
		all, err := queryEach(ctx, b, func(node string) string { return nodePath(node) + ofNode },
			func(body []byte) (f nodeFigures, err error) {
				err = json.Unmarshal(body, &f)
				return f, err
			})
		figures := make([]nodeFigures, len(all))
		for i, m := range all {
			figures[i] = m.Value
			if figures[i].Node = m.Name; m.Err != nil {
				figures[i] = nodeFigures{Node: m.Name, Reason: noAnswer}
			}
		}
		return figures, err
	})
}

// failure returns why a node has reported nothing, or "".
func (f nodeFigures) failure() string { return string(cmp.Or(f.Reason, f.Error)) }

// trafficOf combines the answers, some of which may be missing. The counters of the nodes
// are present values. The figures of the cluster are those of the last sample, and zero
// before the first; they are used only if no node has reported its own.
func trafficOf(current currentFigures, stats, metrics []nodeFigures, members []ecp.BrokerNode) ecp.Traffic {
	nodes := nodesOf(stats, metrics, members)
	t := ecp.Traffic{Nodes: nodes, Rates: current.rates(), RatesError: current.without}
	for _, n := range nodes {
		t.Totals.Received += n.Totals.Received
		t.Totals.Sent += n.Totals.Sent
		t.Totals.Dropped += n.Totals.Dropped
	}
	if !slices.ContainsFunc(stats, func(f nodeFigures) bool { return f.failure() == "" }) {
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

// nodesOf returns the part of each node, sorted by name. A node with a missing part has an
// error.
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
		n.Error = cmp.Or(n.Error, f.failure())
		n.Connections, n.Sessions = f.Live.Int(), f.Connections.Int()
		counted[f.Node] = f.failure() == ""
	}
	for _, f := range metrics {
		n := at(f.Node)
		n.Error = cmp.Or(n.Error, f.failure())
		n.Totals = ecp.MessageTotals{
			Received: messages(f.Received), Sent: messages(f.Sent), Dropped: messages(f.Dropped),
		}
		measured[f.Node] = f.failure() == ""
	}
	for _, m := range members {
		if n := at(m.Name); !counted[m.Name] && !measured[m.Name] {
			n.Error = cmp.Or(n.Error, m.Error, "the node is "+string(m.Status))
		}
	}
	nodes := make([]ecp.NodeTraffic, 0, len(byName))
	for name, n := range byName {
		if n.Error == "" && (!counted[name] || !measured[name]) {
			n.Error = "the broker reported only a part of its figures"
		}
		nodes = append(nodes, *n)
	}
	slices.SortFunc(nodes, func(a, b ecp.NodeTraffic) int { return strings.Compare(a.Node, b.Node) })
	return nodes
}

// messages returns a count of messages. It returns 0 for impossibly large ones, so that no
// broker can make a sum overflow.
func messages(c emqxhttp.Count) int64 {
	if c > 1<<53 {
		return 0
	}
	return int64(c)
}

// point is a point of /monitor. Messages are counted since the previous sample, usually ten
// seconds earlier. Some versions also send points between the samples that have only a
// time.
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
		if at == 0 || at > maxMillis || p == (point{}) {
			continue
		}
		if p.Live == nil { // missing in some versions
			p.Live = p.Connections
		}
		series = append(series, ecp.TrafficSample{
			At:          time.UnixMilli(int64(at)).UTC(),
			Connections: count(p.Live).Int(), Sessions: count(p.Connections).Int(), Topics: count(p.Topics).Int(),
			Subscriptions: count(p.Subscriptions).Int(),
			Received:      messages(count(p.Received)), Sent: messages(count(p.Sent)),
			Dropped: messages(count(p.Dropped)),
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
