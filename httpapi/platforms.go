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
	op := a.operation(http.MethodPost, "/api/v1/kubernetes-targets/{target}/identity", "acceptPlatform",
		"Say that the Kubernetes which a target leads to now takes the place of the one that its clusters were made on")
	op.Description = "It was moved or rebuilt. Until this is said, nothing is written there, and nothing believed of it; afterwards clusters that are not there say that they are lost."
	a.serve(op, http.StatusOK, schemaOf[ecp.Platform](a.schemas()), func(ctx context.Context, r *http.Request, body []byte) (success, error) {
		b, err := decodeAs[identityBody](body)
		if err != nil {
			return success{}, err
		}
		p, err := a.manager.AcceptPlatform(ctx, r.PathValue("target"), b.Identity)
		return success{status: http.StatusOK, body: p}, err
	})
	a.takes(op, schemaOf[identityBody](a.schemas()))
}
