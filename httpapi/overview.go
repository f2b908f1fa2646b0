package httpapi

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp/monitor"
)

// overviewRoutes sum up clusters.
func (a *api) overviewRoutes() {
	for _, r := range []route{
		{path: "/api/v1/overview", id: "getOverview", summary: "Sum up the clusters that you may read"},
		{path: "/api/v1/projects/{org}/{project}/overview", id: "getProjectOverview",
			summary: "Sum up the clusters of a project"},
	} {
		r.method, r.description, r.success = http.MethodGet, overviewText, returns[monitor.Overview](http.StatusOK)
		a.json(r, a.overview)
	}
}

const overviewText = "No broker is asked for it. States, nodes, live connections and agents are as last seen; " +
	"rules, connectors, alarms and connections with those of clients that are away are what brokers have told " +
	"within the last minutes: they are asked beside it while somebody looks, a few clusters at a time, each once a " +
	"minute at most. What is not known is never taken for zero: known and unknown say of how many clusters a sum " +
	"is, oldest from when, and missing why."

// overview answers for a project, or where the path names none for all.
func (a *api) overview(ctx context.Context, r *http.Request, _ body) (success, error) {
	project := ""
	if org := r.PathValue("org"); org != "" {
		project = org + "/" + r.PathValue("project")
	}
	o, err := a.manager.Monitor.Overview(ctx, project)
	return success{status: http.StatusOK, body: o}, err
}
