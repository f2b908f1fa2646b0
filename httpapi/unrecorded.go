package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

const unrecordedPath = "/api/v1/unrecorded-clusters"

// unrecordedRoutes are for clusters that are there and that no record knows: an
// older database was put back, or a namespace came back from a backup.
func (a *api) unrecordedRoutes() {
	a.json(route{
		method: http.MethodGet, path: unrecordedPath, id: "listUnrecorded",
		summary: "List clusters that are there and that no record knows",
		description: "They are left alone until somebody takes them over or removes them. Targets that cannot be " +
			"seen are left out.",
		success: returns[page[unrecordedView]](http.StatusOK),
	}, a.listUnrecorded)
	a.json(route{
		method: http.MethodPost, path: unrecordedPath + "/{id}/take-over", id: "takeOverUnrecorded",
		summary: "Make a record of a cluster that is there and has none",
		description: "The record is made from what the cluster's objects say they were made from; the id is kept, " +
			"the connections are booked, and no node is replaced.",
		parameters: []*huma.Param{dryRun()}, body: schemaOf[takeOverBody],
		success: []answer{
			answerOf[ecp.Plan](http.StatusOK).saying("a plan"),
			answerOf[clusterView](http.StatusAccepted, "ETag", "Location", "Operation-Location").saying("recorded"),
		},
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeUnsupported},
	}, decoded(a.takeOverUnrecorded))
	name := query("name", "what the cluster's objects call it, or its id: nothing is removed by a slip", text())
	name.Required = true
	a.json(route{
		method: http.MethodDelete, path: unrecordedPath + "/{id}", id: "removeUnrecorded",
		summary:     "Remove a cluster that no record knows, with its data",
		description: "The removal goes on after the answer.",
		parameters: []*huma.Param{name,
			query("target", "where it was found; needed where it is on several targets", text())},
		success: []answer{{status: http.StatusNoContent, text: "begun"}}, refuses: []ecp.Code{ecp.CodeConflict},
	}, a.removeUnrecorded)
}

// unrecordedView is a cluster that no record knows.
type unrecordedView struct {
	ID          ecp.ID    `json:"id"`
	Target      string    `json:"target" doc:"Kubernetes target it was found on"`
	Name        string    `json:"name,omitempty" doc:"as its objects say"`
	Project     string    `json:"project,omitempty" doc:"org/project, as its objects say"`
	CreatedAt   time.Time `json:"createdAt,omitzero" doc:"when its namespace was made"`
	Generation  int64     `json:"generation" doc:"of its objects; 0 when they do not say"`
	Nodes       int       `json:"nodes" doc:"pods that are there"`
	ReadyNodes  int       `json:"readyNodes"`
	Volumes     int       `json:"volumes" doc:"volume claims that are there"`
	Terminating bool      `json:"terminating" doc:"its removal has begun"`
	CanTake     bool      `json:"canTakeOver" doc:"its objects say what they were made from"`
	Why         string    `json:"why,omitempty" doc:"why it cannot be taken over"`
	Settings    []string  `json:"settings,omitempty" doc:"settings whose values are not kept with its objects: take-over needs them"`
	DeletedAt   time.Time `json:"deletedAt,omitzero" doc:"a cluster of this id was deleted then"`
	DeletedBy   string    `json:"deletedBy,omitempty" doc:"who asked for that"`
	RecordedOn  string    `json:"recordedOn,omitempty" doc:"target that a cluster of this id is recorded on"`
}

func viewUnrecorded(u fleet.UnrecordedCluster) unrecordedView {
	v := unrecordedView{
		ID: u.ID, Target: u.Target, Name: u.Name, Project: u.Project, CreatedAt: u.Since,
		Generation: u.Found.Generation,
		Nodes:      len(u.Found.Nodes),
		Volumes:    len(u.Found.Volumes), Terminating: u.Found.Terminating,
		CanTake: u.Manifest && u.RecordedOn == "" && !u.Found.Terminating, Why: u.Why, Settings: u.Settings,
		RecordedOn: u.RecordedOn,
	}
	for _, n := range u.Found.Nodes {
		if n.Ready {
			v.ReadyNodes++
		}
	}
	if u.Tombstone != nil {
		v.DeletedAt, v.DeletedBy = u.Tombstone.DeletedAt, u.Tombstone.DeletedBy
	}
	return v
}

func (a *api) listUnrecorded(ctx context.Context, _ *http.Request, _ body) (success, error) {
	found, err := a.manager.Unrecorded(ctx)
	return success{status: http.StatusOK, body: page[unrecordedView]{Items: convert(found, viewUnrecorded)}}, err
}

// takeOverBody holds what a cluster's objects do not say, or what is to be different.
type takeOverBody struct {
	Name    string            `json:"name" required:"false" maxLength:"200" doc:"as its objects say when left out"`
	Project string            `json:"project" required:"false" doc:"org/project; as its objects say when left out"`
	Target  string            `json:"target" required:"false" doc:"where it was found; needed where it is on several targets"`
	Config  map[string]string `json:"config" required:"false" doc:"values of the settings that are not kept with its objects"`
}

func (a *api) takeOverUnrecorded(ctx context.Context, r *http.Request, b takeOverBody) (success, error) {
	dryRun, p := readBool(r, "dryRun")
	if p != nil {
		return success{}, p
	}
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	ask := fleet.TakeOverRequest{ID: c.ID(), Target: b.Target, Name: b.Name, Project: b.Project, Config: b.Config}
	if dryRun {
		plan, err := a.manager.PlanTakeOverUnrecorded(ctx, ask)
		plan.Steps = list(plan.Steps)
		return success{status: http.StatusOK, body: plan}, within("spec.", err)
	}
	info, operation, err := a.manager.TakeOverUnrecorded(ctx, ask)
	if err != nil {
		return success{}, within("spec.", err)
	}
	return success{
		status: http.StatusAccepted, location: clustersPath + "/" + string(info.ID), etag: etag(info.Revision),
		body:              viewCluster(info),
		operationLocation: operationsPath + "/" + string(operation.ID),
	}, nil
}

func (a *api) removeUnrecorded(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	q := r.URL.Query()
	err := a.manager.RemoveUnrecorded(ctx, c.ID(), q.Get("target"), q.Get("name"))
	return success{status: http.StatusNoContent}, ofQuery(err)
}
