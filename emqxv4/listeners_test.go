package emqxv4_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const listeners = "/api/v4/listeners"

func TestListenersAsRecorded(t *testing.T) {
	b := brokerOf[ecp.ListenerManager](t, site{version: "4.4.19",
		paths: emqxtest.Paths{listeners: recorded(t, "07-listeners")}})
	all, err := b.Listeners(t.Context())
	require.NoError(t, err)
	one := func(id string, p ecp.Protocol, bind string, limit, connections int) ecp.BrokerListener {
		return ecp.BrokerListener{ID: id, Protocol: p, Bind: bind, Enabled: true, Running: ecp.True,
			Connections: connections, Limit: limit,
			Nodes: []ecp.ListenerNode{{Node: "emqx@127.0.0.4", Running: true, Connections: connections, Limit: limit}}}
	}
	require.Equal(t, []ecp.BrokerListener{
		one("mqtt:ssl:external", ecp.MQTTS, "127.0.0.4:8883", 102400, 0),
		one("mqtt:tcp:external", ecp.MQTT, "127.0.0.4:1883", 1024000, 3),
		one("mqtt:tcp:internal", ecp.MQTT, "127.0.0.4:11883", 1024000, 0),
		one("mqtt:ws:8083", ecp.WS, "127.0.0.4:8083", 102400, 0),
		one("mqtt:wss:8084", ecp.WSS, "127.0.0.4:8084", 102400, 0),
	}, all, "the management API's own listeners are none of MQTT's")

	two, err := brokerOf[ecp.ListenerManager](t,
		site{version: "4.4.19", paths: emqxtest.Paths{listeners: recorded(t,
			"cluster-01-listeners")}}).Listeners(t.Context())
	require.NoError(t, err)
	require.Len(t, two, 5)
	for _, l := range two {
		require.Equal(t, ecp.True, l.Running)
		require.Len(t, l.Nodes, 2)
	}
}

// TestListenersDiffer: one that is missing on a node that answers runs there no
// longer; one that does not answer says nothing.
func TestListenersDiffer(t *testing.T) {
	all, err := brokerOf[ecp.ListenerManager](t,
		site{version: "4.4.19", paths: emqxtest.Paths{listeners: emqxtest.Body(`{"code":0,"data":[
		{"node":"emqx@c","error":"nodedown"},
		{"node":"emqx@b","listeners":[{"protocol":"mqtt:tcp","identifier":"mqtt:tcp:external","listen_on":1883,` +
			`"max_conns":"infinity","current_conns":"2"},{"protocol":"lwm2m:udp","listen_on":"0.0.0.0:5683"},{}]},
		{"node":"emqx@a","listeners":[{"protocol":"mqtt:tcp","identifier":"mqtt:tcp:external","listen_on":"1883",
		"current_conns":1},{"protocol":"mqtt:ws:8083"},
		{"protocol":"mqtt:ws:8083","current_conns":4}]}]}`)}}).Listeners(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.BrokerListener{
		{ID: "lwm2m:udp", Protocol: "lwm2m:udp", Bind: "0.0.0.0:5683", Enabled: true, Running: ecp.Unknown,
			Nodes: []ecp.ListenerNode{{Node: "emqx@b", Running: true}}},
		{ID: "mqtt:tcp:external", Protocol: ecp.MQTT, Bind: "1883", Enabled: true, Running: ecp.True, Connections: 3,
			Nodes: []ecp.ListenerNode{{Node: "emqx@a", Running: true, Connections: 1}, {Node: "emqx@b", Running: true,
				Connections: 2}}},
		{ID: "mqtt:ws:8083", Protocol: ecp.WS, Enabled: true, Running: ecp.Unknown, Connections: 4,
			Nodes: []ecp.ListenerNode{{Node: "emqx@a", Running: true, Connections: 4}}},
	}, all)
}

// TestListenersCannotBeChanged: the errors say what to do by hand.
func TestListenersCannotBeChanged(t *testing.T) {
	// Nothing is asked
	b := openAs[ecp.ListenerManager](t, emqxv4.Config{}, ecp.Endpoint{BaseURL: "http://127.0.0.1:1"})
	for _, c := range []struct {
		err  error
		code ecp.Code
		says string
	}{
		{b.SetListenerLimit(t.Context(), "mqtt:tcp:external", 5), ecp.CodeUnsupported,
			"set listener.tcp.external.max_connections in its configuration file, or " +
				"EMQX_LISTENER__TCP__EXTERNAL__MAX_CONNECTIONS"},
		{b.SetListenerLimit(t.Context(), "mqtt:ws:8083", 5), ecp.CodeUnsupported, "listener.ws.<name>.max_connections"},
		{b.SetListenerLimit(t.Context(), "mqtt:tcp:external", -5), ecp.CodeInvalid, "below zero"},
		{b.StartListener(t.Context(), "mqtt:tcp:external"), ecp.CodeUnsupported, "restart EMQX on each node"},
		{b.StartListener(t.Context(), "mqtt:ws:8083"), ecp.CodeUnsupported, "emqx_ctl listeners restart mqtt:ws:8083"},
		{b.StopListener(t.Context(), "mqtt:tcp:external"), ecp.CodeUnsupported, "emqx_ctl listeners stop " +
			"mqtt:tcp:external"},
		{b.StopListener(t.Context(), ""), ecp.CodeInvalid, "is empty"},
	} {
		refusedWith(t, c.err, c.code, c.says)
	}
}
