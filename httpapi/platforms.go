package httpapi

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// identityBody names a platform.
type identityBody struct {
	Identity string `json:"identity" required:"true" minLength:"1" maxLength:"200" doc:"uid of its namespace kube-system"`
}

// platformRoutes are for targets that lead to another platform than before.
func (a *api) platformRoutes() {
	a.json(route{
		method: http.MethodPost, path: "/api/v1/kubernetes-targets/{target}/identity", id: "acceptPlatform",
		summary: "Say that the Kubernetes which a target leads to now takes the place of the one that its clusters " +
			"were made on",
		description: "It was moved or rebuilt. Until this is said, nothing is written there, and nothing believed " +
			"of it; afterwards clusters that are not there say that they are lost.",
		body: schemaOf[identityBody], success: returns[ecp.Platform](http.StatusOK),
	}, decoded(func(ctx context.Context, r *http.Request, b identityBody) (success, error) {
		p, err := a.manager.AcceptPlatform(ctx, r.PathValue("target"), b.Identity)
		return success{status: http.StatusOK, body: p}, err
	}))
}
