package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

var (
	statsOfAll   = nodeQuery{path: statsPath, rest: "/stats", key: "stats", maxAnswer: maxFigures}
	metricsOfAll = nodeQuery{path: metricsPath, rest: "/metrics", key: "metrics", maxAnswer: maxFigures}
)

// gauges are the present counters of a node, as far as they are used here.
type gauges struct {
	counters
	Topics        emqxhttp.Count `json:"topics.count"`
	Subscriptions emqxhttp.Count `json:"subscriptions.count"`
	Shared        emqxhttp.Count `json:"subscriptions.shared.count"`
	Retained      emqxhttp.Count `json:"retained.count"`
}

// sums are the counters since a node's start, as far as they are used here.
type sums struct {
	Received emqxhttp.Count `json:"messages.received"`
	Sent     emqxhttp.Count `json:"messages.sent"`
	Dropped  emqxhttp.Count `json:"messages.dropped"`
}

// Traffic queries counters, which every broker has, and rates, which the Enterprise edition
// has.
func (b *broker) Traffic(ctx context.Context) (ecp.Traffic, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	var now []nodeFigures[gauges]
	var since []nodeFigures[sums]
	var perSecond *ecp.Rates
	errs := make([]error, 3)
	emqxhttp.Parallel(len(errs), func(i int) {
		switch i {
		case 0:
			now, errs[i] = queryNodes[gauges](ctx, b, statsOfAll)
		case 1:
			since, errs[i] = queryNodes[sums](ctx, b, metricsOfAll)
		case 2:
			b.client.Optional(ctx, "rates of messages", func(ctx context.Context) error {
				perSecond, errs[i] = ofAllMembers(ctx, b, func(ctx context.Context) (*ecp.Rates, error) {
					c := get(ratesPath, rates)
					c.MaxAnswer = maxFigures
					return query(ctx, b, c, decodeRates)
				})
				return errs[i]
			})
		}
	})
	if errs[0] != nil {
		return ecp.Traffic{}, errs[0]
	}
	if err := errs[1]; err != nil { // totals of 0 would look like a restart
		return ecp.Traffic{}, err
	}
	t := trafficOf(now, since)
	t.Rates = perSecond
	if errs[2] != nil && !errors.Is(errs[2], ecp.ErrUnsupported) {
		t.RatesError = emqxhttp.MessageOnly(errs[2])
	}
	if err := b.client.CallerGone(ctx); err != nil {
		return ecp.Traffic{}, err
	}
	return t, nil
}

// trafficOf adds up the counters of the nodes. Every node has a full copy of the tables of
// routes, shared subscriptions and retained messages, so those are not added up.
func trafficOf(now []nodeFigures[gauges], since []nodeFigures[sums]) ecp.Traffic {
	totals := map[string]nodeFigures[sums]{}
	for _, f := range since {
		totals[f.node] = f
	}
	var t ecp.Traffic
	for _, f := range now {
		sum, told := totals[f.node]
		delete(totals, f.node)
		if !told {
			sum.err = "it does not report its metrics"
		}
		n := ecp.NodeTraffic{Node: f.node, Error: cmp.Or(f.err, sum.err)}
		if f.err == "" {
			n.Connections, n.Sessions = firstCount(f.data.Live, f.data.Connections), firstCount(f.data.Connections)
			t.Topics = max(t.Topics, f.data.Topics.Int())
			t.SharedSubscriptions = max(t.SharedSubscriptions, f.data.Shared.Int())
			t.Retained = max(t.Retained, f.data.Retained.Int())
			t.Subscriptions += f.data.Subscriptions.Int()
		}
		n.Totals = totalsOf(sum)
		t.Nodes = append(t.Nodes, n)
	}
	for node, sum := range totals {
		t.Nodes = append(t.Nodes, ecp.NodeTraffic{
			Node: node, Error: "it does not report its counters", Totals: totalsOf(sum),
		})
	}
	for _, n := range t.Nodes {
		t.Connections += n.Connections
		t.Sessions += n.Sessions
		t.Totals.Received = plus(t.Totals.Received, n.Totals.Received)
		t.Totals.Sent = plus(t.Totals.Sent, n.Totals.Sent)
		t.Totals.Dropped = plus(t.Totals.Dropped, n.Totals.Dropped)
	}
	slices.SortFunc(t.Nodes, func(x, y ecp.NodeTraffic) int { return strings.Compare(x.Node, y.Node) })
	return t
}

// totalsOf returns the totals of a node. They are zero if the node did not report them.
func totalsOf(f nodeFigures[sums]) ecp.MessageTotals {
	if f.err != "" {
		return ecp.MessageTotals{}
	}
	return ecp.MessageTotals{Received: int64(f.data.Received), Sent: int64(f.data.Sent), Dropped: int64(f.data.Dropped)}
}

// plus adds two numbers that are not negative. It returns the largest number on overflow.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// decodeRates reads the data of monitor/current_metrics: one object for the cluster, as two
// clients of the Enterprise edition read it, or one for each node, which some version might
// send. Dropped messages are in no known answer.
func decodeRates(data []byte) (*ecp.Rates, error) {
	type rate struct {
		Received *emqxhttp.Rate `json:"received"`
		Sent     *emqxhttp.Rate `json:"sent"`
		Dropped  *emqxhttp.Rate `json:"dropped"`
	}
	list := make([]rate, 1)
	if err := json.Unmarshal(data, &list[0]); err != nil {
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
	}
	var sum *ecp.Rates
	for _, r := range list {
		if r.Received == nil && r.Sent == nil {
			continue
		}
		if sum == nil {
			sum = &ecp.Rates{}
		}
		for from, to := range map[*emqxhttp.Rate]*float64{
			r.Received: &sum.Received, r.Sent: &sum.Sent, r.Dropped: &sum.Dropped,
		} {
			if from != nil {
				*to += float64(*from)
			}
		}
	}
	return sum, nil
}

// kindOfSeries is one of the series of the dashboard, and the field of a sample for its
// values.
type kindOfSeries struct {
	path string
	into func(s *ecp.TrafficSample) (count *int, messages *int64)
	all  bool // every node has the value of the whole cluster
}

// kindsOfSeries has the series that the Enterprise dashboard draws, with their names there.
var kindsOfSeries = []kindOfSeries{
	{path: "connection", into: func(s *ecp.TrafficSample) (*int, *int64) { return &s.Connections, nil }},
	{path: "route", into: func(s *ecp.TrafficSample) (*int, *int64) { return &s.Topics, nil }, all: true},
	{path: "subscriptions", into: func(s *ecp.TrafficSample) (*int, *int64) { return &s.Subscriptions, nil }},
	{path: "received", into: func(s *ecp.TrafficSample) (*int, *int64) { return nil, &s.Received }},
	{path: "sent", into: func(s *ecp.TrafficSample) (*int, *int64) { return nil, &s.Sent }},
	{path: "dropped", into: func(s *ecp.TrafficSample) (*int, *int64) { return nil, &s.Dropped }},
}

// add adds a value to a sample.
func (k kindOfSeries) add(s *ecp.TrafficSample, value float64) {
	count, messages := k.into(s)
	switch {
	case messages != nil:
		*messages = plus(*messages, int64(min(value, 1<<53)))
	case k.all:
		*count = max(*count, emqxhttp.Count(min(value, 1<<53)).Int())
	default:
		*count += emqxhttp.Count(min(value, 1<<53)).Int()
	}
}

// TrafficSeries queries the series of the Enterprise dashboard: one value per minute for
// each node and kind. No answer of a real broker is known. Names and form are those that
// the dashboard reads. It is not verified that messages are counted per minute, as assumed
// here. There is no series of sessions, so they are 0.
func (b *broker) TrafficSeries(ctx context.Context, last time.Duration) ([]ecp.TrafficSample, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return ofAllMembers(ctx, b, func(ctx context.Context) ([]ecp.TrafficSample, error) { return b.series(ctx, last) })
}

// series is TrafficSeries within the time of another call.
func (b *broker) series(ctx context.Context, last time.Duration) ([]ecp.TrafficSample, error) {
	answers, has := make([]seriesByNode, len(kindsOfSeries)), false
	var lacks error
	for i, k := range kindsOfSeries {
		answer, err := query(ctx, b, get(seriesPath+k.path, charts), decodeSeries(k.path))
		switch {
		case errors.Is(err, ecp.ErrUnsupported):
			lacks = err
		case err != nil:
			return nil, err
		default:
			answers[i], has = answer, true
		}
	}
	if !has {
		return nil, lacks
	}
	return samples(answers, time.Now().Add(-last)), nil
}

// point is one value of a series.
type point struct {
	at    time.Time
	value float64
}

// seriesByNode holds the points of one kind.
type seriesByNode map[string][]point

// decodeSeries returns the decoder for the data of monitor/metrics/{kind}: {node: [[time,
// value]…]…} with times in milliseconds. It also reads times in seconds and microseconds, a
// list for the whole cluster, and points that are objects. It leaves out points that it
// cannot read.
func decodeSeries(kind string) func(data []byte) (seriesByNode, error) {
	return func(data []byte) (seriesByNode, error) {
		nodes := map[string][]json.RawMessage{}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil {
			nodes[""] = list
		} else if err := json.Unmarshal(data, &nodes); err != nil {
			return nil, err
		}
		out := seriesByNode{}
		for node, list := range nodes {
			for _, raw := range list {
				if p, ok := pointOf(raw, kind); ok {
					out[node] = append(out[node], p)
				}
			}
		}
		return out, nil
	}
}

// pointOf reads [time, value], or an object with a timestamp and the kind.
func pointOf(raw json.RawMessage, kind string) (point, bool) {
	var pair []emqxhttp.Rate
	if json.Unmarshal(raw, &pair) != nil {
		var o map[string]json.RawMessage
		if json.Unmarshal(raw, &o) != nil || o[kind] == nil || o["timestamp"] == nil {
			return point{}, false
		}
		pair = make([]emqxhttp.Rate, 2)
		_ = json.Unmarshal(o["timestamp"], &pair[0])
		_ = json.Unmarshal(o[kind], &pair[1])
	}
	if len(pair) != 2 || pair[0] < 1 || pair[0] >= 1<<53 {
		return point{}, false
	}
	return point{timeOf(int64(pair[0])), float64(pair[1])}, true
}

// samples merges the points of all kinds and nodes by minute.
func samples(kinds []seriesByNode, from time.Time) []ecp.TrafficSample {
	byMinute := map[time.Time]*ecp.TrafficSample{}
	for i, nodes := range kinds {
		for _, points := range nodes {
			latest := map[time.Time]point{}
			for _, p := range points {
				if minute := p.at.Truncate(time.Minute); !p.at.Before(from) && !p.at.Before(latest[minute].at) {
					latest[minute] = p
				}
			}
			for minute, p := range latest {
				if byMinute[minute] == nil {
					byMinute[minute] = &ecp.TrafficSample{At: minute}
				}
				kindsOfSeries[i].add(byMinute[minute], p.value)
			}
		}
	}
	out := make([]ecp.TrafficSample, 0, len(byMinute))
	for _, s := range byMinute {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(x, y ecp.TrafficSample) int { return x.At.Compare(y.At) })
	return out
}
