package emqxv5_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
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
		{"a member by then", other, emqxtest.Failing(400, `{"code":"BAD_REQUEST","message":"{already_in_cluster,'emqx@127.0.0.2'}"}`), 1, "", ""},
		{"itself under another name", other, answer(t, "11-cluster-invite-self"), 1, "", ""},
		{"nobody", other, answer(t, "11-cluster-invite-unknown"), 1, ecp.CodeUnavailable, "that it has the cluster's cookie"},
		{"with a licence for one", other, emqxtest.Failing(400, `{"code":"BAD_REQUEST","message":"emqx@a has a single node license"}`), 1, ecp.CodeUnsupported, "load one for several nodes"},
		{"no name", "127.0.0.2", nil, 0, ecp.CodeInvalid, "as in Describe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			h := replay(t, "one")
			if c.h != nil {
				h = emqxtest.Calls{invite: c.h}.Before(h)
			}
			err := open[ecp.MemberManager](t, requests.Of(h)).InviteMember(t.Context(), c.node)
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
	for _, c := range []struct {
		name string
		code ecp.Code
		says string
	}{
		{"08-force-leave-3", "", ""},
		{"11-cluster-force-leave-unknown", "", ""},
		{"11-cluster-force-leave-self", ecp.CodeInvalid, "ask another member to remove it"},
		{"35-apikey-viewer-post-403", ecp.CodeDenied, "administrator"},
	} {
		var requests emqxtest.Requests
		err := open[ecp.MemberManager](t, requests.Of(answer(t, c.name))).RemoveMember(t.Context(), "emqx@127.0.0.3")
		require.Equal(t, c.code, ecp.CodeOf(err), "%s: %v", c.name, err)
		if c.code != "" {
			require.ErrorContains(t, err, c.says)
		}
		require.Equal(t, []string{"DELETE /api/v5/cluster/emqx@127.0.0.3/force_leave"}, requests.Sent())
	}
	require.ErrorIs(t, open[ecp.MemberManager](t, replay(t, "one")).RemoveMember(t.Context(), "@"), ecp.ErrInvalid)
}
