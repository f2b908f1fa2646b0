package emqxv4_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	startB      = "/api/v4/load_rebalance/emqx@b/evacuation/start"
	stopB       = "/api/v4/load_rebalance/emqx@b/evacuation/stop"
	evacuations = "/api/v4/load_rebalance/global_status"
)

// evacuating is global_status while emqx@b is in a state.
func evacuating(state, stats string) emqxtest.Body {
	return emqxtest.Body(`{"rebalances":[],"evacuations":[{"node":"emqx@b","state":"` + state +
		`","connection_eviction_rate":5,"session_eviction_rate":5,
		"connection_goal":0,"session_goal":0,"session_recipients":["emqx@a"],"stats":` + stats + `}]}`)
}

var nobody = emqxtest.Body(`{"evacuations":[],"rebalances":[]}`)

func TestStartEvacuation(t *testing.T) {
	for _, c := range []struct {
		name    string
		version string
		open    bool // the open-source edition
		answer  http.Handler
		status  http.Handler // global_status
		node    string
		code    ecp.Code
		says    []string
	}{
		{name: "it begins", answer: emqxtest.Body(`{"data":[],"code":0}`)},
		{name: "it is under way", answer: emqxtest.Body(`{"code":400,"message":"error on node emqx@b: ` +
			`already_started"}`)},
		{name: "it is under way, in characters",
			answer: emqxtest.Body(`{"code":400,"message":[97,108,["ready",95],"started"]}`)},
		{name: "it is under way, in words that make no sense", answer: emqxtest.Body(`{"code":400,"message":"g2QAD"}`),
			status: evacuating("evicting_conns", `{}`)},
		{name: "it is under way, with the status to match", answer: answer{400, "application/json",
			`{"code":400,"message":"already_started"}`}, status: evacuating("waiting_takeover", `{}`)},
		{name: "it is busy", answer: emqxtest.Body(`{"code":400,"message":"eviction_agent_busy"}`), status: nobody,
			code: ecp.CodeInvalid, says: []string{"eviction_agent_busy"}},
		{name: "the node is down", answer: emqxtest.Body(`{"code":400,"message":"nodedown"}`),
			code: ecp.CodeUnavailable,
			says: []string{"nodedown"}},
		{name: "the call fails", answer: answer{500, "text/plain", "Internal Error"}, code: ecp.CodeUnavailable,
			says: []string{"500"}},
		{name: "an unknown node", node: "emqx@nowhere", code: ecp.CodeNotFound, says: []string{"emqx@nowhere",
			"emqx@a, emqx@b"}},
		{name: "plugins are not loaded", code: ecp.CodeUnsupported, says: []string{"found EMQX Enterprise 4.4.19",
			"emqx_ctl plugins load emqx_node_rebalance"}},
		{name: "before 4.4.12", version: "4.4.11", code: ecp.CodeUnsupported,
			says: []string{"found EMQX Enterprise 4.4.11",
				"needed EMQX Enterprise 4.4.12 or later"}},
		{name: "open source", open: true, node: "emqx@nowhere", code: ecp.CodeUnsupported,
			says: []string{"found open-source EMQX 4.4.19", "needed EMQX Enterprise 4.4.12"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site{version: "4.4.19", enterprise: !c.open, paths: emqxtest.Paths{}}
			if c.version != "" {
				s.version = c.version
			}
			if c.answer != nil {
				s.paths[startB] = c.answer
			}
			if c.status != nil {
				s.paths[evacuations] = c.status
			}
			if c.node == "" {
				c.node = "emqx@b"
			}
			refusedWith(t, brokerOf[ecp.Evacuator](t, s).StartEvacuation(t.Context(), c.node, ecp.EvacuationOrder{}),
				c.code,
				c.says...)
		})
	}
}

// TestEvacuationOrder: zero values are left to the broker, times are whole
// seconds and never less than asked for, names are escaped.
func TestEvacuationOrder(t *testing.T) {
	var j emqxtest.Requests
	b := brokerOf[ecp.Evacuator](t, j.Record(emqxtest.Body(`{"data":[],"code":0}`)))
	require.NoError(t, b.StartEvacuation(t.Context(), "emqx@b", ecp.EvacuationOrder{WaitHealth: time.Minute}))
	require.NoError(t, b.StartEvacuation(t.Context(), "a/b c", ecp.EvacuationOrder{
		ConnectionRate: 7, SessionRate: 8, WaitTakeover: 1500 * time.Millisecond, To: []string{"emqx@a"},
	}))
	require.NoError(t, b.StopEvacuation(t.Context(), ".."))
	require.Equal(t, []string{
		"POST " + startB + " {}",
		`POST /api/v4/load_rebalance/a%2Fb%20c/evacuation/start {"conn_evict_rate":7,"sess_evict_rate":8,` +
			`"wait_takeover":2,"migrate_to":["emqx@a"]}`,
		"POST /api/v4/load_rebalance/%2E%2E/evacuation/stop",
	}, j.Changes())
	refusedWith(t, b.StartEvacuation(t.Context(), "emqx@b", ecp.EvacuationOrder{SessionRate: -1}), ecp.CodeInvalid,
		"below zero")
	refusedWith(t, b.StartEvacuation(t.Context(), "", ecp.EvacuationOrder{}), ecp.CodeInvalid, "node: is empty")
}

func TestStopEvacuation(t *testing.T) {
	for body, code := range map[string]ecp.Code{
		`{"data":[],"code":0}`:                     "",
		`{"code":400,"message":"not_started"}`:     "",
		`{"code":400,"message":"?"}`:               "", // and none is under way
		`{"code":"ERROR","message":"nodedown"}`:    ecp.CodeUnavailable,
		`{"code":103,"message":"bad credentials"}`: ecp.CodeDenied,
	} {
		s := site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{
			stopB: emqxtest.Body(body), evacuations: nobody,
		}}
		refusedWith(t, brokerOf[ecp.Evacuator](t, s).StopEvacuation(t.Context(), "emqx@b"), code)
	}
	s := site{version: "4.4.24", enterprise: true,
		paths: emqxtest.Paths{stopB: emqxtest.Body(`{"code":400,"message":"?"}`), evacuations: evacuating("prohibiting",
			`{"current_connected":0,"current_sessions":0}`)}}
	refusedWith(t, brokerOf[ecp.Evacuator](t, s).StopEvacuation(t.Context(), "emqx@b"), ecp.CodeInvalid)
}

func TestEvacuationProgress(t *testing.T) {
	const stats = `{"initial_connected":100,"current_connected":3,"initial_sessions":"90","current_sessions":"42"}`
	for _, c := range []struct {
		name   string
		answer http.Handler
		want   ecp.EvacuationProgress
		done   bool
		code   ecp.Code
	}{
		{name: "none", answer: nobody, want: ecp.EvacuationProgress{Phase: ecp.EvacuationNone}},
		{name: "connections", answer: evacuating("evicting_conns", stats),
			want: ecp.EvacuationProgress{
				Phase: ecp.EvacuationCutting, InitialConnections: 100, Connections: 3, InitialSessions: 90,
				Sessions: 42,
			}},
		{name: "a phase of tomorrow", answer: evacuating("dancing", `{}`),
			want: ecp.EvacuationProgress{Phase: ecp.EvacuationOther}},
		{name: "nearly done", answer: evacuating("prohibiting", `{"current_connected":0,"current_sessions":1}`),
			want: ecp.EvacuationProgress{Phase: ecp.EvacuationProhibited, Sessions: 1}},
		{name: "done", answer: evacuating("prohibiting", `{"current_connected":0,"current_sessions":0}`),
			want: ecp.EvacuationProgress{Phase: ecp.EvacuationProhibited}, done: true},
		{name: "what is left is not told", answer: evacuating("prohibiting", `{"current_connected":0}`),
			code: ecp.CodeUnavailable},
		{name: "what is left makes no sense", answer: evacuating("prohibiting",
			`{"current_connected":0,"current_sessions":"infinity"}`), code: ecp.CodeUnavailable},
		{name: "no list", answer: emqxtest.Body(`{"message":"no"}`), code: ecp.CodeUnavailable},
		{name: "a page", answer: answer{200, "text/html", "<html>"}, code: ecp.CodeUnavailable},
		{name: "not there", answer: unknown, code: ecp.CodeUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site{version: "4.4.19", enterprise: true, paths: emqxtest.Paths{evacuations: c.answer}}
			p, err := brokerOf[ecp.Evacuator](t, s).EvacuationProgress(t.Context(), "emqx@b")
			refusedWith(t, err, c.code)
			require.Equal(t, c.want, p)
			require.Equal(t, c.done, p.Done())
		})
	}
}
