package emqxv5_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
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
		"node_status":[{"node":"b","status":{"running":false,"current_connections":1,"max_connections":100}},
		{"node":"a","status":{"running":true,"current_connections":"2",
		"max_connections":100}}]}]`)).Listeners(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.BrokerListener{{
		ID: "quic:q", Protocol: "quic", Bind: "14567", Running: ecp.Unknown, Connections: 3, Limit: 100,
		Nodes: []ecp.ListenerNode{
			{Node: "a", Running: true, Connections: 2, Limit: 100}, {Node: "b", Connections: 1, Limit: 100},
		},
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
		{"a limit", "tcp:default", 100, emqxtest.Body(`{"id":"tcp:default","max_connections":100}`),
			`{"id":"tcp:default","max_connections":100,"type":"tcp"}`, "", ""},
		{"as it is", "tcp:default", 0, nil, "", "", ""},
		{"that does not hold", "tcp:default", 100, emqxtest.Body(`{"id":"tcp:default","max_connections":"infinity"}`),
			`{"id":"tcp:default","max_connections":100,"type":"tcp"}`, ecp.CodeUnavailable, "has another"},
		{"refused", "tcp:default", 100, emqxtest.Refusal(400, `{"code":"BAD_REQUEST","message":"bad"}`),
			`{"id":"tcp:default","max_connections":100,"type":"tcp"}`, ecp.CodeInvalid, "bad"},
		{"negative", "tcp:default", -1, nil, "", ecp.CodeInvalid, "must not be negative"},
		{"of no id", "default", 1, nil, "", ecp.CodeInvalid, `e.g. "tcp:default"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			b := open[ecp.ListenerManager](t,
				requests.Record(limited(emqxtest.Calls{"PUT " + tcp: c.put}.Before(replay(t,
					"one")))))
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
	hundred := emqxtest.Calls{
		"GET " + tcp: emqxtest.Body(`{"max_connections":"100"}`),
		"PUT " + tcp: emqxtest.Body(`{"max_connections":"infinity"}`),
	}
	require.NoError(t, open[ecp.ListenerManager](t,
		requests.Record(hundred.Before(replay(t, "one")))).SetListenerLimit(t.Context(), "tcp:default", 0))
	require.Equal(t, []string{"PUT " + tcp + ` {"id":"tcp:default","max_connections":"infinity","type":"tcp"}`},
		requests.Changes())

	err := open[ecp.ListenerManager](t, answer(t, "36-listener-404")).SetListenerLimit(t.Context(), "tcp:nope", 5)
	refusedAs(t, err, ecp.CodeNotFound, "BAD_LISTENER_ID", "Listener id not found")
}

// TestListenerLimitOnEveryNode: what is stored on the node that answers is not
// in force on one where the change failed, however often it is made.
func TestListenerLimitOnEveryNode(t *testing.T) {
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	for _, name := range []string{"emqx@a", "emqx@b", "emqx@c"} {
		s.Join(name)
	}
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	manager := b.(ecp.ListenerManager)
	s.Node("emqx@b").KeepListeners(true)
	for range 3 {
		refusedAs(t, manager.SetListenerLimit(t.Context(), "tcp:default", 1000), ecp.CodeUnavailable, "",
			"is not in force on emqx@b,")
	}
	all, err := manager.Listeners(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1000, all[1].Limit, "the lowest")
	require.Equal(t, []string{"emqx@b"}, all[1].Without(1000))
	s.Node("emqx@b").KeepListeners(false)
	require.NoError(t, manager.SetListenerLimit(t.Context(), "tcp:default", 1000),
		"it is made again where it is not in force")

	const large = 5_000_000_000 // more than 2^31-1, which EMQX takes
	require.NoError(t, manager.SetListenerLimit(t.Context(), "tcp:default", large))
	all, err = manager.Listeners(t.Context())
	require.NoError(t, err)
	require.Equal(t, large, all[1].Limit)
	require.Equal(t, large, all[1].Nodes[0].Limit)

	for _, id := range []string{"nope:x", "xx:default"} {
		refusedAs(t, manager.SetListenerLimit(t.Context(), id, 5), ecp.CodeInvalid, "BAD_REQUEST",
			"tcp, ssl, ws, wss, quic")
		refusedAs(t, manager.StopListener(t.Context(), id), ecp.CodeInvalid, "BAD_REQUEST", "tcp, ssl, ws, wss, quic")
	}
}

// TestLostListenerLimit: a change whose answer is lost is judged by what is in
// force.
func TestLostListenerLimit(t *testing.T) {
	var list string
	h := emqxtest.Calls{
		"PUT " + tcp: emqxtest.Status(http.StatusInternalServerError),
		"GET " + listeners: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			emqxtest.Body(list).ServeHTTP(w,
				r)
		}),
	}.Before(replay(t, "one"))
	b := open[ecp.ListenerManager](t, h)
	entry := func(a, b int) string {
		return fmt.Sprintf(`[{"id":"tcp:default","type":"tcp","node_status":[{"node":"a",`+
			`"status":{"max_connections":%d}},{"node":"b","status":{"max_connections":%d}}]}]`, a, b)
	}
	list = entry(7, 7)
	require.NoError(t, b.SetListenerLimit(t.Context(), "tcp:default", 7))
	list = entry(7, 9)
	refusedAs(t, b.SetListenerLimit(t.Context(), "tcp:default", 7), ecp.CodeUnavailable, "", "is not in force on b,")
}

// TestTurnListener: a listener is started or stopped where it is not so yet:
// EMQX would restart one that runs.
func TestTurnListener(t *testing.T) {
	list := func(enabled, running string) string {
		return `[{"id":"tcp:default","type":"tcp","enable":` + enabled + `,"status":{"running":` + running + `}}]`
	}
	for _, c := range []struct {
		name              string
		list              string
		starts, stops     int
		startCode, stopAs ecp.Code
	}{
		{"runs", list("true", "true"), 0, 1, "", ""},
		{"is stopped", list("false", "false"), 1, 0, "", ""},
		{"is enabled and does not run", list("true", "false"), 1, 1, "", ""},
		{"runs on some nodes", list("true", `"inconsistent"`), 1, 1, "", ""},
		{"is unknown", `[]`, 1, 1, ecp.CodeNotFound, ecp.CodeNotFound},
	} {
		try := func(what string, call func(ecp.ListenerManager) error, changes int, code ecp.Code) {
			listed := c.list
			turned := answer(t, "36-listener-start")
			if code != "" {
				turned = answer(t, "36-listener-404")
			}
			var requests emqxtest.Requests
			h := emqxtest.Calls{
				"GET " + listeners: http.HandlerFunc(func(w http.ResponseWriter,
					r *http.Request) {
					emqxtest.Body(listed).ServeHTTP(w, r)
				}),
				"POST " + tcp + "/" + what: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					listed = list(fmt.Sprint(what == "start"), fmt.Sprint(what == "start"))
					turned.ServeHTTP(w, r)
				}),
			}
			require.Equal(t, code, ecp.CodeOf(call(open[ecp.ListenerManager](t, requests.Record(h.Before(turned))))),
				"%s: %s",
				c.name, what)
			require.Len(t, requests.Changes(), changes, "%s: %s", c.name, what)
		}
		try("start", func(b ecp.ListenerManager) error { return b.StartListener(t.Context(), "tcp:default") }, c.starts,
			c.startCode)
		try("stop", func(b ecp.ListenerManager) error { return b.StopListener(t.Context(), "tcp:default") }, c.stops,
			c.stopAs)
	}
	require.ErrorIs(t, open[ecp.ListenerManager](t, replay(t, "one")).StopListener(t.Context(), "tcp"), ecp.ErrInvalid)
}

// TestTurnListenerOnEveryNode: one that could be turned on some nodes only is no
// success, the first time or the third.
func TestTurnListenerOnEveryNode(t *testing.T) {
	s := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	for _, name := range []string{"emqx@a", "emqx@b", "emqx@c"} {
		s.Join(name)
	}
	b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	defer b.Close()
	manager := b.(ecp.ListenerManager)
	turn := map[string]func(context.Context, string) error{
		"still runs": manager.StopListener, "does not run": manager.StartListener,
	}
	for _, says := range []string{"still runs", "does not run"} {
		s.Node("emqx@b").KeepListeners(true)
		for range 3 {
			refusedAs(t, turn[says](t.Context(), "tcp:default"), ecp.CodeUnavailable, "", "the listener tcp:default "+
				says+
				" on emqx@b,")
		}
		s.Node("emqx@b").KeepListeners(false)
		require.NoError(t, turn[says](t.Context(), "tcp:default"))
	}
}
