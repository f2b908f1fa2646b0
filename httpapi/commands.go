package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// verb is one thing that can be asked of a cluster at a path of its own.
type verb struct {
	name, summary string
	fields        string       // a patch that touches what it changes in a hosted spec; "" = nothing there
	body          reflect.Type // nil = it takes none
	command       func(r *http.Request, body []byte, revision int64) (ecp.Command, error)
}

var verbs = []verb{
	{"start", "Let the nodes of a stopped cluster run again", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.Start{IfRevision: n}, nil }},
	{"stop", "Take all nodes away and keep the data", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.Stop{IfRevision: n}, nil }},
	{"restart", "Replace the nodes one after the other", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.Restart{IfRevision: n}, nil }},
	{"repair", "Apply the spec again and accept what was lost", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.Repair{IfRevision: n}, nil }},
	{"take-over", "Record what is there of a cluster whose record is older than that, after an older database was put back", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.TakeOver{IfRevision: n}, nil }},
	{"put-back", "Make what is there of such a cluster what is recorded, with its nodes and volumes; ask for the plan first", "", nil, func(_ *http.Request, _ []byte, n int64) (ecp.Command, error) { return ecp.PutBack{IfRevision: n}, nil }},
	{"transfer", "Move a cluster to another project; nothing restarts", "", reflect.TypeFor[transferBody](), transferCommand},
	{"scale", "Change the number of nodes", `{"nodes":null}`, reflect.TypeFor[scaleBody](), specCommand[scaleBody]("")},
	{"resize", "Change the size of the nodes", `{"size":null}`, reflect.TypeFor[resizeBody](), specCommand[resizeBody]("")},
	{"connections", "Change how many connections are booked, of an adopted cluster: the limit that its EMQX keeps to", "", reflect.TypeFor[connectionsBody](), specCommand[connectionsBody]("")},
	{"image", "Change to another image, and so to another version", `{"image":null}`, reflect.TypeFor[imageBody](), specCommand[imageBody]("")},
	{"network", "Change how clients reach the cluster; a merge patch of the spec's network", `{"network":null}`, reflect.TypeFor[ecp.Network](), specCommand[ecp.Network]("network")},
}

type transferBody struct {
	Project string `json:"project" required:"true" doc:"where to, org/project"`
}

type scaleBody struct {
	Nodes int `json:"nodes" required:"true" minimum:"1" maximum:"7"`
}

type resizeBody struct {
	Size string `json:"size" required:"true" minLength:"1" doc:"name in GET /api/v1/sizes"`
}

type connectionsBody struct {
	Connections int `json:"connections" required:"true" minimum:"0" maximum:"100000000" doc:"MQTT connections booked in the pool; 0 gives those of an adopted cluster back, and its EMQX the limit that it had before"`
}

type imageBody struct {
	Image string `json:"image" required:"true" minLength:"1" doc:"id in GET /api/v1/images"`
}

func transferCommand(_ *http.Request, body []byte, revision int64) (ecp.Command, error) {
	b, err := decodeAs[transferBody](body)
	return ecp.Transfer{Project: b.Project, IfRevision: revision}, err
}

// specCommand changes the part of a spec that the body is; "" = the body holds
// fields of the spec itself.
func specCommand[B any](part string) func(*http.Request, []byte, int64) (ecp.Command, error) {
	return func(_ *http.Request, body []byte, revision int64) (ecp.Command, error) {
		if _, err := decodeAs[B](body); err != nil {
			return nil, err
		}
		patch := json.RawMessage(body)
		if part != "" {
			patch = json.RawMessage(`{"` + part + `":` + string(body) + `}`)
		}
		return ecp.Update{Patch: patch, IfRevision: revision}, nil
	}
}

// commandRoutes are what can be asked of a cluster.
func (a *api) commandRoutes() {
	for _, v := range verbs {
		op := a.commandOperation(http.MethodPost, "/"+v.name, v.operationID(), v.summary)
		a.handle(op, func(ctx context.Context, r *http.Request, body []byte) (success, error) {
			if err := a.takesFields(ctx, r, v.fields); err != nil {
				return success{}, v.asAsked(err)
			}
			cmd, err := v.command(r, body, ifRevision(ctx))
			if err != nil {
				return success{}, err
			}
			out, err := a.command(ctx, r, cmd)
			return out, v.asAsked(err)
		})
		if v.body != nil {
			a.takes(op, a.schemas().Schema(v.body, true, ""))
		}
	}
	update := a.commandOperation(http.MethodPatch, "", "updateCluster", "Change a cluster: one operation, however many fields")
	update.Description = mergePatch + " " + update.Description
	a.handle(update, a.updateCluster)
	a.takes(update, a.eitherSpec("UpdateBody", schemaOf[updateBody[ecp.HostedSpec]](a.schemas()), schemaOf[updateBody[ecp.AdoptedSpec]](a.schemas())))

	remove := a.commandOperation(http.MethodDelete, "", "deleteCluster", "Remove a cluster with its data")
	remove.Parameters = append(remove.Parameters, toggle("force", "do not wait for nodes to stop in order; of an adopted cluster: do not wait until its EMQX has its own connection limit back, which the operation's note then tells of"))
	a.handle(remove, func(ctx context.Context, r *http.Request, _ []byte) (success, error) {
		force, p := toggled(r, "force")
		if p != nil {
			return success{}, p
		}
		return a.command(ctx, r, ecp.Delete{Force: force, IfRevision: ifRevision(ctx)})
	})
}

// operationID names the operation in the document.
func (v verb) operationID() string {
	first, more, _ := strings.Cut(v.name, "-")
	if more != "" {
		more = strings.ToUpper(more[:1]) + more[1:]
	}
	return first + more + "Cluster"
}

// asAsked lets an error point into the body of the verb, not into the patch
// that was made of it.
func (v verb) asAsked(err error) error {
	switch v.name {
	case "network":
		return within("spec.network", within("spec.network.", err))
	case "transfer":
		return err
	}
	return within("spec.", err)
}

func (a *api) commandOperation(method, path, id, summary string) huma.Operation {
	op := a.operation(method, clustersPath+"/{id}"+path, id, summary, ecp.CodeConflict, ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeUnsupported)
	op.Description = "202: the operation that was begun, which Operation-Location leads to. 200: nothing has to be waited for, the cluster as it is now; with dryRun the plan. 204: the cluster has gone, or is not yours to see any more."
	op.Parameters = []*huma.Param{toggle("dryRun", "say what would be done, and do nothing")}
	op.Responses["200"] = a.heads(a.answer("nothing to wait for, or a plan", schemaOf[clusterView](a.schemas()), schemaOf[ecp.Plan](a.schemas())), "ETag")
	op.Responses["202"] = a.heads(a.answer("begun", schemaOf[ecp.Operation](a.schemas())), "Operation-Location")
	op.Responses["204"] = &huma.Response{Description: "gone"}
	mindsMatch(&op)
	return op
}

// toggle describes a parameter that is true or false.
func toggle(name, says string) *huma.Param {
	return &huma.Param{In: "query", Name: name, Description: says, Schema: &huma.Schema{Type: huma.TypeBoolean}}
}

func toggled(r *http.Request, name string) (bool, *problemView) {
	switch r.URL.Query().Get(name) {
	case "":
		return false, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badParameter(fieldView{"/query/" + name, "is neither true nor false"})
}

// command carries a command out, or says what it would do.
func (a *api) command(ctx context.Context, r *http.Request, cmd ecp.Command) (success, error) {
	dryRun, p := toggled(r, "dryRun")
	if p != nil {
		return success{}, p
	}
	c, p := a.cluster(r.PathValue("id"))
	if p != nil {
		return success{}, p
	}
	if dryRun {
		plan, err := c.Plan(ctx, cmd)
		plan.Steps = list(plan.Steps)
		return success{status: http.StatusOK, body: plan}, err
	}
	operation, err := c.Do(ctx, cmd)
	if err != nil {
		return success{}, err
	}
	if operation.ID != "" {
		return success{status: http.StatusAccepted, operationLocation: operationsPath + "/" + string(operation.ID), body: viewOperation(operation)}, nil
	}
	info, err := c.Get(ctx)
	if errors.Is(err, ecp.ErrNotFound) {
		return success{status: http.StatusNoContent}, nil
	}
	return success{status: http.StatusOK, etag: etag(info.Revision), body: viewCluster(info)}, err
}

// updateBody is a merge patch of a cluster.
type updateBody[S any] struct {
	Name        *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Description *string `json:"description" required:"false" maxLength:"500"`
	Spec        *S      `json:"spec" required:"false" doc:"merge patch of the spec; power and target are not changed by it"`
}

// takesFields refuses a change that a cluster of its mode never takes, whatever
// else is wrong with the body: patch touches the same fields, and nothing is done.
func (a *api) takesFields(ctx context.Context, r *http.Request, patch string) error {
	c, p := a.cluster(r.PathValue("id"))
	if p != nil || patch == "" {
		return nil //nolint:nilerr // an id that is none is refused where the change is made
	}
	info, err := c.Get(ctx)
	if err != nil || info.Mode == ecp.Hosted {
		return err
	}
	if _, err = c.Plan(ctx, ecp.Update{Patch: json.RawMessage(patch)}); errors.Is(err, ecp.ErrUnsupported) {
		return err
	}
	return nil
}

// updateCluster reads a patch with the spec of the cluster's mode.
func (a *api) updateCluster(ctx context.Context, r *http.Request, body []byte) (success, error) {
	c, p := a.cluster(r.PathValue("id"))
	if p != nil {
		return success{}, p
	}
	info, err := c.Get(ctx)
	if err != nil {
		return success{}, err
	}
	read := decodeUpdate[ecp.HostedSpec]
	if info.Mode == ecp.Adopted {
		read = decodeUpdate[ecp.AdoptedSpec]
	}
	update, err := read(body)
	if err != nil {
		if err := a.takesFields(ctx, r, specOf(body)); err != nil {
			return success{}, err
		}
		return success{}, err
	}
	update.IfRevision = ifRevision(ctx)
	return a.command(ctx, r, update)
}

// specOf is the patch of a spec in the body of an update; "" if there is none.
func specOf(body []byte) string {
	var raw struct{ Spec json.RawMessage }
	_ = json.Unmarshal(body, &raw) // what is wrong with it is said where it is read
	return string(raw.Spec)
}

func decodeUpdate[S any](body []byte) (ecp.Update, error) {
	b, err := decodePatch[updateBody[S]](body)
	if err != nil {
		return ecp.Update{}, err
	}
	update := ecp.Update{Name: b.Name, Description: b.Description}
	if spec := specOf(body); spec != "" {
		update.Patch = json.RawMessage(spec)
	}
	return update, nil
}
