package httpapi

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// clusterView is a cluster as the API shows it.
type clusterView struct {
	ID          ecp.ID            `json:"id" doc:"emqx- and 8 hexadecimal digits; never given out twice"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Project     string            `json:"project" doc:"org/project"`
	Mode        ecp.Mode          `json:"mode"`
	Version     string            `json:"version" doc:"EMQX version"`
	Spec        specView          `json:"spec" doc:"what is wanted"`
	Status      statusView        `json:"status" doc:"what was found"`
	Features    []ecp.FeatureInfo `json:"features" doc:"what can be done with it"`
	Generation  int64             `json:"generation" doc:"grows when the spec changes"`
	Revision    int64             `json:"revision" doc:"grows with every change that was asked for; the ETag"`
	Creator     string            `json:"creator" doc:"who created it; an API token's name begins with token:"`
	CreatorUser string            `json:"creatorUser,omitempty" doc:"the user who had logged in to create it"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt" doc:"of the last change that was asked for"`
}

// statusView is what was found of a cluster.
type statusView struct {
	State          ecp.State           `json:"state" doc:"one word for people; software waits on the conditions Settled and Healthy"`
	Label          ecp.Label           `json:"label" doc:"the state's name"`
	Reason         ecp.Reason          `json:"reason" doc:"word from a fixed list: why the state is what it is"`
	Message        string              `json:"message" doc:"the same for people"`
	Stale          bool                `json:"stale" doc:"nothing can be seen at present; what is said was true when it could"`
	StaleSince     time.Time           `json:"staleSince,omitzero" doc:"only where stale"`
	Since          time.Time           `json:"since" doc:"when the state was entered"`
	Nodes          []nodeView          `json:"nodes" doc:"as last seen, by ordinal"`
	ReadyNodes     int                 `json:"readyNodes"`
	Volumes        []ecp.VolumeInfo    `json:"volumes" doc:"of nodes, as last seen, by ordinal; of a stopped cluster, too"`
	ForeignMembers []ecp.ForeignMember `json:"foreignMembers,omitempty" doc:"members of EMQX that are no nodes of the cluster, as last seen; repair removes those that have stopped, and leaves alone what runs"`
	Connections    ecp.ConnectionsInfo `json:"connections"`
	Endpoints      endpointsView       `json:"endpoints" doc:"where MQTT clients reach it"`
	Conditions     []ecp.Condition     `json:"conditions"`
	Operation      ecp.OperationID     `json:"operation" doc:"the one that runs; empty if none does"`

	Hibernation *ecp.HibernationInfo `json:"hibernation,omitempty" doc:"only where spec.hibernation asks for it"`
}

// nodeView is one node of a cluster; of one that was adopted only what EMQX tells.
type nodeView struct {
	Ordinal      int       `json:"ordinal"`
	Name         string    `json:"name" doc:"EMQX node name"`
	Pod          string    `json:"pod"`
	Host         string    `json:"host" doc:"Kubernetes node"`
	IP           string    `json:"ip"`
	Ready        bool      `json:"ready" doc:"takes clients"`
	Terminating  bool      `json:"going" doc:"is being taken away"`
	Broken       bool      `json:"broken" doc:"will not start without help"`
	Reason       string    `json:"reason" doc:"why it is not ready"`
	Message      string    `json:"message"`
	Resize       string    `json:"resize,omitempty" doc:"how far it is with CPU and memory that it is to have: due or waiting, while it runs, or refused, where the node is replaced instead"`
	ResizeReason string    `json:"resizeReason,omitempty" doc:"why that waits or was refused"`
	Image        string    `json:"image"`
	Volume       string    `json:"volume" doc:"volume claim"`
	Restarts     int       `json:"restarts"`
	Since        time.Time `json:"since,omitzero" doc:"when it became ready, or not"`
	Member       bool      `json:"member" doc:"EMQX counts it as running"`
	Status       string    `json:"status,omitempty" doc:"running, stopped or unknown, as EMQX, or the agents of an adopted cluster, report it; left out where nobody has"`
	Role         string    `json:"role,omitempty" doc:"core or replicant, as EMQX reports it, or else as it was made"`
	Version      string    `json:"version" doc:"as EMQX reports it"`
	Uptime       int64     `json:"uptime" doc:"seconds, as EMQX reports it"`
	Connections  int       `json:"connections"`
}

type endpointsView struct {
	Internal internalView           `json:"internal" doc:"inside Kubernetes"`
	External []ecp.ExternalEndpoint `json:"external" doc:"outside; an empty host stands for any Kubernetes node"`
}

type internalView struct {
	Host  string             `json:"host"`
	Ports []ecp.EndpointPort `json:"ports"`
}

// specView is the spec of the cluster's mode, without the mode around it.
type specView ecp.Spec

// MarshalJSON encodes the one part that is set.
func (s specView) MarshalJSON() ([]byte, error) {
	if s.Adopted != nil {
		return json.Marshal(s.Adopted)
	}
	return json.Marshal(s.Hosted)
}

// Schema describes that it is the one or the other.
func (specView) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{schemaOf[ecp.HostedSpec](r), schemaOf[ecp.AdoptedSpec](r)}}
}

func viewCluster(i ecp.Info) clusterView {
	st := i.Status
	v := clusterView{
		ID: i.ID, Name: i.Name, Description: i.Description, Project: i.Project, Mode: i.Mode, Version: i.Version,
		Spec: specView(i.Spec.Redacted()), Features: list(i.Features), Generation: i.Generation, Revision: i.Revision,
		Creator: i.Creator, CreatorUser: i.CreatorUser, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt,
	}
	v.Status = statusView{
		State: st.State, Label: i.StateMachine().Label(st.State), Reason: st.Reason, Message: st.Message,
		Stale: !st.StaleFrom.IsZero(), StaleSince: st.StaleFrom, Since: st.Since, Nodes: []nodeView{},
		ReadyNodes: i.ReadyNodes, Volumes: list(i.Volumes), ForeignMembers: i.ForeignMembers,
		Connections: i.Current, Conditions: list(st.Conditions), Operation: st.Operation,
		Hibernation: i.Hibernation,
		Endpoints: endpointsView{
			Internal: internalView{Host: i.Endpoints.Internal.Host, Ports: list(i.Endpoints.Internal.Ports)},
			External: list(i.Endpoints.External),
		},
	}
	for _, n := range i.Nodes {
		v.Status.Nodes = append(v.Status.Nodes, viewNode(n))
	}
	return v
}

func viewNode(n ecp.NodeInfo) nodeView {
	return nodeView{
		Ordinal: n.Ordinal, Name: n.Name, Pod: n.Pod, Host: n.Host, IP: n.IP, Ready: n.Ready,
		Terminating: n.Terminating,
		Broken:      n.Broken,
		Reason:      n.Reason, Message: n.Message, Resize: string(n.Resize), ResizeReason: n.ResizeReason,
		Image: n.Image, Volume: n.Volume, Restarts: n.Restarts,
		Since:  n.Since,
		Member: n.Member, Status: string(n.Status), Role: n.Role, Version: n.Version,
		Uptime:      int64(n.Uptime / time.Second),
		Connections: n.Connections,
	}
}

// etag is a cluster's revision as HTTP writes it.
func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

func viewOperation(o ecp.Operation) ecp.Operation {
	o.Steps = list(o.Steps)
	return o
}
