package httpapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// unlockRoute lets an administrator help somebody whose logins wait because others
// guess at the password.
func (a *api) unlockRoute() {
	op := a.operation(http.MethodPost, "/api/v1/users/{user}/unlock", "unlockUser", "Forget the wrong passwords that were tried under a user's name", ecp.CodeConflict, ecp.CodeNotFound)
	op.Description = "The user's next login is looked at at once. While somebody goes on guessing, name the address that the user logs in from, as it stands in the audit: for 30 days, what is guessed elsewhere does not touch logins from there."
	op.Parameters = []*huma.Param{{
		In: "query", Name: "address", Description: "an IP address that the user logs in from; of IPv6 its /64 counts", Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"192.0.2.7"}},
	}}
	a.serve(op, http.StatusNoContent, nil, func(ctx context.Context, r *http.Request, _ []byte) (success, error) {
		q := r.URL.Query()
		if _, err := netip.ParseAddr(q.Get("address")); err != nil && q.Has("address") {
			return success{}, badParameter(fieldView{"/query/address", "is not an IP address such as 192.0.2.7"})
		}
		return success{status: http.StatusNoContent}, a.manager.UnlockUser(ctx, r.PathValue("user"), q.Get("address"))
	})
}
