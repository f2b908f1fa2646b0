package httpapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// unlockRoutes let an administrator help somebody whose logins wait because others
// guess at the password.
func (a *api) unlockRoutes() {
	const addressText = "an IP address that the user logs in from; of IPv6 its /64 counts"
	a.json(route{
		method: http.MethodPost, path: "/api/v1/users/{user}/unlock", id: "unlockUser",
		summary: "Forget the wrong passwords that were tried under a user's name",
		description: "The user's next login is looked at at once. While somebody goes on guessing, name the address " +
			"that the user logs in from, as it stands in the audit: for 30 days, what is guessed elsewhere does not " +
			"touch logins from there.",
		parameters: []*huma.Param{query("address", addressText, exampleText("192.0.2.7"))},
		success:    noContent(), refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeNotFound},
	}, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		query := r.URL.Query()
		if _, err := netip.ParseAddr(query.Get("address")); err != nil && query.Has("address") {
			return success{}, badParameter(fieldView{"/query/address", "is not an IP address such as 192.0.2.7"})
		}
		return success{status: http.StatusNoContent},
			a.manager.Accounts.UnlockUser(ctx, r.PathValue("user"), query.Get("address"))
	})
}
