package httpapi

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// overviewRoutes sum up clusters.
func (a *api) overviewRoutes() {
	all := a.operation(http.MethodGet, "/api/v1/overview", "getOverview", "Sum up the clusters that you may read")
	all.Description = overviewWords
	a.serve(all, http.StatusOK, schemaOf[ecp.Overview](a.schemas()), a.overview)
	one := a.operation(http.MethodGet, "/api/v1/projects/{org}/{project}/overview", "getProjectOverview", "Sum up the clusters of a project")
	one.Description = overviewWords
	a.serve(one, http.StatusOK, schemaOf[ecp.Overview](a.schemas()), a.overview)
}

const overviewWords = "No broker is asked for it. States, nodes, live connections and agents are as last seen; rules, connectors, alarms and connections with those " +
	"of clients that are away are what brokers have told within the last minutes: they are asked beside it while somebody looks, a few clusters at a time, each once a " +
	"minute at most. What is not known is never taken for zero: known and unknown say of how many clusters a sum is, oldest from when, and missing why."

// overview answers for a project, or where the path names none for all.
func (a *api) overview(ctx context.Context, r *http.Request, _ []byte) (success, error) {
	project := ""
	if org := r.PathValue("org"); org != "" {
		project = org + "/" + r.PathValue("project")
	}
	o, err := a.manager.Overview(ctx, project)
	return success{status: http.StatusOK, body: o}, err
}
