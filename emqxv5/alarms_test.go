package emqxv5_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const alarms = "/api/v5/alarms"

func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func TestAlarms(t *testing.T) {
	b := open[ecp.AlarmSource](t, replay(t, "one"))
	active, err := b.ActiveAlarms(t.Context())
	require.NoError(t, err)
	require.Len(t, active, 3)
	require.Equal(t, ecp.Alarm{
		Name: "license_quota", Message: "License: sessions quota exceeds 90%",
		Details: []byte(`{"high_watermark":"90"}`),
		Nodes:   []string{"emqx@127.0.0.1"}, Since: timeOf("2026-11-23T09:21:24.013Z"),
	}, active[0])
	require.Equal(t, "connector:http:down1", active[2].Name)

	over, err := b.AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Len(t, over, 6)
	require.Equal(t, timeOf("2026-11-23T09:21:49.018Z"), over[0].Until)
	require.Equal(t, "connector:http:h1", over[5].Name)
	require.Equal(t, timeOf("2026-11-23T09:20:24.870Z"), over[5].Since)
	for _, a := range over {
		require.False(t, a.Active())
	}
}

// TestAlarmsOfNodes: what several nodes raise is one alarm; times are read in
// any zone, and an end that is missing is reckoned.
func TestAlarmsOfNodes(t *testing.T) {
	page := emqxtest.Body(`{"data":[
		{"node":"b","name":"x","message":"second","activate_at":"2024-10-25T11:52:53+08:00",` +
		`"deactivate_at":"2024-10-25T11:57:00+08:00","details":[1]},
		{"node":"a","name":"x","message":"first","activate_at":"2024-10-25T03:52:52Z","duration":2000,` +
		`"details":{"k": 1}},
		{"node":"c","name":"y","message":{"odd":true},"activate_at":"some day","duration":"infinity","details":null}
	],"meta":{"count":-1,"hasnext":false}}`)
	b := open[ecp.AlarmSource](t, emqxtest.Paths{alarms: page}.Before(http.NotFoundHandler()))
	over, err := b.AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Alarm{
		{Name: "x", Message: "first", Details: []byte(`{"k":1}`), Nodes: []string{"a", "b"},
			Since: timeOf("2024-10-25T03:52:52Z"), Until: timeOf("2024-10-25T03:57:00Z")},
		{Name: "y", Message: `{"odd":true}`, Nodes: []string{"c"}, Since: time.UnixMilli(0).UTC(),
			Until: time.UnixMilli(0).UTC()},
	}, over)
	active, err := b.ActiveAlarms(t.Context())
	require.NoError(t, err)
	for _, a := range active {
		require.True(t, a.Active())
	}
}

// TestAlarmPages: all pages are read, whatever the count says, and no more than
// are promised.
func TestAlarmPages(t *testing.T) {
	full := func(n int, more bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var all []string
			for i := range n {
				all = append(all, fmt.Sprintf(`{"node":"a","name":"%s-%d","activate_at":"2024-10-25T03:52:52Z",`+
					`"deactivate_at":"2024-10-25T03:52:53Z"}`, r.FormValue("page"), i))
			}
			emqxtest.Body(fmt.Sprintf(`{"data":[%s],"meta":{"count":1,"hasnext":%v}}`, strings.Join(all, ","),
				more)).ServeHTTP(w, r)
		})
	}
	var requests emqxtest.Requests
	got, err := open[ecp.AlarmSource](t, requests.Record(emqxtest.InTurn(full(1000, true), full(1000, true),
		full(3, false)))).AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2003)
	require.Equal(t, "GET /api/v5/alarms?activated=false&limit=1000&page=3", requests.Sent()[2])

	requests = emqxtest.Requests{}
	got, err = open[ecp.AlarmSource](t, requests.Record(full(1000, true))).AlarmHistory(t.Context())
	require.NoError(t, err)
	require.Len(t, got, ecp.MaxAlarms)
	require.Len(t, requests.Sent(), 10)
}

func TestAlarmsFail(t *testing.T) {
	for _, c := range []struct {
		h    http.Handler
		code ecp.Code
		says string
	}{
		{emqxtest.Refusal(500, `{"code":"NODE_DOWN","message":"emqx@b"}`), ecp.CodeUnavailable,
			"a node of the cluster is down"},
		{emqxtest.Refusal(400, `{"code":"BAD_RPC","message":"emqx@b"}`), ecp.CodeUnavailable,
			"did not answer the one that was asked"},
		{emqxtest.Body(`{}`), ecp.CodeUnavailable, "not that of EMQX 5"},
	} {
		_, err := open[ecp.AlarmSource](t, c.h).ActiveAlarms(t.Context())
		refusedAs(t, err, c.code, "", c.says)
	}
}
