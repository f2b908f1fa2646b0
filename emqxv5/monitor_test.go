package emqxv5_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	current = "/api/v5/monitor_current"
	stats   = "/api/v5/stats"
	metrics = "/api/v5/metrics"
	series  = "/api/v5/monitor"
)

func TestTraffic(t *testing.T) {
	got, err := open[ecp.Monitor](t, replay(t, "one")).Traffic(t.Context())
	require.NoError(t, err)
	totals := ecp.MessageTotals{Received: 1}
	require.Equal(t, ecp.Traffic{ // not the sums of /monitor_current, which has no sample yet
		Connections: 2, Sessions: 3, Topics: 3, Subscriptions: 3, SharedSubscriptions: 1, Rates: &ecp.Rates{},
		Totals: totals,
		Nodes:  []ecp.NodeTraffic{{Node: "emqx@127.0.0.1", Connections: 2, Sessions: 3, Totals: totals}},
	}, got)
}

// TestTrafficInPart: a node that tells nothing, or not all, says so and counts
// for nothing; what the cluster does not sum up is summed up from the nodes.
func TestTrafficInPart(t *testing.T) {
	stopped := replay(t, "stopped")
	members := emqxtest.Body(`[{"node":"a","node_status":"running"},{"node":"b","node_status":"running"},` +
		`{"node":"c","node_status":"stopped"},{"node":"d","error":"timeout"}]`)
	figures := emqxtest.Body(`[{"node":"b","reason":"nodedown"},{"node":"a","connections.count":5,` +
		`"live_connections.count":"4","topics.count":7,"subscriptions.count":3,"subscriptions.shared.count":1,` +
		`"retained.count":2}]`)
	counters := emqxtest.Body(`[{"node":"a","messages.received":10,"messages.sent":9007199254740000,` +
		`"messages.dropped":null},{"node":"b","reason":"nodedown"}]`)
	a := ecp.NodeTraffic{Node: "a", Connections: 4, Sessions: 5, Totals: ecp.MessageTotals{
		Received: 10, Sent: 9007199254740000,
	}}
	for _, c := range []struct {
		name string
		h    http.Handler
		want ecp.Traffic
	}{
		{"one of three is stopped", emqxtest.Paths{metrics: emqxtest.Body(`[{"node":"emqx@127.0.0.1"},` +
			`{"node":"emqx@127.0.0.2"}]`)}.Before(stopped), ecp.Traffic{
			Connections: 16, Sessions: 16, Topics: 16, Subscriptions: 16, Retained: 8, Rates: &ecp.Rates{},
			Nodes: []ecp.NodeTraffic{
				{Node: "emqx@127.0.0.1", Connections: 16, Sessions: 16}, {Node: "emqx@127.0.0.2"},
				{Node: "emqx@127.0.0.3", Error: "the node is stopped"},
			}}},
		{"no sums", emqxtest.Paths{nodes: members, stats: figures, metrics: counters, current: emqxtest.Refusal(500,
			`{"code":"BAD_RPC"}`)}.Before(stopped), ecp.Traffic{
			Connections: 4, Sessions: 5, Topics: 7, Subscriptions: 3, SharedSubscriptions: 1, Retained: 2,
			Totals: a.Totals,
			Nodes: []ecp.NodeTraffic{
				a, {Node: "b", Error: "nodedown"}, {Node: "c", Error: "the node is stopped"},
				{Node: "d", Error: "timeout"},
			}}},
		{"sums only", emqxtest.Paths{current: emqxtest.Body(`{"live_connections":3,"connections":4,` +
			`"received_msg_rate":1.5,"sent_msg_rate":"2","dropped_msg_rate":-1}`)}.Before(http.NotFoundHandler()),
			ecp.Traffic{
				Connections: 3, Sessions: 4, Rates: &ecp.Rates{Received: 1.5, Sent: 2}, Nodes: []ecp.NodeTraffic{}}},
		{"no counters", emqxtest.Paths{nodes: members, stats: figures,
			metrics: emqxtest.Status(500)}.Before(http.NotFoundHandler()), ecp.Traffic{
			Connections: 4, Sessions: 5, Topics: 7, Subscriptions: 3, SharedSubscriptions: 1, Retained: 2,
			Nodes: []ecp.NodeTraffic{
				{Node: "a", Connections: 4, Sessions: 5, Error: "the broker reported only a part of its figures"},
				{Node: "b", Error: "nodedown"},
				{Node: "c", Error: "the node is stopped"}, {Node: "d", Error: "timeout"},
			}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := open[ecp.Monitor](t, c.h).Traffic(t.Context())
			require.NoError(t, err)
			require.Equal(t, got.Rates == nil, got.RatesError != "", "it says why there are no rates: %q",
				got.RatesError)
			got.RatesError = ""
			require.Equal(t, c.want, got)
		})
	}
}

// TestTrafficFails only where nothing is told; and something that hangs takes
// not all of the time.
func TestTrafficFails(t *testing.T) {
	_, err := open[ecp.Monitor](t, answer(t, "35-apikey-publisher-get-403")).Traffic(t.Context())
	refusedAs(t, err, ecp.CodeDenied, "UNAUTHORIZED_ROLE", "monitor_current", "viewer")
	synctest.Test(t, func(t *testing.T) {
		_, err := inside[ecp.Monitor](t, emqxtest.Hang{}).Traffic(t.Context())
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		got, err := inside[ecp.Monitor](t, emqxtest.Paths{current: emqxtest.Hang{}}.Before(replay(t,
			"one"))).Traffic(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, got.Connections)
		require.Nil(t, got.Rates)
	})
}

// TestTrafficOfTheRest: a member that hangs holds up what all are asked for; it
// is left out of the sums and says so.
func TestTrafficOfTheRest(t *testing.T) {
	is := emqxtest.Body(`{"node":"emqx@a","node_status":"running","role":"core","version":"5.8.9"}`)
	h := emqxtest.Paths{
		current: emqxtest.Hang{}, stats: emqxtest.Hang{}, metrics: emqxtest.Hang{}, nodes: emqxtest.Hang{},
		cluster:                   emqxtest.Body(`{"nodes":["emqx@a","emqx@b"],"self":"emqx@a"}`),
		nodes + "/emqx@a":         is,
		nodes + "/emqx@a/stats":   emqxtest.Body(`{"connections.count":3,"live_connections.count":2,"topics.count":7}`),
		nodes + "/emqx@a/metrics": emqxtest.Body(`{"messages.received":5}`),
		nodes + "/emqx@b":         emqxtest.Hang{},
		nodes + "/emqx@b/stats":   emqxtest.Hang{},
		nodes + "/emqx@b/metrics": emqxtest.Hang{},
	}.Before(http.NotFoundHandler())
	synctest.Test(t, func(t *testing.T) {
		got, err := inside[ecp.Monitor](t, h).Traffic(t.Context())
		require.NoError(t, err)
		totals := ecp.MessageTotals{Received: 5}
		require.NotEmpty(t, got.RatesError)
		got.RatesError = ""
		require.Equal(t, ecp.Traffic{Connections: 2, Sessions: 3, Topics: 7, Totals: totals, Nodes: []ecp.NodeTraffic{
			{Node: "emqx@a", Connections: 2, Sessions: 3, Totals: totals},
			{Node: "emqx@b", Error: "the node that was asked gets no answer from it"},
		}}, got)
	})
}

// TestTrafficSeries: moments at which nothing was sampled are left out; figures
// are those of each sample.
func TestTrafficSeries(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	var requests emqxtest.Requests
	got, err := open[ecp.Monitor](t, requests.Record(replay(t, "one"))).TrafficSeries(t.Context(), 59*time.Second+
		time.Millisecond)
	require.NoError(t, err)
	sample := ecp.TrafficSample{
		At: at(1795425640000), Connections: 2, Sessions: 2, Topics: 2, Subscriptions: 2,
		Received: 2, Sent: 2, Dropped: 1,
	}
	later := sample
	later.At = at(1795425650000)
	quiet := ecp.TrafficSample{At: at(1795425660000), Connections: 2, Sessions: 2, Topics: 2, Subscriptions: 2}
	require.Equal(t, []ecp.TrafficSample{sample, later, quiet}, got)
	require.Equal(t, []string{"GET /api/v5/monitor?latest=60"}, requests.Sent())

	for body, want := range map[string][]ecp.TrafficSample{
		`[]`: {},
		`[{"time_stamp":2000,"connections":1},{"time_stamp":1000,"received":"3"},{"connections":9},` +
			`{"time_stamp":99999999999999999,"sent":1}]`: {
			{At: at(1000), Received: 3}, {At: at(2000), Connections: 1, Sessions: 1},
		},
	} {
		b := open[ecp.Monitor](t, emqxtest.Paths{series: emqxtest.Body(body)}.Before(http.NotFoundHandler()))
		got, err := b.TrafficSeries(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = open[ecp.Monitor](t, replay(t, "one")).TrafficSeries(t.Context(), 0)
	require.ErrorIs(t, err, ecp.ErrInvalid)
}
