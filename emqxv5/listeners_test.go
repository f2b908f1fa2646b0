package emqxv5_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
)

const (
	listeners = "/api/v5/listeners"
	tcp       = "/api/v5/listeners/tcp:default"
)

func TestListeners(t *testing.T) {
	got, err := open[ecp.ListenerManager](t, replay(t, "one")).Listeners(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 4)
	require.Equal(t, ecp.BrokerListener{
		ID: "tcp:default", Protocol: ecp.MQTT, Bind: "127.0.0.1:1883", Enabled: true, Running: ecp.True, Connections: 2,
		Nodes: []ecp.ListenerNode{{Node: "emqx@127.0.0.1", Running: true, Connections: 2}},
	}, got[1])
	for i, p := range []ecp.Protocol{ecp.MQTTS, ecp.MQTT, ecp.WS, ecp.WSS} {
		require.Equal(t, p, got[i].Protocol)
	}

	got, err = open[ecp.ListenerManager](t, emqxtest.Body(`[{"id":"quic:q","type":"quic","enable":false,"bind":14567,
		"status":{"running":"inconsistent","current_connections":3,"max_connections":200},
		"node_status":[{"node":"b","status":{"running":false,"current_connections":1,"max_connections":100}},{"node":"a","status":{"running":true,"current_connections":"2","max_connections":100}}]}]`)).Listeners(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.BrokerListener{{
		ID: "quic:q", Protocol: "quic", Bind: "14567", Running: ecp.Unknown, Connections: 3, Limit: 100,
		Nodes: []ecp.ListenerNode{{Node: "a", Running: true, Connections: 2, Limit: 100}, {Node: "b", Connections: 1, Limit: 100}},
	}}, got)
}

func TestSetListenerLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		id    string
		limit int
		put   http.Handler
		sent  string
		code  ecp.Code
		says  string
	}{
		{"a limit", "tcp:default", 100, emqxtest.Body(`{"id":"tcp:default","max_connections":100}`), `{"id":"tcp:default","max_connections":100,"type":"tcp"}`, "", ""},
		{"as it is", "tcp:default", 0, nil, "", "", ""},
		{"that does not hold", "tcp:default", 100, emqxtest.Body(`{"id":"tcp:default","max_connections":"infinity"}`), `{"id":"tcp:default","max_connections":100,"type":"tcp"}`, ecp.CodeUnavailable, "has another"},
		{"refused", "tcp:default", 100, emqxtest.Failing(400, `{"code":"BAD_REQUEST","message":"bad"}`), `{"id":"tcp:default","max_connections":100,"type":"tcp"}`, ecp.CodeInvalid, "bad"},
		{"negative", "tcp:default", -1, nil, "", ecp.CodeInvalid, "must not be negative"},
		{"of no id", "default", 1, nil, "", ecp.CodeInvalid, `e.g. "tcp:default"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			b := open[ecp.ListenerManager](t, requests.Of(emqxtest.Calls{"PUT " + tcp: c.put}.Before(replay(t, "one"))))
			err := b.SetListenerLimit(t.Context(), c.id, c.limit)
			refusedAs(t, err, c.code, "")
			if c.code != "" {
				require.ErrorContains(t, err, c.says)
			}
			if c.sent == "" {
				require.Empty(t, requests.Changes())
			} else {
				require.Equal(t, []string{"PUT " + tcp + " " + c.sent}, requests.Changes())
			}
		})
	}
	var requests emqxtest.Requests
	limited := emqxtest.Calls{"GET " + tcp: emqxtest.Body(`{"max_connections":"100"}`), "PUT " + tcp: emqxtest.Body(`{"max_connections":"infinity"}`)}
	require.NoError(t, open[ecp.ListenerManager](t, requests.Of(limited.Before(replay(t, "one")))).SetListenerLimit(t.Context(), "tcp:default", 0))
	require.Equal(t, []string{"PUT " + tcp + ` {"id":"tcp:default","max_connections":"infinity","type":"tcp"}`}, requests.Changes())

	err := open[ecp.ListenerManager](t, answer(t, "36-listener-404")).SetListenerLimit(t.Context(), "tcp:nope", 5)
	refusedAs(t, err, ecp.CodeNotFound, "BAD_LISTENER_ID", "Listener id not found")
}

// TestTurnListener: a listener is started or stopped where it is not so yet:
// EMQX would restart one that runs.
func TestTurnListener(t *testing.T) {
	list := func(enabled, running string) http.Handler {
		return emqxtest.Body(`[{"id":"tcp:default","type":"tcp","enable":` + enabled + `,"status":{"running":` + running + `}}]`)
	}
	for _, c := range []struct {
		name              string
		h                 http.Handler
		starts, stops     int
		startCode, stopAs ecp.Code
	}{
		{"runs", list("true", "true"), 0, 1, "", ""},
		{"is stopped", list("false", "false"), 1, 0, "", ""},
		{"is enabled and does not run", list("true", "false"), 1, 1, "", ""},
		{"runs on some nodes", list("true", `"inconsistent"`), 1, 1, "", ""},
		{"is unknown", emqxtest.Body(`[]`), 1, 1, ecp.CodeNotFound, ecp.CodeNotFound},
	} {
		turned := answer(t, "36-listener-start")
		if c.startCode != "" {
			turned = answer(t, "36-listener-404")
		}
		var requests emqxtest.Requests
		b := open[ecp.ListenerManager](t, requests.Of(emqxtest.Calls{"GET " + listeners: c.h}.Before(turned)))
		require.Equal(t, c.startCode, ecp.CodeOf(b.StartListener(t.Context(), "tcp:default")), c.name)
		require.Len(t, requests.Changes(), c.starts, c.name)
		require.Equal(t, c.stopAs, ecp.CodeOf(b.StopListener(t.Context(), "tcp:default")), c.name)
		require.Len(t, requests.Changes(), c.starts+c.stops, c.name)
	}
	require.ErrorIs(t, open[ecp.ListenerManager](t, replay(t, "one")).StopListener(t.Context(), "tcp"), ecp.ErrInvalid)
}
