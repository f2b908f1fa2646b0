package emqxv5_test

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

func TestInviteMember(t *testing.T) {
	const other = "emqx@127.0.0.2"
	invite := "PUT /api/v5/cluster/" + other + "/invite"
	for _, c := range []struct {
		name string
		node string
		h    http.Handler
		sent int
		code ecp.Code
		says string
	}{
		{"a node", other, answer(t, "00-invite-2"), 1, "", ""},
		{"a member", "emqx@127.0.0.1", nil, 0, "", ""},
		{"a member by then", other, emqxtest.Refusal(400,
			`{"code":"BAD_REQUEST","message":"{already_in_cluster,'emqx@127.0.0.2'}"}`), 1, "", ""},
		{"itself under another name", other, answer(t, "11-cluster-invite-self"), 1, "", ""},
		{"nobody", other, answer(t, "11-cluster-invite-unknown"), 1, ecp.CodeUnavailable,
			"that it has the cluster's cookie"},
		{"with a license for one", other, emqxtest.Refusal(400,
			`{"code":"BAD_REQUEST","message":"emqx@a has a single node license"}`), 1, ecp.CodeUnsupported,
			"load one for several nodes"},
		{"no name", "127.0.0.2", nil, 0, ecp.CodeInvalid, "as in Describe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			h := replay(t, "one")
			if c.h != nil {
				h = emqxtest.Calls{invite: c.h}.Before(h)
			}
			err := open[ecp.MemberManager](t, requests.Record(h)).InviteMember(t.Context(), c.node)
			refusedAs(t, err, c.code, "")
			if c.code != "" {
				require.ErrorContains(t, err, c.says)
			}
			require.Len(t, requests.Changes(), c.sent)
			for _, sent := range requests.Changes() {
				require.Equal(t, invite+` {"timeout":15000}`, sent)
			}
		})
	}
}

func TestRemoveMember(t *testing.T) {
	const node = "emqx@127.0.0.3"
	leave := "DELETE /api/v5/cluster/" + node + "/force_leave"
	listed := func(status string) http.Handler {
		return emqxtest.Body(`[{"node":"emqx@127.0.0.1","node_status":"running"},{"node":"` + node +
			`","node_status":"` +
			status + `","role":"core"}]`)
	}
	for _, c := range []struct {
		name  string
		nodes http.Handler // nil = it is not among them
		leave string       // what the broker answers; "" = it is not asked
		code  ecp.Code
		says  string
	}{
		{"not listed", nil, "08-force-leave-3", "", ""},
		{"stopped", listed("stopped"), "08-force-leave-3", "", ""},
		{"no member", nil, "11-cluster-force-leave-unknown", "", ""},
		{"itself, as the broker says", nil, "11-cluster-force-leave-self", ecp.CodeInvalid,
			"ask another member to remove it"},
		{"denied", nil, "35-apikey-viewer-post-403", ecp.CodeDenied, "administrator"},
		{"running", listed("running"), "", ecp.CodeConflict, "stop EMQX on it"},
		{"hanging", listed("unknown"), "", ecp.CodeUnavailable, "may be running"},
		{"members that are not told", emqxtest.Status(http.StatusForbidden), "", ecp.CodeDenied, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			calls := emqxtest.Calls{}
			if c.nodes != nil {
				calls["GET "+nodes] = c.nodes
			}
			if c.leave != "" {
				calls[leave] = answer(t, c.leave)
			}
			err := open[ecp.MemberManager](t,
				requests.Record(calls.Before(replay(t, "one")))).RemoveMember(t.Context(), node)
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			if c.code != "" {
				require.ErrorContains(t, err, c.says)
			}
			if c.leave == "" {
				require.Empty(t, requests.Changes())
			} else {
				require.Equal(t, []string{leave}, requests.Changes())
			}
		})
	}
	b := open[ecp.MemberManager](t, replay(t, "one"))
	require.ErrorIs(t, b.RemoveMember(t.Context(), "@"), ecp.ErrInvalid)
	refusedAs(t, b.RemoveMember(t.Context(), member), ecp.CodeInvalid, "", "cannot remove itself")
}
