package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// ClustersPath is where clusters are.
const ClustersPath = "/api/v1/clusters"

// Cluster is a cluster as the API returns it. /openapi.json documents the fields.
type Cluster struct {
	ID          ecp.ID            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Project     string            `json:"project"` // org/project
	Mode        ecp.Mode          `json:"mode"`
	Version     string            `json:"version"` // of EMQX
	Spec        json.RawMessage   `json:"spec"`    // an ecp.HostedSpec or ecp.AdoptedSpec, as Mode says
	Status      Status            `json:"status"`
	Features    []ecp.FeatureInfo `json:"features"`
	Generation  int64             `json:"generation"`
	Revision    int64             `json:"revision"` // for Request.If
	Creator     string            `json:"creator"`
	CreatorUser string            `json:"creatorUser,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`

	// OperationID is the operation that CreateCluster has begun; empty if none was, and in
	// every other answer.
	OperationID ecp.OperationID `json:"-"`
}

// Status is what was found of a cluster.
type Status struct {
	State          ecp.State           `json:"state"` // for people; programs wait on Conditions
	Label          ecp.Label           `json:"label"`
	Reason         ecp.Reason          `json:"reason"`
	Message        string              `json:"message"`
	Stale          bool                `json:"stale"` // nothing can be seen at present
	StaleSince     time.Time           `json:"staleSince,omitzero"`
	Since          time.Time           `json:"since"`
	Nodes          []Node              `json:"nodes"`
	ReadyNodes     int                 `json:"readyNodes"`
	ForeignMembers []ecp.ForeignMember `json:"foreignMembers,omitempty"`
	Connections    ecp.ConnectionsInfo `json:"connections"`
	Endpoints      ecp.Endpoints       `json:"endpoints"`
	Conditions     []ecp.Condition     `json:"conditions"`
	Operation      ecp.OperationID     `json:"operation"` // the one that runs; empty if none does
}

// Node is one node of a cluster.
type Node struct {
	Ordinal     int    `json:"ordinal"`
	Name        string `json:"name"` // of EMQX
	Ready       bool   `json:"ready"`
	Reason      string `json:"reason"` // why it is not ready
	Message     string `json:"message"`
	Role        string `json:"role,omitempty"`
	Version     string `json:"version"`
	Uptime      int64  `json:"uptime"` // seconds
	Connections int    `json:"connections"`
}

// Create is what a cluster is asked for with.
type Create struct {
	Mode        ecp.Mode `json:"mode"`
	Project     string   `json:"project,omitempty"` // empty means default/default
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Spec        any      `json:"spec"` // an ecp.HostedSpec, an ecp.AdoptedSpec, or a map with some of their fields
}

// ClusterFilter chooses clusters of a list. Empty fields choose all.
type ClusterFilter struct {
	Project, Version string
	Mode             ecp.Mode
	State            ecp.State
	Query            string // part of the name or the id, in any case
	Sort             string // a field such as name; with - before it downwards
	Most             int    // of them; 0 means all
}

// Clusters yields clusters, page by page.
func (c *Client) Clusters(ctx context.Context, f ClusterFilter) iter.Seq2[Cluster, error] {
	q := url.Values{}
	for name, value := range map[string]string{
		"project": f.Project, "version": f.Version, "mode": string(f.Mode), "state": string(f.State), "q": f.Query,
		"sort": f.Sort,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return List[Cluster](ctx, c, ClustersPath, q, f.Most)
}

// Cluster returns a cluster with its nodes as they were last observed; ecp.ErrNotFound if there is none of
// that id that one may know of.
func (c *Client) Cluster(ctx context.Context, id ecp.ID) (Cluster, error) {
	var out Cluster
	_, err := c.Do(ctx, Request{Path: ClustersPath + Path(string(id))}, &out)
	return out, err
}

// CreateCluster makes a cluster. That of an adopted one is done at once; a hosted one is
// made from now on, and OperationID of the answer is what to wait for.
func (c *Client) CreateCluster(ctx context.Context, r Create) (Cluster, error) {
	var out Cluster
	a, err := c.Do(ctx, Request{Method: http.MethodPost, Path: ClustersPath, Body: r}, &out)
	out.OperationID = ecp.OperationID(a.Operation)
	return out, err
}

// Change is something that is asked of a cluster.
type Change struct {
	// Verb is the end of the path, such as stop, scale or settings/put-back. Empty means a
	// merge patch of name, description and spec; see Delete for the other.
	Verb   string
	Delete bool
	Body   any  // of the verb or the patch; nil if it has none
	Force  bool // of a deletion and a repair
	Now    bool // do not wait for the maintenance window
	// LostVolumes lets a repair delete the volumes that are on machines which have been removed.
	LostVolumes bool
	If          int64
	IfPlan      string // Hash of the plan that was decided on
}

func (c Change) request(id ecp.ID) Request {
	r := Request{
		Method: http.MethodPost, Path: ClustersPath + Path(string(id)), Body: c.Body, If: c.If, IfPlan: c.IfPlan,
		Query: url.Values{},
	}
	switch {
	case c.Delete:
		r.Method = http.MethodDelete
	case c.Verb == "":
		r.Method = http.MethodPatch
	default:
		r.Path += Path(strings.Split(c.Verb, "/")...)
	}
	for name, set := range map[string]bool{"force": c.Force, "now": c.Now, "lostVolumes": c.LostVolumes} {
		if set {
			r.Query.Set(name, strconv.FormatBool(set))
		}
	}
	return r
}

// Plan returns what a change would do, and changes nothing.
func (c *Client) Plan(ctx context.Context, id ecp.ID, change Change) (ecp.Plan, error) {
	r := change.request(id)
	r.Query.Set("dryRun", "true")
	var out ecp.Plan
	_, err := c.Do(ctx, r, &out)
	return out, err
}

// Change asks something of a cluster, and returns the operation that was begun. Where what
// is asked holds already, and where nothing has to be waited for, its ID is empty.
func (c *Client) Change(ctx context.Context, id ecp.ID, change Change) (ecp.Operation, error) {
	var out ecp.Operation
	a, err := c.Do(ctx, change.request(id), nil)
	if err != nil || a.Operation == "" {
		return out, err
	}
	if err := json.Unmarshal(a.Body, &out); err != nil || string(out.ID) != a.Operation {
		return c.Operation(ctx, ecp.OperationID(a.Operation))
	}
	return out, nil
}
