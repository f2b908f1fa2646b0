package emqxv4_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	activated   = "/api/v4/alarms/activated"
	deactivated = "/api/v4/alarms/deactivated"
)

var (
	raisedAt  = time.UnixMicro(1795426420825940).UTC()
	clearedAt = time.UnixMicro(1795426420944108).UTC()
)

func TestAlarmsAsRecorded(t *testing.T) {
	b := brokerOf[ecp.AlarmSource](t, site{version: "4.4.19",
		paths: emqxtest.Paths{
			activated: recorded(t, "30-alarms-activated-one"), deactivated: recorded(t, "30-alarms-deactivated"),
		}})
	one := ecp.Alarm{
		Name: "test_alarm", Message: "Unknown alarm", Details: json.RawMessage(`{"reason":"x"}`),
		Nodes: []string{"emqx@127.0.0.4"}, Since: raisedAt,
	}
	active, err := b.ActiveAlarms(t.Context())
	require.NoError(t, err)
	requireAlarms(t, []ecp.Alarm{one}, active)
	require.True(t, active[0].Active())
	one.Until = clearedAt
	past, err := b.AlarmHistory(t.Context())
	require.NoError(t, err)
	requireAlarms(t, []ecp.Alarm{one}, past)
}

func requireAlarms(t *testing.T, want, got []ecp.Alarm) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if want[i].Details != nil {
			require.JSONEq(t, string(want[i].Details), string(got[i].Details))
		}
		got[i].Details = want[i].Details
		require.Equal(t, want[i], got[i])
	}
}

// TestAlarmsOfSeveralNodes: one cause is one alarm; names, details and times
// may be anything.
func TestAlarmsOfSeveralNodes(t *testing.T) {
	b := brokerOf[ecp.AlarmSource](t, site{version: "4.4.19", paths: emqxtest.Paths{
		activated: emqxtest.Body(`{"code":0,"data":[
			{"node":"emqx@c","error":"nodedown"},
			{"node":"emqx@b","alarms":[{"name":"partition","message":"late","details":[],` +
			`"activate_at":1795426430000000,"deactivate_at":"infinity"}]},
			{"node":"emqx@a","alarms":[
				{"name":"partition","message":"early","details":{"occurred":"emqx@c"},` +
			`"activate_at":1795426420825940,"deactivate_at":"infinity"},
				{"name":"{conn_congestion,<<\"c1\">>}","message":["con","gested"],"details":"text",` +
			`"activate_at":"1795426440000000"},
				{"name":{"resource":"r1"},"activate_at":0}]}]}`),
		deactivated: emqxtest.Body(`{"code":0,"data":[{"node":"emqx@a","alarms":[{"name":"x",` +
			`"activate_at":1795426420825940,"deactivate_at":"infinity"},{"name":"y"}]}]}`),
	}})
	active, err := b.ActiveAlarms(t.Context())
	require.NoError(t, err)
	requireAlarms(t, []ecp.Alarm{
		{Name: `{conn_congestion,<<"c1">>}`, Message: `["con","gested"]`, Details: json.RawMessage(`{"value":"text"}`),
			Nodes: []string{"emqx@a"}, Since: time.Unix(1795426440, 0).UTC()},
		{Name: "partition", Message: "early", Details: json.RawMessage(`{"occurred":"emqx@c"}`),
			Nodes: []string{"emqx@a", "emqx@b"}, Since: raisedAt},
		{Name: `{"resource":"r1"}`, Nodes: []string{"emqx@a"}},
	}, active)
	past, err := b.AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Len(t, past, 2)
	for _, a := range past {
		require.False(t, a.Active(), "%+v is history", a)
	}
}

// TestAlarmsOneByOne: where the call for all nodes crashes.
func TestAlarmsOneByOne(t *testing.T) {
	one := emqxtest.Body(`{"code":0,"data":[{"name":"x","activate_at":1795426420825940,"deactivate_at":"infinity"}]}`)
	b := brokerOf[ecp.AlarmSource](t, site{version: "4.4.19", paths: emqxtest.Paths{activated: emqxtest.Status(500),
		"/api/v4/nodes/emqx@a/alarms/activated": one, "/api/v4/nodes/emqx@b/alarms/activated": recorded(t,
			"cluster-02-metrics-node-down")}})
	active, err := b.ActiveAlarms(t.Context())
	require.NoError(t, err)
	requireAlarms(t, []ecp.Alarm{{Name: "x", Nodes: []string{"emqx@a"}, Since: raisedAt}}, active)
	_, err = b.AlarmHistory(t.Context())
	refusedWith(t, err, ecp.CodeUnsupported)
}
