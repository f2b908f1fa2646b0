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
	create := a.operation(http.MethodPost, clustersPath, "createCluster", "Create a cluster")
	create.Description = "A hosted cluster is made from now on: 202, and Operation-Location leads to its operation. An adopted one is there at once: 201."
	create.Responses["202"] = a.answer("being made", schemaOf[clusterView](a.schemas()))
	create.DefaultStatus = http.StatusCreated
	huma.Register(a.huma, create, a.createCluster)
	a.takes(create, schemaOf[createBody[ecp.HostedSpec]](a.schemas()), schemaOf[createBody[ecp.AdoptedSpec]](a.schemas()))

	huma.Register(a.huma, a.operation(http.MethodGet, clustersPath, "listClusters", "List clusters, in the order of their ids"), a.listClusters)
	huma.Register(a.huma, a.operation(http.MethodGet, clustersPath+"/{id}", "getCluster", "Get a cluster"), a.getCluster)

	command := func(method, path, id, summary string) huma.Operation {
		op := a.operation(method, clustersPath+"/{id}"+path, id, summary)
		op.Description = "202: the operation that was begun. 200: nothing has to be waited for, the cluster as it is now; with dryRun the plan. 204: the cluster has gone, or is not yours to see any more."
		op.DefaultStatus = http.StatusAccepted
		op.Responses["200"] = a.answer("nothing to wait for, or a plan", schemaOf[clusterView](a.schemas()), schemaOf[ecp.Plan](a.schemas()))
		op.Responses["202"] = a.answer("begun", schemaOf[ecp.Operation](a.schemas()))
		op.Responses["204"] = &huma.Response{Description: "gone"}
		return op
	}
	plain := func(cmd ecp.Command) func(context.Context, *commandInput) (*commandOutput, error) {
		return func(ctx context.Context, in *commandInput) (*commandOutput, error) {
			return a.command(ctx, in.ID, cmd, in.DryRun)
		}
	}
	huma.Register(a.huma, command(http.MethodPost, "/start", "startCluster", "Let the nodes of a stopped cluster run again"), plain(ecp.Start{}))
	huma.Register(a.huma, command(http.MethodPost, "/stop", "stopCluster", "Take all nodes away and keep the data"), plain(ecp.Stop{}))
	huma.Register(a.huma, command(http.MethodPost, "/repair", "repairCluster", "Apply the spec again and accept what was lost"), plain(ecp.Repair{}))
	huma.Register(a.huma, command(http.MethodDelete, "", "deleteCluster", "Remove a cluster with its data"),
		func(ctx context.Context, in *deleteInput) (*commandOutput, error) {
			return a.command(ctx, in.ID, ecp.Delete{Force: in.Force}, in.DryRun)
		})
	transfer := command(http.MethodPost, "/transfer", "transferCluster", "Move a cluster to another project; nothing restarts")
	huma.Register(a.huma, transfer, func(ctx context.Context, in *transferInput) (*commandOutput, error) {
		var body transferBody
		if p := decode(in.RawBody, &body); p != nil {
			return nil, p
		}
		return a.command(ctx, in.ID, ecp.Transfer{Project: body.Project}, in.DryRun)
	})
	a.takes(transfer, schemaOf[transferBody](a.schemas()))
}

// createBody is what a cluster is asked for with.
type createBody[S any] struct {
	Mode        ecp.Mode `json:"mode"`
	Project     string   `json:"project" required:"false" doc:"org/project; default/default when left out"`
	Name        string   `json:"name" doc:"1 to 200 letters of any script, digits, spaces, - and _; unique in its project"`
	Description string   `json:"description" required:"false" doc:"at most 500 characters"`
	Spec        S        `json:"spec"`
}

type transferBody struct {
	Project string `json:"project" doc:"where to, org/project"`
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

type createInput struct {
	RawBody []byte `contentType:"application/json"`
}

type createOutput struct {
	Status            int
	Location          string `header:"Location"`
	OperationLocation string `header:"Operation-Location"`
	ETag              string `header:"ETag"`
	Body              clusterView
}

func (a *api) createCluster(ctx context.Context, in *createInput) (*createOutput, error) {
	request, p := decodeCreate(in.RawBody)
	if p != nil {
		return nil, p
	}
	info, operation, err := a.manager.Create(ctx, request)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &createOutput{Status: http.StatusCreated, Location: clustersPath + "/" + string(info.ID), ETag: etag(info.Revision), Body: viewCluster(info)}
	if operation.ID != "" {
		out.Status, out.OperationLocation = http.StatusAccepted, operationsPath+"/"+string(operation.ID)
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
	Q       string `query:"q" doc:"part of the name or the id, in any case"`
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
	if len(wrong) > 0 {
		return nil, newProblem(ecp.CodeInvalid, "a parameter is not valid", wrong...)
	}
	found, err := a.manager.Clusters(ctx, ecp.ListOptions{
		Project: in.Project, Mode: ecp.Mode(in.Mode), State: ecp.State(in.State), Query: in.Q, Cursor: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	out := &listOutput[clusterView]{}
	out.Body.Items = make([]clusterView, len(found.Items))
	for i, info := range found.Items {
		out.Body.Items[i] = viewCluster(info)
	}
	out.Body.Next = makeCursor(clusterCursor, found.Next)
	return out, nil
}

func modes() []string { return []string{string(ecp.Hosted), string(ecp.Adopted)} }

// states lists the states of both modes once each.
func states() []string {
	var out []string
	for _, s := range slices.Concat(ecp.States(ecp.Hosted), ecp.States(ecp.Adopted)) {
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
	ID string `path:"id" doc:"the cluster's"`
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

type commandInput struct {
	ID     string `path:"id" doc:"the cluster's"`
	DryRun bool   `query:"dryRun" doc:"say what would be done, and do nothing"`
}

type deleteInput struct {
	ID     string `path:"id" doc:"the cluster's"`
	DryRun bool   `query:"dryRun" doc:"say what would be done, and do nothing"`
	Force  bool   `query:"force" doc:"do not wait for nodes to stop in order"`
}

type transferInput struct {
	ID      string `path:"id" doc:"the cluster's"`
	DryRun  bool   `query:"dryRun" doc:"say what would be done, and do nothing"`
	RawBody []byte `contentType:"application/json"`
}

type commandOutput struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     any
}

// command carries a command out, or says what it would do.
func (a *api) command(ctx context.Context, id string, cmd ecp.Command, dryRun bool) (*commandOutput, error) {
	c, p := a.cluster(id)
	if p != nil {
		return nil, p
	}
	if dryRun {
		plan, err := c.Plan(ctx, cmd)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		plan.Steps = list(plan.Steps)
		return &commandOutput{Status: http.StatusOK, Body: plan}, nil
	}
	operation, err := c.Do(ctx, cmd)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	if operation.ID != "" {
		return &commandOutput{Status: http.StatusAccepted, Location: operationsPath + "/" + string(operation.ID), Body: viewOperation(operation)}, nil
	}
	info, err := c.Get(ctx)
	if errors.Is(err, ecp.ErrNotFound) {
		return &commandOutput{Status: http.StatusNoContent}, nil
	}
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &commandOutput{Status: http.StatusOK, ETag: etag(info.Revision), Body: viewCluster(info)}, nil
}
