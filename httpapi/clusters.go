package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

const (
	clustersPath = "/api/v1/clusters"
	clusterPath  = clustersPath + "/{id}"
)

func (a *api) clusterRoutes() {
	a.json(route{
		method: http.MethodPost, path: clustersPath, id: "createCluster", summary: "Create a cluster",
		description: "A hosted cluster is made from now on: 202, and Operation-Location leads to its operation. An " +
			"adopted one is there at once: 201.",
		parameters: []*huma.Param{dryRun(), ifPlanParameter()},
		body:       eitherMode[createBody[ecp.HostedSpec], createBody[ecp.AdoptedSpec]]("CreateBody"),
		success: []answer{
			answerOf[ecp.Plan](http.StatusOK).saying("a plan"),
			answerOf[clusterView](http.StatusCreated, "ETag", "Location").saying("made"),
			answerOf[clusterView](http.StatusAccepted, "ETag", "Location", "Operation-Location").saying("being made"),
		},
		refuses: []ecp.Code{ecp.CodeNotFound, ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeUnsupported},
	}, a.createCluster)
	a.json(route{
		method: http.MethodGet, path: clustersPath, id: "listClusters", summary: "List clusters",
		parameters: append(pageParameters(),
			describedTwice("query", "project", "only those of org/project", text()),
			describedTwice("query", "mode", "only hosted or only adopted ones", text()),
			describedTwice("query", "state", "only those in the state", text()),
			describedTwice("query", "version", "only those of this EMQX version, as it is wanted", text()),
			describedTwice("query", "q", "part of the name or the id, in any case", text()),
			describedTwice("query", "sort", "what they are ordered by, with - before it downwards; "+
				"where that is equal, the id decides; id when left out", text())),
		success: returns[page[clusterView]](http.StatusOK),
	}, a.listClusters)
	a.json(route{
		method: http.MethodGet, path: clusterPath, id: "getCluster", summary: "Get a cluster",
		parameters: []*huma.Param{clusterParameter()}, success: returns[clusterView](http.StatusOK, "ETag"),
	}, a.getCluster)
}

// pageParameters describe which part of a list is wanted that has filters of its own.
func pageParameters() []*huma.Param {
	limit := &huma.Schema{
		Type: huma.TypeInteger, Format: "int64", Minimum: number(1), Maximum: number(maxLimit), Default: defaultLimit,
	}
	return []*huma.Param{
		describedTwice("query", "limit", limitText, limit), describedTwice("query", "cursor", cursorText, text()),
	}
}

func clusterParameter() *huma.Param {
	return describedTwice("path", "id", "the cluster's", exampleText(exampleCluster))
}

// createBody is what a cluster is asked for with.
type createBody[S any] struct {
	Mode        ecp.Mode `json:"mode"`
	Project     string   `json:"project" required:"false" doc:"org/project; default/default when left out"`
	Name        string   `json:"name" doc:"1 to 200 letters of any script, digits, spaces, - and _; unique in its project"`
	Description string   `json:"description" required:"false" doc:"at most 500 characters"`
	Spec        S        `json:"spec"`
}

// decodeCreate reads a request with the spec of its mode. Of a request with an unknown
// mode the spec is not looked at.
func decodeCreate(b body) (fleet.CreateRequest, error) {
	switch mode, _ := b.field("mode"); mode {
	case string(ecp.Hosted):
		return decodeMode(b, func(s ecp.HostedSpec) ecp.Spec { return ecp.Spec{Hosted: &s} })
	case string(ecp.Adopted):
		return decodeMode(b, func(s ecp.AdoptedSpec) ecp.Spec { return ecp.Spec{Adopted: &s} })
	}
	return decodeMode(b, func(any) ecp.Spec { return ecp.Spec{} })
}

func decodeMode[S any](raw body, spec func(S) ecp.Spec) (fleet.CreateRequest, error) {
	b, err := decode[createBody[S]](raw)
	return fleet.CreateRequest{
		Mode: b.Mode, Project: b.Project, Name: b.Name, Description: b.Description, Spec: spec(b.Spec),
	}, err
}

// createCluster makes a cluster, or says what making it would do.
func (a *api) createCluster(ctx context.Context, r *http.Request, b body) (success, error) {
	dryRun, p := readBool(r, "dryRun")
	if p != nil {
		return success{}, p
	}
	request, err := decodeCreate(b)
	if err != nil {
		return success{}, err
	}
	if dryRun {
		plan, err := a.manager.PlanCreate(ctx, request)
		return success{status: http.StatusOK, body: plan}, err
	}
	info, operation, err := a.manager.Create(ctx, request)
	if err != nil {
		return success{}, err
	}
	out := success{
		status: http.StatusCreated, location: clustersPath + "/" + string(info.ID), etag: etag(info.Revision),
		body: viewCluster(info),
	}
	if operation.ID != "" {
		out.status, out.operationLocation = http.StatusAccepted, operationsPath+"/"+string(operation.ID)
	}
	return out, nil
}

func (a *api) listClusters(ctx context.Context, r *http.Request, _ body) (success, error) {
	query := r.URL.Query()
	project, mode, state := query.Get("project"), query.Get("mode"), query.Get("state")
	sort, descending := strings.CutPrefix(query.Get("sort"), "-")
	limit, after, wrong := listing(r, clusterCursor)
	if project != "" {
		if why := ecp.ValidateProject(project); why != "" {
			wrong = append(wrong, fieldView{"/query/project", why})
		}
	}
	wrong = slices.Concat(wrong,
		checkWord("mode", mode, modes()), checkWord("state", state, states()), checkWord("sort", sort, sortNames()))
	if len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	found, err := a.manager.Clusters(ctx, ecp.ListOptions{
		Project: project, Mode: ecp.Mode(mode), State: ecp.State(state), Version: query.Get("version"),
		Query: query.Get("q"),
		Sort:  sortKey(sort), Descending: descending, Cursor: after, Limit: limit,
	})
	out := page[clusterView]{Items: convert(found.Items, viewCluster), Next: makeCursor(clusterCursor, found.Next)}
	return success{status: http.StatusOK, body: out}, ofQuery(err)
}

// sortNames lists what clusters can be ordered by, named as a cluster's fields
// are.
func sortNames() []string { return convert(ecp.SortKeys(), sortName) }

func sortName(k ecp.SortKey) string {
	if k == ecp.SortCreated || k == ecp.SortUpdated {
		return string(k) + "At"
	}
	return string(k)
}

// sortKey is the key of a name that is one.
func sortKey(name string) ecp.SortKey {
	for _, k := range ecp.SortKeys() {
		if sortName(k) == name {
			return k
		}
	}
	return ""
}

func modes() []string { return words(ecp.Hosted, ecp.Adopted) }

// states lists the states of both modes once each.
func states() []string {
	var out []string
	for _, s := range slices.Concat(ecp.HostedStates.States(), ecp.AdoptedStates.States()) {
		if !slices.Contains(out, string(s)) {
			out = append(out, string(s))
		}
	}
	return out
}

func (a *api) getCluster(ctx context.Context, r *http.Request, _ body) (success, error) {
	info, err := a.clusterInfo(ctx, r)
	return success{status: http.StatusOK, etag: etag(info.Revision), body: viewCluster(info)}, err
}

// cluster returns the handle of the cluster that a path names.
func (a *api) cluster(r *http.Request) (ecp.Cluster, *problemView) {
	return a.clusterOf(r.PathValue("id"))
}

// clusterOf returns the handle of a cluster; a text that is no id names none.
func (a *api) clusterOf(id string) (ecp.Cluster, *problemView) {
	if !ecp.ID(id).Valid() {
		return nil, newProblem(ecp.CodeNotFound,
			"there is no cluster of that id; ids are emqx- and 8 hexadecimal digits")
	}
	return a.manager.Cluster(ecp.ID(id)), nil
}

// clusterInfo returns the cluster that a path names.
func (a *api) clusterInfo(ctx context.Context, r *http.Request) (ecp.Info, error) {
	c, p := a.cluster(r)
	if p != nil {
		return ecp.Info{}, p
	}
	return c.Get(ctx)
}
