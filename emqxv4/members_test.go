package emqxv4_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	invite      = "/api/v4/cluster/invite_node"
	forceLeaveC = "/api/v4/cluster/force_leave/emqx@c"
)

var done = emqxtest.Body(`{"code":0}`)

// TestInviteMember: the call returns when the node is listed, which it is some
// looks later.
func TestInviteMember(t *testing.T) {
	var invited, looks atomic.Int32
	s := site{version: "4.4.24", enterprise: true}
	h := emqxtest.Paths{
		invite: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			invited.Add(1)
			done.ServeHTTP(w, r)
		}),
		nodes: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if invited.Load() > 0 && looks.Add(1) > 2 {
				emqxtest.Body(`{"code":0,"data":[{"node":"emqx@a","node_status":"Running"},{"node":"emqx@c",`+
					`"node_status":"Running"}]}`).ServeHTTP(w, r)
				return
			}
			s.ServeHTTP(w, r)
		}),
	}.Before(s)
	synctest.Test(t, func(t *testing.T) {
		b := inside[ecp.MemberManager](t, h)
		require.NoError(t, b.InviteMember(t.Context(), "emqx@c"))
		require.EqualValues(t, 3, looks.Load())
		require.NoError(t, b.InviteMember(t.Context(), "emqx@c"), "it is a member")
		require.EqualValues(t, 1, invited.Load(), "a member is not invited again")
	})
}

func TestInviteMemberRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		open   bool
		answer http.Handler
		code   ecp.Code
		says   []string
	}{
		{name: "the node is down", answer: emqxtest.Body(`{"code":400,"message":"{node_down,'emqx@c'}"}`),
			code: ecp.CodeUnavailable, says: []string{"node_down"}},
		{name: "another reason", answer: emqxtest.Body(`{"message":"{unable_to_join,x}"}`), code: ecp.CodeInvalid,
			says: []string{"unable_to_join", "the same cookie"}},
		{name: "never seen", answer: done, code: ecp.CodeUnavailable, says: []string{"has not joined in time"}},
		{name: "not there", code: ecp.CodeUnsupported, says: []string{"found EMQX Enterprise 4.4.24"}},
		{name: "open source", open: true, code: ecp.CodeUnsupported, says: []string{"found open-source EMQX 4.4.24",
			"needed EMQX Enterprise 4.4", "emqx_ctl cluster join"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site{version: "4.4.24", enterprise: !c.open, paths: emqxtest.Paths{invite: c.answer}}
			synctest.Test(t, func(t *testing.T) {
				refusedWith(t, inside[ecp.MemberManager](t, s).InviteMember(t.Context(), "emqx@c"), c.code, c.says...)
			})
		})
	}
}

func TestRemoveMember(t *testing.T) {
	lists := emqxtest.Body(`{"code":0,"data":[{"method":"DELETE","path":"/cluster/force_leave/:node"}]}`)
	for _, c := range []struct {
		name   string
		node   string
		open   bool
		answer http.Handler
		calls  http.Handler
		code   ecp.Code
		says   []string
	}{
		{name: "it goes", answer: done},
		{name: "it is none", answer: emqxtest.Body(`{"code":400,"message":"node_not_in_cluster"}`)},
		{name: "it was never heard of", answer: unknown, calls: lists},
		{name: "there is no such call", answer: unknown, calls: emqxtest.Body(`{"code":0,"data":[]}`),
			code: ecp.CodeUnsupported, says: []string{"emqx_ctl cluster force-leave"}},
		{name: "the calls are not told", answer: unknown, calls: emqxtest.Status(http.StatusInternalServerError),
			code: ecp.CodeUnavailable},
		{name: "open source", open: true, calls: lists, code: ecp.CodeUnsupported,
			says: []string{"found open-source EMQX 4.4.24", "emqx_ctl cluster force-leave"}},
		{name: "it runs", node: "emqx@b", code: ecp.CodeConflict, says: []string{"emqx@b runs", "stop EMQX on it"}},
		{name: "itself", node: "emqx@a", code: ecp.CodeInvalid, says: []string{"cannot remove itself"}},
		{name: "it fails", answer: emqxtest.Body(`{"code":500,"message":"no"}`), code: ecp.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.node == "" {
				c.node = "emqx@c"
			}
			s := site{version: "4.4.24", enterprise: !c.open,
				paths: emqxtest.Paths{forceLeaveC: c.answer, "/api/v4": c.calls}}
			refusedWith(t, brokerOf[ecp.MemberManager](t, s).RemoveMember(t.Context(), c.node), c.code, c.says...)
		})
	}
}

// TestRemoveItselfOnTheDashboardsPort: there no page tells the node's name, but
// the only member is the one that answers.
func TestRemoveItselfOnTheDashboardsPort(t *testing.T) {
	var j emqxtest.Requests
	refusedWith(t, brokerOf[ecp.MemberManager](t,
		j.Record(emqxtest.Paths{"/status": http.NotFoundHandler()}.Before(replay(t, "one")))).RemoveMember(t.Context(),
		"emqx@127.0.0.4"), ecp.CodeInvalid, "cannot remove itself")
	require.Empty(t, j.Changes())
}
