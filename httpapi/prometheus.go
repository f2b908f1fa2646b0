package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/monitor"
)

// prometheusRoutes are for the service discovery of Prometheus.
func (a *api) prometheusRoutes() {
	a.json(route{
		method: http.MethodGet, path: "/api/v1/prometheus/targets", id: "listPrometheusTargets",
		summary: "List what Prometheus is to scrape: HTTP service discovery", description: targetsText,
		parameters: []*huma.Param{
			query("project", "only clusters of org/project", text()),
			query("mode", "only clusters of the mode", text(modes()...)),
		},
		success: returns[[]targetView](http.StatusOK), refuses: []ecp.Code{ecp.CodeUnsupported},
	}, a.listTargets)
}

const targetsText = "The answer is the document of Prometheus' http_sd_configs, for all clusters that the token may " +
	"read, in a stable order; [] where there is none. Scraping a target is GET /api/v1/clusters/{id}/metrics with " +
	"the same token. EMQX 5 has one target for all its nodes, EMQX 4 one for each. 422: the daemon does not know " +
	"under which address it is reached, and what to set."

// targetView is a group of targets, as Prometheus reads them.
type targetView struct {
	Targets []string         `json:"targets" doc:"one: host and port of this API"`
	Labels  targetLabelsView `json:"labels"`
}

// targetLabelsView are the labels of a group. Series get those that do not begin
// with two underscores: they name the cluster and do not change while it lives where
// it is. What changes is for relabelling.
type targetLabelsView struct {
	Instance string `json:"instance" doc:"id of the cluster, of EMQX 4 with / and the node behind it"`
	Cluster  string `json:"cluster" doc:"id of the cluster"`
	Project  string `json:"project" doc:"org/project"`
	Node     string `json:"node,omitempty" doc:"of EMQX 4: EMQX name of the node; EMQX 5 itself labels series so"`

	Scheme string `json:"__scheme__"`
	Path   string `json:"__metrics_path__"`
	Scope  string `json:"__param_scope,omitempty"`
	Wanted string `json:"__param_node,omitempty"`

	MetaName    string `json:"__meta_openecp_name" doc:"name of the cluster"`
	MetaOrg     string `json:"__meta_openecp_org"`
	MetaMode    string `json:"__meta_openecp_mode"`
	MetaState   string `json:"__meta_openecp_state"`
	MetaVersion string `json:"__meta_openecp_version" doc:"of EMQX; empty if it is not known"`
}

// listTargets answers with all targets at once, because Prometheus drops targets that are
// left out.
func (a *api) listTargets(ctx context.Context, r *http.Request, _ body) (success, error) {
	query := r.URL.Query()
	if wrong := checkWord("mode", query.Get("mode"), modes()); wrong != nil {
		return success{}, badParameter(wrong...)
	}
	public, err := url.Parse(a.public)
	if err != nil || public.Host == "" {
		return success{},
			newProblem(ecp.CodeUnsupported, "it is not known under which address Prometheus reaches this "+
				"API; set publicUrl (--public-url)")
	}
	options := ecp.ListOptions{Project: query.Get("project"), Mode: ecp.Mode(query.Get("mode"))}
	all, err := a.manager.Monitor.ScrapeTargets(ctx, options)
	if err != nil {
		return success{}, err
	}
	at := []string{hostPort(public)}
	out := make([]targetView, len(all))
	for i, t := range all {
		out[i] = targetView{at, viewTarget(t, public.Scheme)}
	}
	return success{status: http.StatusOK, body: out}, nil
}

func viewTarget(t monitor.ScrapeTarget, scheme string) targetLabelsView {
	org, _, _ := strings.Cut(t.Project, "/")
	v := targetLabelsView{
		Instance: string(t.Cluster), Cluster: string(t.Cluster), Project: t.Project, Node: t.Node,
		Scheme: scheme, Path: clustersPath + "/" + string(t.Cluster) + "/metrics", Wanted: t.Node,
		MetaName: t.Name, MetaOrg: org, MetaMode: string(t.Mode), MetaState: string(t.State), MetaVersion: t.Version,
	}
	if t.Node == "" {
		v.Scope = string(ecp.MetricsOfNodes)
	} else {
		v.Instance += "/" + t.Node
	}
	return v
}

// hostPort is the address of a URL, with its port, which Prometheus 3 does not add.
func hostPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	}
	return u.Host + ":80"
}
