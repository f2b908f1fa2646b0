package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

const clustersPath = "/api/v1/clusters"

func (a *api) clusterRoutes() {
	create := a.operation(http.MethodPost, clustersPath, "createCluster", "Create a cluster",
		ecp.CodeNotFound, ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeUnsupported)
	create.Description = "A hosted cluster is made from now on: 202, and Operation-Location leads to its operation. An adopted one is there at once: 201."
	create.Parameters = []*huma.Param{toggle("dryRun", "say what would be done, and do nothing")}
	create.Responses["200"] = a.answer("a plan", schemaOf[ecp.Plan](a.schemas()))
	create.Responses["201"] = a.heads(a.answer("made", schemaOf[clusterView](a.schemas())), "ETag", "Location")
	create.Responses["202"] = a.heads(a.answer("being made", schemaOf[clusterView](a.schemas())), "ETag", "Location", "Operation-Location")
	a.handle(create, a.createCluster)
	a.takes(create, a.eitherMode("CreateBody", schemaOf[createBody[ecp.HostedSpec]](a.schemas()), schemaOf[createBody[ecp.AdoptedSpec]](a.schemas())))

	huma.Register(a.huma, a.operation(http.MethodGet, clustersPath, "listClusters", "List clusters"), a.listClusters)
	huma.Register(a.huma, a.operation(http.MethodGet, clustersPath+"/{id}", "getCluster", "Get a cluster"), a.getCluster)

	a.commandRoutes()
	a.explainRoutes()
	a.brokerRoutes()
	a.agentRoutes()
	a.historyRoutes()
}

// createBody is what a cluster is asked for with.
type createBody[S any] struct {
	Mode        ecp.Mode `json:"mode"`
	Project     string   `json:"project" required:"false" doc:"org/project; default/default when left out"`
	Name        string   `json:"name" doc:"1 to 200 letters of any script, digits, spaces, - and _; unique in its project"`
	Description string   `json:"description" required:"false" doc:"at most 500 characters"`
	Spec        S        `json:"spec"`
}

// decodeCreate reads a request with the spec of its mode. Of an unknown mode
// only the mode is complained about.
func decodeCreate(body []byte) (ecp.CreateRequest, *problemView) {
	var head struct {
		Mode json.RawMessage `json:"mode"`
	}
	_ = json.Unmarshal(body, &head) // what is wrong with the body is said below
	switch string(head.Mode) {
	case `"hosted"`:
		return decodeMode(body, func(s ecp.HostedSpec) ecp.Spec { return ecp.Spec{Hosted: &s} })
	case `"adopted"`:
		return decodeMode(body, func(s ecp.AdoptedSpec) ecp.Spec { return ecp.Spec{Adopted: &s} })
	}
	return decodeMode(body, func(any) ecp.Spec { return ecp.Spec{} })
}

func decodeMode[S any](body []byte, spec func(S) ecp.Spec) (ecp.CreateRequest, *problemView) {
	var b createBody[S]
	if p := decode(body, &b); p != nil {
		return ecp.CreateRequest{}, p
	}
	return ecp.CreateRequest{Mode: b.Mode, Project: b.Project, Name: b.Name, Description: b.Description, Spec: spec(b.Spec)}, nil
}

// createCluster makes a cluster, or says what making it would do.
func (a *api) createCluster(ctx context.Context, r *http.Request, body []byte) (success, error) {
	dryRun, p := toggled(r, "dryRun")
	if p != nil {
		return success{}, p
	}
	request, p := decodeCreate(body)
	if p != nil {
		return success{}, p
	}
	if dryRun {
		plan, err := a.manager.PlanCreate(ctx, request)
		return success{status: http.StatusOK, body: plan}, err
	}
	info, operation, err := a.manager.Create(ctx, request)
	if err != nil {
		return success{}, err
	}
	out := success{status: http.StatusCreated, location: clustersPath + "/" + string(info.ID), etag: etag(info.Revision), body: viewCluster(info)}
	if operation.ID != "" {
		out.status, out.operationLocation = http.StatusAccepted, operationsPath+"/"+string(operation.ID)
	}
	return out, nil
}

// huma reads no embedded fields of types that are not exported: inputs spell
// out what they share.

type listInput struct {
	Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"items of a page"`
	Cursor  string `query:"cursor" doc:"next of the page before; pages of one list are asked for with the same filters"`
	Project string `query:"project" doc:"only those of org/project"`
	Mode    string `query:"mode" doc:"only hosted or only adopted ones"`
	State   string `query:"state" doc:"only those in the state"`
	Version string `query:"version" doc:"only those of this EMQX version, as it is wanted"`
	Q       string `query:"q" doc:"part of the name or the id, in any case"`
	Sort    string `query:"sort" doc:"what they are ordered by, with - before it downwards; where that is equal, the id decides; id when left out"`
}

type listOutput[T any] struct{ Body page[T] }

func (a *api) listClusters(ctx context.Context, in *listInput) (*listOutput[clusterView], error) {
	after, wrong := openCursor(in.Cursor, clusterCursor)
	if in.Project != "" {
		if why := ecp.ValidateProject(in.Project); why != "" {
			wrong = append(wrong, fieldView{"/query/project", why})
		}
	}
	wrong = append(wrong, oneOf("mode", in.Mode, modes())...)
	wrong = append(wrong, oneOf("state", in.State, states())...)
	name, down := strings.CutPrefix(in.Sort, "-")
	wrong = append(wrong, oneOf("sort", name, sortNames())...)
	if len(wrong) > 0 {
		return nil, newProblem(ecp.CodeInvalid, "a parameter is not valid", wrong...)
	}
	found, err := a.manager.Clusters(ctx, ecp.ListOptions{
		Project: in.Project, Mode: ecp.Mode(in.Mode), State: ecp.State(in.State), Version: in.Version, Query: in.Q,
		Sort: sortKey(name), Descending: down, Cursor: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, a.failed(ctx, ofQuery(err))
	}
	out := &listOutput[clusterView]{}
	out.Body.Items = make([]clusterView, len(found.Items))
	for i, info := range found.Items {
		out.Body.Items[i] = viewCluster(info)
	}
	out.Body.Next = makeCursor(clusterCursor, found.Next)
	return out, nil
}

// ofQuery lets an error about an option point to the parameter it came in.
func ofQuery(err error) error {
	var e *ecp.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, ecp.FieldError{Field: "query." + f.Field, Message: f.Message})
	}
	return &out
}

// sortNames lists what clusters can be ordered by, named as a cluster's fields
// are.
func sortNames() []string {
	var out []string
	for _, k := range ecp.SortKeys() {
		out = append(out, sortName(k))
	}
	return out
}

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

func modes() []string { return []string{string(ecp.Hosted), string(ecp.Adopted)} }

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

// oneOf complains about a filter that can match nothing; "" filters nothing.
func oneOf(name, value string, allowed []string) []fieldView {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return []fieldView{{"/query/" + name, "is none of " + strings.Join(allowed, ", ")}}
}

// Cursors are opaque: the key of the last item seen, behind the kind of list
// it is of.
const (
	clusterCursor   = "c:"
	operationCursor = "o:"
)

func makeCursor(kind, key string) string {
	if key == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(kind + key))
}

func openCursor(cursor, kind string) (key string, wrong []fieldView) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	key, ok := strings.CutPrefix(string(b), kind)
	if err != nil || !ok || key == "" {
		return "", []fieldView{{"/query/cursor", "is not the next of a page of this list; begin without it"}}
	}
	return key, nil
}

type clusterInput struct {
	ID string `path:"id" example:"emqx-0a1b2c3d" doc:"the cluster's"`
}

type clusterOutput struct {
	ETag string `header:"ETag"`
	Body clusterView
}

func (a *api) getCluster(ctx context.Context, in *clusterInput) (*clusterOutput, error) {
	c, p := a.cluster(in.ID)
	if p != nil {
		return nil, p
	}
	info, err := c.Get(ctx)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &clusterOutput{ETag: etag(info.Revision), Body: viewCluster(info)}, nil
}

// cluster gives the handle of a cluster; what is no id names none.
func (a *api) cluster(id string) (ecp.Cluster, *problemView) {
	if !ecp.ID(id).Valid() {
		return nil, newProblem(ecp.CodeNotFound, "there is no cluster of that id; ids are emqx- and 8 hexadecimal digits")
	}
	return a.manager.Cluster(ecp.ID(id)), nil
}
