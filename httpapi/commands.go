package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// verb is one thing that can be asked of a cluster at a path of its own.
type verb struct {
	name, summary string
	fields        string // a patch that touches what it changes in a hosted spec; empty if that is nothing
	body          schema // nil if it takes none
	command       func(b body, revision int64) (ecp.Command, error)
}

// noBody is the command of a verb that takes no body.
func noBody[C ecp.Command](command func(revision int64) C) func(body, int64) (ecp.Command, error) {
	return func(_ body, revision int64) (ecp.Command, error) { return command(revision), nil }
}

// repairVerb takes parameters.
const repairVerb = "repair"

var verbs = []verb{
	{"start", "Let the nodes of a stopped cluster run again", "", nil,
		noBody(func(n int64) ecp.Start { return ecp.Start{IfRevision: n} })},
	{"stop", "Take all nodes away and keep the data", "", nil,
		noBody(func(n int64) ecp.Stop { return ecp.Stop{IfRevision: n} })},
	{"restart", "Replace the nodes one after the other", "", nil,
		noBody(func(n int64) ecp.Restart { return ecp.Restart{IfRevision: n} })},
	{repairVerb, "Apply the spec again and accept what was lost", "", nil,
		noBody(func(n int64) ecp.Repair { return ecp.Repair{IfRevision: n} })},
	{"take-over", "Record what is there of a cluster whose record is older than that, after an older database was " +
		"put back", "", nil,
		noBody(func(n int64) ecp.TakeOver { return ecp.TakeOver{IfRevision: n} })},
	{"put-back", "Make what is there of such a cluster what is recorded, with its nodes and volumes; ask for the " +
		"plan first", "", nil,
		noBody(func(n int64) ecp.PutBack { return ecp.PutBack{IfRevision: n} })},
	{"transfer", "Move a cluster to another project; nothing restarts", "",
		schemaOf[transferBody], transferCommand},
	{"scale", "Change the number of nodes", `{"nodes":null}`,
		schemaOf[scaleBody], specCommand[scaleBody]("")},
	{"resize", "Change the size of the nodes", `{"size":null}`,
		schemaOf[resizeBody], specCommand[resizeBody]("")},
	{"connections", "Change how many connections are booked, of an adopted cluster: the limit that its EMQX keeps to",
		"",
		schemaOf[connectionsBody], specCommand[connectionsBody]("")},
	{"image", "Change to another image, and so to another version", `{"image":null}`,
		schemaOf[imageBody], specCommand[imageBody]("")},
	{"settings/put-back", "Tell EMQX the settings of the spec again that were changed in it; no node is replaced", "",
		schemaOf[driftBody], driftCommand(false)},
	{"settings/take-over", "Put the settings into the spec that EMQX runs with, as a change of it", "",
		schemaOf[driftBody], driftCommand(true)},
	{"network", "Change how clients reach the cluster; a merge patch of the spec's network", `{"network":null}`,
		schemaOf[ecp.Network], specCommand[ecp.Network]("network")},
}

// mayWait are the verbs for which nodes may be replaced, which waits for a maintenance
// window.
var mayWait = map[string]bool{"restart": true, "resize": true, "connections": true, "image": true}

type driftBody struct {
	Keys []string `json:"keys" required:"false" maxItems:"1000" doc:"keys of GET .../settings/drift, or of spec.config; left out: all for which it can be done, and the plan says which are left"`
}

func driftCommand(takeOver bool) func(body, int64) (ecp.Command, error) {
	return func(raw body, revision int64) (ecp.Command, error) {
		b, err := decode[driftBody](raw)
		return ecp.EndDrift{Keys: b.Keys, TakeOver: takeOver, IfRevision: revision}, err
	}
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

func transferCommand(raw body, revision int64) (ecp.Command, error) {
	b, err := decode[transferBody](raw)
	return ecp.Transfer{Project: b.Project, IfRevision: revision}, err
}

// specCommand changes the part of a spec that the body is. An empty part means that
// the body holds fields of the spec itself.
func specCommand[B any](part string) func(body, int64) (ecp.Command, error) {
	return func(b body, revision int64) (ecp.Command, error) {
		if _, err := decode[B](b); err != nil {
			return nil, err
		}
		spec := b.root
		if part != "" {
			spec = map[string]any{part: spec}
		}
		patch, err := json.Marshal(spec)
		return ecp.Update{Patch: patch, IfRevision: revision}, err
	}
}

// commandRoutes are what can be asked of a cluster.
func (a *api) commandRoutes() {
	for _, v := range verbs {
		r := commandRoute(http.MethodPost, "/"+v.name, v.operationID(), v.summary)
		r.body = v.body
		if mayWait[v.name] {
			r.parameters = append(r.parameters, nowParameter())
		}
		if v.name == repairVerb {
			r.parameters = append(r.parameters, boolean("force", "delete pods whose machines do not answer, although "+
				"EMQX may still run there and use their volumes; the plan tells the risk"),
				boolean("lostVolumes", "delete the volume claims of nodes whose volumes are on machines that "+
					"have been removed, one node at a time, and make those nodes anew: what only these volumes held "+
					"is lost"))
		}
		a.json(r, func(ctx context.Context, r *http.Request, b body) (success, error) {
			if err := a.takesFields(ctx, r, v.fields); err != nil {
				return success{}, v.asAsked(err)
			}
			cmd, err := v.command(b, ifRevision(ctx))
			if err != nil {
				return success{}, err
			}
			if repair, is := cmd.(ecp.Repair); is {
				var force, volumes *problemView
				repair.Force, force = readBool(r, "force")
				repair.LostVolumes, volumes = readBool(r, "lostVolumes")
				if p := cmp.Or(force, volumes); p != nil {
					return success{}, p
				}
				cmd = repair
			}
			out, err := a.command(ctx, r, cmd)
			return out, v.asAsked(err)
		})
	}
	update := commandRoute(http.MethodPatch, "", "updateCluster",
		"Change a cluster: one operation, however many fields")
	update.description = mergePatchText + " " + update.description
	update.body = eitherSpec[updateBody[ecp.HostedSpec], updateBody[ecp.AdoptedSpec]]("UpdateBody")
	update.parameters = append(update.parameters, nowParameter())
	a.json(update, a.updateCluster)

	remove := commandRoute(http.MethodDelete, "", "deleteCluster", "Remove a cluster with its data")
	remove.parameters = append(remove.parameters, boolean("force", "do not wait for nodes to stop in order; of an "+
		"adopted cluster: "+
		"do not wait until its EMQX has its own connection limit back, which the operation's note then tells of"))
	a.json(remove, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		force, p := readBool(r, "force")
		if p != nil {
			return success{}, p
		}
		return a.command(ctx, r, ecp.Delete{Force: force, IfRevision: ifRevision(ctx)})
	})
}

// operationID names the operation in the document.
func (v verb) operationID() string {
	words := strings.FieldsFunc(v.name, func(r rune) bool { return r == '-' || r == '/' })
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "") + "Cluster"
}

// asAsked makes an error point into the body of the verb, not into the patch that was made
// of it.
func (v verb) asAsked(err error) error {
	switch v.name {
	case "network":
		return within("spec.network", within("spec.network.", err))
	case "transfer", "settings/put-back", "settings/take-over":
		return err
	}
	return within("spec.", err)
}

func commandRoute(method, path, id, summary string) route {
	return route{
		method: method, path: clusterPath + path, id: id, summary: summary,
		description: "202: the operation that was begun, which Operation-Location leads to. 200: nothing has to be " +
			"waited for, the cluster as it is now; with dryRun the plan. 204: the cluster has gone, or is not yours " +
			"to see any more.",
		parameters: []*huma.Param{dryRun(), ifMatchParameter(), ifPlanParameter()},
		refuses:    []ecp.Code{ecp.CodeConflict, ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeUnsupported},
		success: []answer{
			{http.StatusOK, map[string]schema{"application/json": oneOf(schemaOf[clusterView], schemaOf[ecp.Plan])},
				[]string{"ETag"}, "nothing to wait for, or a plan"},
			answerOf[ecp.Operation](http.StatusAccepted, "Operation-Location").saying("begun"),
			{status: http.StatusNoContent, text: "gone"},
		},
	}
}

// command executes a command, or plans it.
func (a *api) command(ctx context.Context, r *http.Request, cmd ecp.Command) (success, error) {
	dryRun, p := readBool(r, "dryRun")
	if p != nil {
		return success{}, p
	}
	now, p := readBool(r, "now")
	if p != nil {
		return success{}, p
	}
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	cmd = atOnce(cmd, now)
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
		at := operationsPath + "/" + string(operation.ID)
		return success{status: http.StatusAccepted, operationLocation: at, body: viewOperation(operation)}, nil
	}
	info, err := c.Get(ctx)
	if errors.Is(err, ecp.ErrNotFound) {
		return success{status: http.StatusNoContent}, nil
	}
	return success{status: http.StatusOK, etag: etag(info.Revision), body: viewCluster(info)}, err
}

func nowParameter() *huma.Param {
	return boolean("now", "replace nodes without waiting for a maintenance window, also those that an earlier change "+
		"waits to replace")
}

// atOnce returns a command that waits for no maintenance window.
func atOnce(cmd ecp.Command, now bool) ecp.Command {
	switch c := cmd.(type) {
	case ecp.Update:
		c.Now = now
		return c
	case ecp.Restart:
		c.Now = now
		return c
	}
	return cmd
}

// updateBody is a merge patch of a cluster.
type updateBody[S any] struct {
	Name        *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Description *string `json:"description" required:"false" maxLength:"500"`
	Spec        *S      `json:"spec" required:"false" doc:"merge patch of the spec; power and target are not changed by it"`
}

// takesFields refuses a change that a cluster of its mode never takes, whatever else is
// wrong with the body. It plans a patch of the same fields, and changes nothing.
func (a *api) takesFields(ctx context.Context, r *http.Request, patch string) error {
	c, p := a.cluster(r)
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
func (a *api) updateCluster(ctx context.Context, r *http.Request, b body) (success, error) {
	info, err := a.clusterInfo(ctx, r)
	if err != nil {
		return success{}, err
	}
	read := decodeUpdate[ecp.HostedSpec]
	if info.Mode == ecp.Adopted {
		read = decodeUpdate[ecp.AdoptedSpec]
	}
	update, err := read(b)
	if err != nil {
		if err := a.takesFields(ctx, r, string(update.Patch)); err != nil {
			return success{}, err
		}
		return success{}, err
	}
	update.IfRevision = ifRevision(ctx)
	return a.command(ctx, r, update)
}

// decodeUpdate reads a merge patch of a cluster. It returns the patch of the spec even
// where the rest has not the documented form.
func decodeUpdate[S any](b body) (update ecp.Update, err error) {
	if spec, given := b.field("spec"); given {
		if update.Patch, err = json.Marshal(spec); err != nil {
			return update, err
		}
	}
	form, err := decodePatch[updateBody[S]](b)
	update.Name, update.Description = form.Name, form.Description
	return update, err
}
