package emqxv5_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	evacuation = "/api/v5/load_rebalance/emqx@127.0.0.1/evacuation/"
	global     = "/api/v5/load_rebalance/global_status"
	member     = "emqx@127.0.0.1"
)

// TestStartEvacuation: what is sent, and what answers mean.
func TestStartEvacuation(t *testing.T) {
	started := answer(t, "33-evacuation-start")
	all := ecp.EvacuationOrder{
		ConnectionRate: 5, SessionRate: 6, WaitHealth: 1500 * time.Millisecond,
		WaitTakeover: time.Minute, To: []string{"emqx@b"},
	}
	for _, c := range []struct {
		name string
		node string
		o    ecp.EvacuationOrder
		h    http.Handler
		sent string
		code ecp.Code
		says string
	}{
		{"with the broker's defaults", member, ecp.EvacuationOrder{}, started, `{}`, "", ""},
		{"in detail", member, all, started,
			`{"conn_evict_rate":5,"sess_evict_rate":6,"wait_health_check":2,"wait_takeover":60,` +
				`"migrate_to":["emqx@b"]}`, "", ""},
		{"again", member, ecp.EvacuationOrder{}, answer(t, "33-evacuation-start-again"), `{}`, "", ""},
		{"of nobody", member, ecp.EvacuationOrder{}, answer(t, "33-rebalance-start-badnode"), `{}`, ecp.CodeNotFound,
			"Node not found"},
		{"to nobody", member, ecp.EvacuationOrder{To: []string{"emqx@x"}},
			emqxtest.Refusal(400, `{"code":"NOT_FOUND","message":"Nodes unavailable"}`), `{"migrate_to":["emqx@x"]}`,
			ecp.CodeNotFound, "name nodes that run"},
		{"while a rebalance runs", member, ecp.EvacuationOrder{},
			emqxtest.Refusal(400, `{"code":"BAD_REQUEST","message":"error on node 'emqx@a': eviction_agent_busy"}`),
			`{}`,
			ecp.CodeConflict, "end it first"},
		{"of a node that does not answer the others", member, ecp.EvacuationOrder{},
			emqxtest.Refusal(500, `{"code":"RPC_ERROR","message":"x"}`), `{}`, ecp.CodeUnavailable, "did not answer"},
		{"refused in detail", member, ecp.EvacuationOrder{}, answer(t, "33-rebalance-start-badfield"), `{}`,
			ecp.CodeInvalid,
			"conn_evict_rate"},
		{"by a viewer", member, ecp.EvacuationOrder{}, answer(t, "35-apikey-viewer-post-403"), `{}`, ecp.CodeDenied,
			"administrator"},
		{"no name", "emqx", ecp.EvacuationOrder{}, started, "", ecp.CodeInvalid, "as in Describe"},
		{"negative", member, ecp.EvacuationOrder{WaitHealth: -1}, started, "", ecp.CodeInvalid, "waitHealth"},
		{"to itself", member, ecp.EvacuationOrder{To: []string{member}}, started, "", ecp.CodeInvalid,
			"to: must not name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			err := open[ecp.Evacuator](t, requests.Record(c.h)).StartEvacuation(t.Context(), c.node, c.o)
			refusedAs(t, err, c.code, "")
			if c.code != "" {
				require.ErrorContains(t, err, c.says)
			}
			if c.sent == "" {
				require.Empty(t, requests.Sent())
			} else {
				require.Equal(t, []string{"POST " + evacuation + "start " + c.sent}, requests.Sent())
			}
		})
	}
}

// TestStartEvacuationIsRepeated where the connection ended before the answer.
func TestStartEvacuationIsRepeated(t *testing.T) {
	cut := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	h := emqxtest.InTurn(cut, answer(t, "33-evacuation-start-again"))
	require.NoError(t, open[ecp.Evacuator](t, h).StartEvacuation(t.Context(), member, ecp.EvacuationOrder{}))
}

func TestStopEvacuation(t *testing.T) {
	for name, code := range map[string]ecp.Code{
		"33-evacuation-stop": "", "33-evacuation-stop-notstarted": "", "33-rebalance-start-badnode": ecp.CodeNotFound,
	} {
		var requests emqxtest.Requests
		err := open[ecp.Evacuator](t, requests.Record(answer(t, name))).StopEvacuation(t.Context(), member)
		require.Equal(t, code, ecp.CodeOf(err), "%s: %v", name, err)
		require.Equal(t, []string{"POST " + evacuation + "stop"}, requests.Sent())
	}
	require.ErrorIs(t, open[ecp.Evacuator](t, replay(t, "one")).StopEvacuation(t.Context(), ""), ecp.ErrInvalid)
}

func TestEvacuationProgress(t *testing.T) {
	started := emqxtest.Paths{global: answer(t, "33-rebalance-global-evacuating")}.Before(replay(t, "one"))
	for _, c := range []struct {
		name string
		h    http.Handler
		node string
		want ecp.EvacuationProgress
		done bool
	}{
		{"none", replay(t, "one"), member, ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, false},
		{"a rebalance", emqxtest.Paths{global: answer(t, "03-rebalance-global-b")}.Before(replay(t, "one")), member,
			ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, false},
		{"just begun", started, member, ecp.EvacuationProgress{
			Phase: ecp.EvacuationWaiting, InitialConnections: 2, Connections: 2, InitialSessions: 2, Sessions: 2,
		}, false},
		{"done, told by another node", replay(t, "three"), "emqx@127.0.0.2",
			ecp.EvacuationProgress{Phase: ecp.EvacuationProhibited}, true},
		{"of another", replay(t, "three"), "emqx@127.0.0.3", ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, false},
		{"a phase of the future", emqxtest.Paths{global: emqxtest.Body(`{"evacuations":[{"node":"emqx@127.0.0.1",` +
			`"state":"packing"}]}`)}.Before(replay(t, "one")), member,
			ecp.EvacuationProgress{Phase: ecp.EvacuationOther}, false},
	} {
		got, err := open[ecp.Evacuator](t, c.h).EvacuationProgress(t.Context(), c.node)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.done, got.Done(), c.name)
	}
	for _, stats := range []string{
		`{}`, `{"current_connected":0}`, `{"current_connected":0,"current_sessions":null}`,
		`{"current_connected":"infinity","current_sessions":0}`,
	} {
		h := emqxtest.Paths{global: emqxtest.Body(`{"evacuations":[{"node":"emqx@127.0.0.1","state":"prohibiting",` +
			`"stats":` +
			stats + `}]}`)}.Before(replay(t, "one"))
		_, err := open[ecp.Evacuator](t, h).EvacuationProgress(t.Context(), member)
		require.Equal(t, ecp.CodeUnavailable, ecp.CodeOf(err), "%s: what is not told is not nothing", stats)
	}
	_, err := open[ecp.Evacuator](t, replay(t, "three")).EvacuationProgress(t.Context(), "emqx@127.0.0.9")
	refusedAs(t, err, ecp.CodeNotFound, "", "has no member emqx@127.0.0.9")
	ce := emqxtest.Paths{nodes: version("5.8.9", "Opensource")}.Before(emqxtest.Refusal(404,
		`{"code":"NOT_FOUND","message":"Request Path Not Found"}`))
	_, err = open[ecp.Evacuator](t, ce).EvacuationProgress(t.Context(), member)
	refusedAs(t, err, ecp.CodeUnsupported, "", "evacuation: found open-source EMQX 5.8.9; needed EMQX Enterprise")
}
