package emqxv5_test

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	rules      = "/api/v5/rules"
	connectors = "/api/v5/connectors"
	actions    = "/api/v5/actions"
	sources    = "/api/v5/sources"
)

func TestRules(t *testing.T) {
	got, err := open[ecp.IntegrationSource](t, replay(t, "one")).Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Rule{{
		ID: "r1", Name: "r1", Description: "d", SQL: `SELECT payload.x as x, clientid FROM "test/#" WHERE qos >= 0`,
		Topics: []string{"test/#"}, Actions: []string{"console", "republish"}, Running: true,
		Created: timeOf("2026-11-23T09:20:22.551Z"),
	}}, got)

	page := emqxtest.Body(`{"data":[
		{"id":"z","enable":false,"actions":["http:a1",{"type":"mqtt","name":"am1"},7,null],"from":null,` +
		`"created_at":1795425629972,"namespace":"n1"},
		{"id":"b  c","actions":null,"description":"one\n  two","sql":"SELECT\n  *"}
	],"meta":{}}`)
	got, err = open[ecp.IntegrationSource](t, page).Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Rule{
		{ID: "b  c", Description: "one\n  two", SQL: "SELECT\n  *", Running: true},
		{ID: "z", Actions: []string{"http:a1", "mqtt:am1"}, Created: timeOf("2026-11-23T09:20:29.972Z")},
	}, got)

	got, err = open[ecp.IntegrationSource](t, answer(t, "20-rules-empty")).Rules(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
	// One that is made while pages are turned moves another to the next page.
	turned := emqxtest.InTurn(emqxtest.Body(`{"data":[{"id":"b"},{"id":"a"}],"meta":{"hasnext":true}}`),
		emqxtest.Body(`{"data":[{"id":"a"},{"id":"0"}],"meta":{"hasnext":false}}`))
	got, err = open[ecp.IntegrationSource](t, turned).Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Rule{{ID: "0", Running: true}, {ID: "a", Running: true}, {ID: "b", Running: true}}, got)
	_, err = open[ecp.IntegrationSource](t,
		emqxtest.Body(`{"data":[{"id":"a"}],"meta":{"hasnext":true}}`)).Rules(t.Context())
	refusedAs(t, err, ecp.CodeUnavailable, "", "does not end")
}

func TestIntegrations(t *testing.T) {
	got, err := open[ecp.IntegrationSource](t, replay(t, "one")).Integrations(t.Context())
	require.NoError(t, err)
	node := func(s ecp.IntegrationStatus, why string) []ecp.IntegrationNode {
		return []ecp.IntegrationNode{{Node: "emqx@127.0.0.1", Status: s, Reason: why}}
	}
	up, down := ecp.IntegrationConnected, ecp.IntegrationDisconnected
	const refused, dead = "Connection refused", "Resource not operational"
	require.Equal(t, []ecp.Integration{
		{Kind: "action", ID: "http:a1", Type: "http", Name: "a1", Enabled: true, Status: down, Reason: dead,
			Nodes: node(down, dead), Connector: "http:h1", Rules: []string{"r4"}},
		{Kind: "action", ID: "mqtt:am1", Type: "mqtt", Name: "am1", Enabled: true, Status: up, Nodes: node(up, ""),
			Connector: "mqtt:m1", Rules: []string{"r4"}},
		{Kind: "connector", ID: "http:h1", Type: "http", Name: "h1", Enabled: true, Status: down, Reason: refused,
			Nodes: node(down, refused), Rules: []string{"r4"}},
		{Kind: "connector", ID: "mqtt:m1", Type: "mqtt", Name: "m1", Enabled: true, Status: up, Nodes: node(up, ""),
			Rules: []string{"r4"}},
		{Kind: "source", ID: "mqtt:s1", Type: "mqtt", Name: "s1", Enabled: true, Status: up, Nodes: node(up, ""),
			Connector: "mqtt:m1"},
	}, got)
}

// TestIntegrationsOtherwise: statuses nobody knows, connectors of another type
// than their actions, and lists that do not come.
func TestIntegrationsOtherwise(t *testing.T) {
	some := emqxtest.Paths{
		connectors: emqxtest.Body(`[{"type":"kafka_producer","name":"k","status":"inconsistent",` +
			`"status_reason":{"x":1},"enable":false,
			"node_status":[{"node":"b","status":"Connecting"},{"node":"a","status":"?"}]}]`),
		actions: emqxtest.Body(`[{"type":"kafka","name":"p","connector":"k","rules":["r2","r1"],"error":"late"},` +
			`{"type":"kafka","name":"q","connector":"k","rules":["r1"]},{"type":"x","name":"y","connector":"gone"}]`),
		sources: emqxtest.Body(`[]`),
	}
	got, err := open[ecp.IntegrationSource](t, some.Before(http.NotFoundHandler())).Integrations(t.Context())
	require.NoError(t, err)
	unknown := ecp.IntegrationUnknown
	require.Equal(t, []ecp.Integration{
		{Kind: "action", ID: "kafka:p", Type: "kafka", Name: "p", Enabled: true, Status: unknown, Reason: "late",
			Connector: "kafka_producer:k", Rules: []string{"r1", "r2"}},
		{Kind: "action", ID: "kafka:q", Type: "kafka", Name: "q", Enabled: true, Status: unknown,
			Connector: "kafka_producer:k", Rules: []string{"r1"}},
		{Kind: "action", ID: "x:y", Type: "x", Name: "y", Enabled: true, Status: unknown, Connector: "x:gone"},
		{Kind: "connector", ID: "kafka_producer:k", Type: "kafka_producer", Name: "k",
			Status: ecp.IntegrationInconsistent,
			Reason: `{"x":1}`,
			Nodes:  []ecp.IntegrationNode{{Node: "a", Status: unknown}, {Node: "b", Status: ecp.IntegrationConnecting}},
			Rules:  []string{"r1", "r2"}},
	}, got)

	some[sources] = emqxtest.Status(500)
	_, err = open[ecp.IntegrationSource](t, some.Before(http.NotFoundHandler())).Integrations(t.Context())
	refusedAs(t, err, ecp.CodeUnavailable, "", "answered 500")
	_, err = open[ecp.IntegrationSource](t, emqxtest.Body(`[{"type":"http"}]`)).Integrations(t.Context())
	refusedAs(t, err, ecp.CodeUnavailable, "", "not that of EMQX 5")
}
