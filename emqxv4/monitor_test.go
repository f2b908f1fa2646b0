package emqxv4_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	metrics = "/api/v4/metrics"
	current = "/api/v4/monitor/current_metrics"
)

// statsOf and metricsOf are what two nodes say; topics, shared subscriptions
// and retained messages are in tables that both have a copy of.
const (
	statsOfA = `{"connections.count":5,"live_connections.count":"4","topics.count":7,"subscriptions.count":3,` +
		`"subscriptions.shared.count":2,"retained.count":9}`
	statsOfB = `{"connections.count":2,"topics.count":6,"subscriptions.count":4,"subscriptions.shared.count":2,` +
		`"retained.count":9}`
	sumsOfA = `{"messages.received":10,"messages.sent":20,"messages.dropped":1}`
	sumsOfB = `{"messages.received":100,"messages.sent":"200","messages.dropped":2}`
)

func TestTraffic(t *testing.T) {
	both := ecp.Traffic{
		Connections: 6, Sessions: 7, Topics: 7, Subscriptions: 7, SharedSubscriptions: 2, Retained: 9,
		Totals: ecp.MessageTotals{Received: 110, Sent: 220, Dropped: 3},
		Nodes: []ecp.NodeTraffic{
			{Node: "emqx@a", Connections: 4, Sessions: 5, Totals: ecp.MessageTotals{
				Received: 10, Sent: 20, Dropped: 1,
			}},
			{Node: "emqx@b", Connections: 2, Sessions: 2, Totals: ecp.MessageTotals{
				Received: 100, Sent: 200, Dropped: 2,
			}},
		},
	}
	withRates := both
	withRates.Rates = &ecp.Rates{Received: 12, Sent: 34.5}
	withoutB := ecp.Traffic{
		Connections: 4, Sessions: 5, Topics: 7, Subscriptions: 3, SharedSubscriptions: 2, Retained: 9,
		Totals: ecp.MessageTotals{Received: 10, Sent: 20, Dropped: 1},
		Nodes:  []ecp.NodeTraffic{both.Nodes[0], {Node: "emqx@b", Error: "nodedown"}},
	}
	for _, c := range []struct {
		name  string
		paths emqxtest.Paths
		want  ecp.Traffic
		code  ecp.Code
	}{
		{name: "open source", want: both, paths: emqxtest.Paths{
			stats: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b","stats":` + statsOfB +
				`},{"node":"emqx@a","stats":` +
				statsOfA + `}]}`),
			metrics: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b","metrics":` + sumsOfB +
				`},{"node":"emqx@a","metrics":` +
				sumsOfA + `}]}`)}},
		{name: "enterprise, flat", want: withRates, paths: emqxtest.Paths{
			stats: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b",` + statsOfB[1:] + `,{"node":"emqx@a",` +
				statsOfA[1:] +
				`]}`),
			metrics: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b",` + sumsOfB[1:] + `,{"node":"emqx@a",` +
				sumsOfA[1:] +
				`]}`),
			current: emqxtest.Body(`{"code":0,"data":{"node":2,"received":12,"sent":"34.5","subscription":5,` +
				`"connection":7}}`)}},
		{name: "a node is named as away", want: withoutB, paths: emqxtest.Paths{
			stats: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b","error":"nodedown"},{"node":"emqx@a","stats":` +
				statsOfA + `}]}`),
			metrics: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@b","metrics":{"error":"nodedown"}},` +
				`{"node":"emqx@a","metrics":` + sumsOfA + `}]}`)}},
		{name: "nobody answers", code: ecp.CodeUnavailable, paths: emqxtest.Paths{stats: emqxtest.Status(500),
			metrics: emqxtest.Status(500)}},
		{name: "no rights", code: ecp.CodeDenied, paths: emqxtest.Paths{stats: emqxtest.Status(403),
			metrics: emqxtest.Status(403)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := brokerOf[ecp.Monitor](t, site{version: "4.4.19", paths: c.paths}).Traffic(t.Context())
			refusedWith(t, err, c.code)
			require.Equal(t, c.want, got)
		})
	}
}

// TestTrafficOneByOne: a member that is away makes the calls for all nodes
// crash; those that answer are asked for themselves, and the other says so.
func TestTrafficOneByOne(t *testing.T) {
	down := emqxtest.Body(`{"message":"nodedown"}`) // as recorded
	got, err := brokerOf[ecp.Monitor](t, site{version: "4.4.19", paths: emqxtest.Paths{
		stats: emqxtest.Status(500), metrics: emqxtest.Status(500),
		"/api/v4/nodes/emqx@a/stats":   emqxtest.Body(`{"code":0,"data":` + statsOfA + `}`),
		"/api/v4/nodes/emqx@a/metrics": emqxtest.Body(`{"code":0,"data":` + sumsOfA + `}`),
		"/api/v4/nodes/emqx@b/stats":   down, "/api/v4/nodes/emqx@b/metrics": down,
	}}).Traffic(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, got.Connections)
	require.Len(t, got.Nodes, 2)
	require.Empty(t, got.Nodes[0].Error)
	require.Contains(t, got.Nodes[1].Error, "nodedown")
}

// TestTrafficAsRecorded: one node of the open-source edition.
func TestTrafficAsRecorded(t *testing.T) {
	got, err := brokerOf[ecp.Monitor](t, emqxtest.Paths{metrics: recorded(t, "05-metrics")}.Before(replay(t,
		"one"))).Traffic(t.Context())
	require.NoError(t, err)
	totals := ecp.MessageTotals{Received: 2, Sent: 2, Dropped: 1}
	require.Equal(t, ecp.Traffic{Connections: 2, Sessions: 3, Topics: 3, Subscriptions: 3, SharedSubscriptions: 1,
		Retained: 4, Totals: totals,
		Nodes: []ecp.NodeTraffic{{Node: "emqx@127.0.0.4", Connections: 2, Sessions: 3, Totals: totals}}}, got)

	got, err = brokerOf[ecp.Monitor](t, emqxtest.Paths{metrics: recorded(t, "cluster-01-metrics")}.Before(replay(t,
		"two"))).Traffic(t.Context())
	require.NoError(t, err)
	require.Equal(t, ecp.MessageTotals{Received: 8, Sent: 14, Dropped: 1}, got.Totals)
	require.Equal(t, 4, got.Retained, "both nodes have the same four")
}

// TestTrafficSeries: what the enterprise dashboard draws, by minute, for all
// nodes, as far back as asked.
func TestTrafficSeries(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	at := func(minutes int) int64 { return now.Add(time.Duration(minutes) * time.Minute).UnixMilli() }
	kind := func(format string, args ...any) http.Handler {
		return emqxtest.Body(`{"code":0,"data":` + fmt.Sprintf(format, args...) + `}`)
	}
	s := site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{
		"/api/v4/monitor/metrics/connection": kind(`{"emqx@a":[[%d,5],[%d,6],[%d,7],["x",1],[3]],"emqx@b":[[%d,"10"]]}`,
			at(-600), at(-2), at(-1)+500, at(-2)+900),
		"/api/v4/monitor/metrics/route":         kind(`{"emqx@a":[[%d,3]],"emqx@b":[[%d,4]]}`, at(-2), at(-2)),
		"/api/v4/monitor/metrics/subscriptions": kind(`[]`),
		"/api/v4/monitor/metrics/received":      kind(`{"emqx@a":[[%d,100]],"emqx@b":[[%d,11]]}`, at(-2), at(-2)),
		"/api/v4/monitor/metrics/sent": kind(`[{"timestamp":%d,"sent":1},{"timestamp":%d,"sent":"2"},`+
			`{"timestamp":1},{}]`, at(-2), at(-2)+1),
	}}
	got, err := brokerOf[ecp.Monitor](t, s).TrafficSeries(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, []ecp.TrafficSample{
		{At: now.Add(-2 * time.Minute).UTC(), Connections: 16, Topics: 4, Received: 111, Sent: 2},
		{At: now.Add(-time.Minute).UTC(), Connections: 7},
	}, got)
	_, err = brokerOf[ecp.Monitor](t, site{version: "4.4.19"}).TrafficSeries(t.Context(), time.Hour)
	refusedWith(t, err, ecp.CodeUnsupported, "figures over time", "found open-source EMQX 4.4.19")
}
