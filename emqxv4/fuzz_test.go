package emqxv4

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// seed adds the data of all recordings, and more.
func seed(f *testing.F, more ...string) {
	f.Helper()
	emqxtest.AddBodies(f)
	for _, s := range more {
		f.Add([]byte(s))
	}
}

// dataOf gives the data in an envelope, or the bytes themselves.
func dataOf(body []byte) []byte {
	if data, said, err := decodeEnvelope(body); err == nil && said == nil {
		return data
	}
	return body
}

// FuzzRefusal: words are one line and bounded, whatever they were.
func FuzzRefusal(f *testing.F) {
	seed(f, `{"code":400,"message":[97,[108,"ready_started"]]}`, `{"code":"x","message":{"a":"b"}}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		data, said, err := decodeEnvelope(body)
		if err != nil || said == nil {
			return
		}
		require.Nil(t, data)
		require.NotEmpty(t, said.code)
		require.NotEmpty(t, said.String())
		require.NotContains(t, said.message, "\n")
	})
}

// FuzzTraffic: sums are those of the nodes, and nothing is below zero.
func FuzzTraffic(f *testing.F) {
	seed(f, `[{"node":"a","stats":{"error":"nodedown"}},{"node":"b","connections.count":3}]`,
		`{"received":1.5,"sent":"2"}`, `[{"received":1},{"sent":2}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		data := dataOf(body)
		now, nowErr := decodeFigures[gauges](statsOfAll.key)(data)
		since, sinceErr := decodeFigures[sums](metricsOfAll.key)(data)
		if nowErr == nil && sinceErr == nil {
			traffic := trafficOf(now, since)
			connections, received := 0, int64(0)
			for _, n := range traffic.Nodes {
				require.NotEmpty(t, n.Node)
				connections += n.Connections
				received = plus(received, n.Totals.Received)
				require.GreaterOrEqual(t, min(n.Totals.Received, n.Totals.Sent, n.Totals.Dropped), int64(0))
			}
			require.Equal(t, traffic.Connections, connections)
			require.Equal(t, traffic.Totals.Received, received)
			require.GreaterOrEqual(t, min(connections, traffic.Sessions, traffic.Topics, traffic.Subscriptions,
				traffic.SharedSubscriptions, traffic.Retained), 0)
			require.True(t, slices.IsSortedFunc(traffic.Nodes, func(a, b ecp.NodeTraffic) int {
				return strings.Compare(a.Node,
					b.Node)
			}))
		}
		if r, err := decodeRates(data); err == nil && r != nil {
			require.GreaterOrEqual(t, min(r.Received, r.Sent, r.Dropped), 0.0)
		}
	})
}

// FuzzSeries: samples are in order, one a minute, none before what was asked.
func FuzzSeries(f *testing.F) {
	seed(f, `{"a":[[1795426420825,5],[1795426480825,"6"]],"b":[[1795426420,1]]}`, `{"a":[[1,2,3],[],null]}`,
		`[{"timestamp":1795426480825,"sent":5},{"sent":1}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSeries("sent")(dataOf(body))
		if err != nil {
			return
		}
		from := time.Unix(1795426450, 0)
		all := samples([]seriesByNode{s, s, s, s, s, s}, from)
		for i, one := range all {
			require.False(t, one.At.Before(from.Truncate(time.Minute)))
			require.Equal(t, time.UTC, one.At.Location())
			require.GreaterOrEqual(t, min(one.Connections, one.Topics, one.Subscriptions), 0)
			require.GreaterOrEqual(t, min(one.Received, one.Sent, one.Dropped), int64(0))
			require.True(t, i == 0 || all[i-1].At.Before(one.At))
		}
	})
}

// FuzzAlarms: alarms have details that are an object, and an end if and only if
// they are history.
func FuzzAlarms(f *testing.F) {
	seed(f, `[{"node":"a","alarms":[{"name":{"x":1},"details":"text","activate_at":"1795426420825940",`+
		`"deactivate_at":"infinity"}]}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		nodes, err := decodeFigures[[]alarm](activeAlarms.key)(dataOf(body))
		if err != nil {
			return
		}
		for _, active := range []bool{true, false} {
			for _, a := range emqxhttp.GroupAlarms(nodeAlarms(nodes, active)) {
				require.Equal(t, active, a.Active())
				require.NotEmpty(t, a.Nodes)
				require.False(t, !active && a.Until.Before(a.Since))
				var object map[string]any
				require.True(t, a.Details == nil || json.Unmarshal(a.Details, &object) == nil, "%s", a.Details)
			}
		}
	})
}

// FuzzListeners: each is there once, with the sums of its nodes, and none is of
// the management API.
func FuzzListeners(f *testing.F) {
	seed(f, `[{"node":"a","listeners":[{"protocol":"mqtt:ws:8083","current_conns":1},{"protocol":"mqtt:ws:8083",`+
		`"current_conns":2}]},{"node":"b","error":"x"}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		nodes, err := decodeFigures[[]listener](listenersOfAll.key)(dataOf(body))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, l := range listenersOf(nodes) {
			require.False(t, seen[l.ID])
			seen[l.ID] = true
			require.False(t, strings.HasPrefix(string(l.Protocol), "http:"))
			sum := 0
			for _, n := range l.Nodes {
				sum += n.Connections
			}
			require.Equal(t, sum, l.Connections)
			settingOf(l.ID, "max_connections")
		}
	})
}

// FuzzRules: rules have ids, and each of what they lead to once.
func FuzzRules(f *testing.F) {
	seed(f, `{"code":0,"data":[{"id":1,"for":"t","actions":[{"name":"republish",`+
		`"fallbacks":[{"params":{"$resource":"x"}}]}]}],"meta":{"hasnext":true}}`, `[]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodeRules(body)
		if err != nil {
			return
		}
		for _, r := range p.Items {
			d := r.toRule()
			require.NotEmpty(t, d.ID)
			require.NotContains(t, d.Topics, "")
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(d.Actions))), len(d.Actions))
			require.NotContains(t, d.Actions, "")
		}
	})
}

// FuzzResources: a status is one of the domain's, with nodes or without.
func FuzzResources(f *testing.F) {
	seed(f, `[{"id":"x","status":"true"}]`, `{"status":[{"node":"a","is_alive":false}]}`)
	known := []ecp.IntegrationStatus{ecp.IntegrationConnected, ecp.IntegrationDisconnected, ecp.IntegrationUnknown}
	f.Fuzz(func(t *testing.T, body []byte) {
		all, _ := decodeResources(dataOf(body))
		for _, r := range all {
			require.NotEmpty(t, r.ID)
			require.Contains(t, known, r.Status)
		}
		nodes, _ := decodeResourceNodes(dataOf(body))
		for _, n := range nodes {
			require.NotEmpty(t, n.Node)
			require.Contains(t, known, n.Status)
		}
	})
}

// FuzzEvacuations: an evacuation is done only where the broker says in numbers
// that nothing is left.
func FuzzEvacuations(f *testing.F) {
	seed(f, `{"evacuations":[{"node":"a","state":"prohibiting","stats":{"current_connected":0,`+
		`"current_sessions":"0"}}]}`,
		`{"evacuations":[{"node":"a","state":"prohibiting","stats":{"current_connected":0}}]}`,
		`{"evacuations":[{"node":"a","state":"evicting_conns"}],"rebalances":[]}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := emqxhttp.DecodeEvacuations(body)
		if err != nil {
			return
		}
		for node, p := range all {
			require.NotEmpty(t, node)
			require.NotEmpty(t, p.Phase)
			require.GreaterOrEqual(t, min(p.Connections, p.Sessions, p.InitialConnections, p.InitialSessions), 0)
			if p.Done() {
				require.GreaterOrEqual(t, strings.Count(strings.ToLower(string(body)), "current_"), 2)
			}
		}
	})
}

// FuzzCalls: no path in the broker's list leads out of its API.
func FuzzCalls(f *testing.F) {
	seed(f, `[{"method":"post","path":"/dynamic_license/"},{"method":"GET","path":"/../x?y"},{"path":"//host/x"}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		listed, err := decodeCalls(dataOf(body))
		if err != nil {
			return
		}
		for _, l := range listed {
			require.True(t, strings.HasPrefix(l.Path, "/"))
			require.NotContains(t, l.Path, "..")
			require.False(t, strings.ContainsAny(l.Path, "?#% \n"))
			require.Equal(t, strings.HasPrefix(l.Path+"/", "/dynamic_license/"), l.below(limitPath))
		}
	})
}

// FuzzLicense: a license that is told has a limit that counts something, and is
// the built-in one only by its customer type; editions are those there are.
func FuzzLicense(f *testing.F) {
	seed(f, `{"max_connections":10000,"expiry_at":"2027-01-31 23:59:59"}`,
		`{"customer_type":"10","expiry":"true","issued_at":"2020-06-20"}`, `[{"sysdescr":"EMQX Enterprise"}]`)
	now := time.Unix(1795426450, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		data := dataOf(body)
		if l, err := decodeLicense(data); err == nil {
			d := l.merge(license{}).toLicense(now)
			require.GreaterOrEqual(t, d.Limit, 0)
			require.GreaterOrEqual(t, d.CustomerType, -1)
			require.Equal(t, d.BuiltIn, d.CustomerType == evaluation)
			require.Equal(t, time.UTC, d.Until.Location())
			require.Equal(t, strings.ToLower(d.Type), d.Type)
			require.Equal(t, d.Limit, limitOf(l, "").Set)
		}
		edition, _ := decodeEdition(data)
		require.Contains(t, []string{"", ecp.EditionEnterprise, ecp.EditionOpenSource}, edition)
	})
}
