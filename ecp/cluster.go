package ecp

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// Cluster is the handle of one cluster. It holds no state: every call asks the
// Manager it came from, and needs an [Actor] in its context.
type Cluster interface {
	// ID gives the cluster's id; the cluster need not exist.
	ID() ID
	// Get gives what is wanted and what was found last. It never waits for the
	// cluster itself.
	Get(ctx context.Context) (Info, error)
	// Do takes a command and returns at once; the Manager's Run carries it out.
	// Where the command asks for what already holds, the operation is the zero
	// value and the error nil.
	Do(ctx context.Context, cmd Command) (Operation, error)
	// Plan says what Do would do, and changes nothing.
	Plan(ctx context.Context, cmd Command) (Plan, error)
	// Watch yields the cluster as it is, then every change of it, its agents and its
	// operations, until ctx ends or the cluster is gone: nothing is missed in
	// between. The iteration runs in the caller's goroutine.
	Watch(ctx context.Context) iter.Seq2[Change, error]
}

// ClusterRecord is all that is stored of one cluster: intent (name,
// description, project, spec, deleting), what was last found, and where its
// operation stands.
type ClusterRecord struct {
	ID          ID     `json:"id"`
	Name        string `json:"name"`        // unique in its project, see [ValidateName]
	Description string `json:"description"` // at most 500 characters
	Project     string `json:"project"`     // "org/project"
	Mode        Mode   `json:"mode"`
	Creator     string `json:"creator"` // name of the actor who created it
	// CreatorUser is the user who had logged in to create it; "" for a token, and for
	// records of releases that did not tell.
	CreatorUser string    `json:"creatorUser,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"` // last intent write

	Spec       Spec     `json:"spec"`
	Resolved   Resolved `json:"resolved"`           // catalogue entries as they were when the spec last changed
	Deleting   bool     `json:"deleting,omitempty"` // never taken back
	Force      bool     `json:"force,omitempty"`    // delete without waiting for nodes to stop
	Restarts   int      `json:"restarts,omitempty"` // how often all nodes were asked to be replaced
	Generation int64    `json:"generation"`         // grows when the spec changes
	// Changes identify the generations that may be found on the platform, the
	// newest last. Empty = an earlier build has made the record.
	Changes  []ChangeID `json:"changes,omitempty"`
	Revision int64      `json:"revision"` // grows with every intent write; the ETag

	Status Status `json:"status"`
}

// Resolved holds the catalogue entries a hosted spec names, copied so that a
// change of the catalogue never touches a running cluster.
type Resolved struct {
	Image Image `json:"image,omitzero"`
	Size  Size  `json:"size,omitzero"`
	// Connections is the limit the nodes were made with. Booking more or fewer
	// changes no node that runs: nodes that are started get the booked limit.
	Connections int `json:"connections,omitempty"`
	// Registry and License name the entries whose secrets the cluster gets; ""
	// = it needs none, or there was none.
	Registry string `json:"registry,omitempty"`
	License  string `json:"licence,omitempty"`
	// LBProfile is where LBAnnotations come from, which its load balancer gets
	// beneath the spec's own.
	LBProfile     string            `json:"lbProfile,omitempty"`
	LBAnnotations map[string]string `json:"lbAnnotations,omitempty"`
}

// Status is what is stored of what was found: transitions only. Node lists,
// members and counts are looked at again and again and stay in memory.
type Status struct {
	State     State       `json:"state"`
	Reason    Reason      `json:"reason"`
	Message   string      `json:"message,omitempty"`
	Since     time.Time   `json:"since"`               // when State was entered
	Deadline  time.Time   `json:"deadline,omitzero"`   // when an unsteady state becomes abnormal; zero in steady ones
	StaleFrom time.Time   `json:"staleFrom,omitzero"`  // since when nothing can be seen; zero = fresh. Deadlines stand still meanwhile
	Operation OperationID `json:"operation,omitempty"` // the running one
	Before    *Wanted     `json:"before,omitempty"`    // what was wanted before the running operation; nil = there is no way back

	// RepairOf is the state that the running repair began in: where it does not
	// help, the cluster is to be no worse. "" = no repair runs.
	RepairOf State `json:"repairOf,omitempty"`

	// Dispatched: an Apply has returned nil at least once. Until then nothing
	// of the cluster may exist, after it everything must.
	Dispatched bool `json:"dispatched,omitempty"`
	// Seen: something of the cluster was found after that. Until then absence
	// is no loss: the sight of the platform may lag behind what was done.
	Seen bool `json:"seen,omitempty"`
	// Applied is the generation last applied with success.
	Applied int64 `json:"applied,omitempty"`
	// RenderVersion is how the cluster's objects were last rendered; it rises with
	// operations that make nodes anew only, so that a newer build of ours is no
	// reason to replace any.
	RenderVersion int `json:"renderVersion,omitempty"`
	// Auth identifies the Secret with the cluster's cookie and keys, Volumes
	// the claim of every ordinal: learned once, so that a loss shows.
	Auth    string         `json:"auth,omitempty"`
	Volumes map[int]string `json:"volumes,omitempty"`
	// Ordinals is how many nodes belong to the cluster, beginning with 0: what a
	// claim beyond holds is nobody's. 0 = as many as the spec says.
	Ordinals int `json:"ordinals,omitempty"`
	// KeepOutdated: what was asked for last is no reason to replace nodes, so that
	// those of an older pod template than the platform has now are left as they
	// are. Otherwise a task on its way replaces them.
	KeepOutdated bool `json:"keepOutdated,omitempty"`
	// Removing is the ordinal of a node that has gone for good and is no part of
	// the cluster any more, while its membership of EMQX is yet to be ended: no
	// node of that ordinal comes before that. 0 = none; the first node never goes.
	Removing int `json:"removing,omitempty"`
	// Refused is what the platform will not take; nil = nothing is known of.
	Refused *Refused `json:"refused,omitempty"`
	// KeepVolumes: volumes beyond Ordinals were there when the record took over what
	// it found; they stay until the next change.
	KeepVolumes bool `json:"keepVolumes,omitempty"`
	// FormerSettings are settings that the spec no longer has and that nodes may
	// still have, as they were stored: sealed where they may be secrets.
	FormerSettings map[string]string `json:"formerSettings,omitempty"`
	// Leaving is the node whose clients are moved to others; nil = none.
	Leaving *Leaving `json:"leaving,omitempty"`
	// WaitingFrom is since when another program holds the platform, so that this
	// one writes nothing to it; zero = it may. Deadlines stand still meanwhile.
	WaitingFrom time.Time `json:"waitingFrom,omitzero"`

	Conditions []Condition `json:"conditions,omitempty"`

	// Version is what EMQX was last reported to be, of an adopted cluster; "" =
	// nothing was reported yet.
	Version string `json:"version,omitempty"`

	// Limit is what was set of connections at the broker of an adopted cluster; nil =
	// nothing was, from here.
	Limit *BrokerLimit `json:"limit,omitempty"`
	// LimitDropped is set where the broker took a limit and dropped it, until it is
	// reported to be another one.
	LimitDropped *LimitDropped `json:"limitDropped,omitempty"`

	// QuietAt is the revision at which the last write changed nothing that is
	// shown; another than the record's, or 0 = it did. See [ClusterRecord.Quiet].
	QuietAt int64 `json:"quietAt,omitempty"`
}

// Clone gives a copy that shares nothing with r.
func (r ClusterRecord) Clone() ClusterRecord {
	r.Spec = r.Spec.Clone()
	r.Changes = slices.Clone(r.Changes)
	r.Resolved.LBAnnotations = maps.Clone(r.Resolved.LBAnnotations)
	r.Status.Conditions = slices.Clone(r.Status.Conditions)
	r.Status.Volumes = maps.Clone(r.Status.Volumes)
	r.Status.FormerSettings = maps.Clone(r.Status.FormerSettings)
	if r.Status.Before != nil {
		before := *r.Status.Before
		before.Spec = before.Spec.Clone()
		before.Resolved.LBAnnotations = maps.Clone(before.Resolved.LBAnnotations)
		r.Status.Before = &before
	}
	if r.Status.Refused != nil {
		refused := *r.Status.Refused
		r.Status.Refused = &refused
	}
	if r.Status.Leaving != nil {
		leaving := *r.Status.Leaving
		r.Status.Leaving = &leaving
	}
	r.Status.Limit = r.Status.Limit.Clone()
	if r.Status.LimitDropped != nil {
		dropped := *r.Status.LimitDropped
		r.Status.LimitDropped = &dropped
	}
	return r
}

// Wanted is what was asked for of a cluster at one time.
type Wanted struct {
	Spec     Spec     `json:"spec"`
	Resolved Resolved `json:"resolved"`
}

// Leaving is a node whose clients are being moved away, so that it can go.
type Leaving struct {
	Node    string    `json:"node"` // its EMQX name
	Since   time.Time `json:"since"`
	GivenUp bool      `json:"givenUp,omitempty"` // its time was over, and it is not to go with clients on it
	Begun   time.Time `json:"begun,omitzero"`    // EMQX had begun by then; zero = not seen yet
	// Clients and Elsewhere are how many were connected to it, and to the others,
	// before.
	Clients   int `json:"clients,omitempty"`
	Elsewhere int `json:"elsewhere,omitempty"`
}

// Tombstone is what is left of a deleted cluster, for a year or as long as
// operations and audit entries tell of it: its id is not given out again.
type Tombstone struct {
	ID        ID        `json:"id"`
	Name      string    `json:"name"`
	Project   string    `json:"project"`
	DeletedAt time.Time `json:"deletedAt"`
	DeletedBy string    `json:"deletedBy"`
}

// Departure says that a cluster has left a project for another: for those who
// watch the project it was in, and may not see where it is now.
type Departure struct {
	Cluster ID        `json:"cluster"`
	Name    string    `json:"name"`
	Project string    `json:"project"` // the one it left
	At      time.Time `json:"at"`
}

// Info is a cluster as the Manager shows it: the record, what was seen at the
// last look, and what can be done with it.
type Info struct {
	ClusterRecord
	Version    string     `json:"version"` // EMQX version found, else the image's
	Nodes      []NodeInfo `json:"nodes"`   // as last seen, by ordinal
	ReadyNodes int        `json:"readyNodes"`
	// ForeignMembers are the members of EMQX that are no nodes of the cluster, as last
	// seen. Repair removes those that have stopped.
	ForeignMembers []ForeignMember `json:"foreignMembers,omitempty"`
	Current        ConnectionsInfo `json:"connections"`
	Endpoints      Endpoints       `json:"endpoints"`
	Volumes        []VolumeInfo    `json:"volumes"` // claims that are there, as last seen, by ordinal; of nodes that do not run, too
	Features       []FeatureInfo   `json:"features"`
	// Waits says in words what the running operation waits for, as last seen, e.g.
	// how many clients have yet to leave a node; "" = nothing, or not known.
	Waits string `json:"waits,omitempty"`
	// Unseen says why nothing can be seen of it at present; "" = it can, or nobody
	// has looked yet.
	Unseen string `json:"unseen,omitempty"`
	// LookedAt is the last look that saw anything; zero after a restart until
	// the first: state and conditions are then those of the earlier process,
	// and nodes are not known.
	LookedAt time.Time `json:"lookedAt,omitzero"`
}

// NodeInfo joins what Kubernetes and EMQX say of one node.
type NodeInfo struct {
	NodeObservation
	Member      bool          `json:"member"`            // EMQX counts it as running
	Status      NodeStatus    `json:"status,omitempty"`  // as EMQX reports it
	Role        string        `json:"role,omitempty"`    // "core" or "replicant", as EMQX reports it
	Version     string        `json:"version,omitempty"` // as EMQX reports it
	Uptime      time.Duration `json:"uptime,omitempty"`
	Connections int           `json:"connections"`
}

// ConnectionsInfo is how many MQTT connections there are and may be.
type ConnectionsInfo struct {
	Current    int    `json:"current"`    // live now, all nodes
	Limit      int    `json:"limit"`      // what is booked, or less where the licence allows less
	EnforcedBy string `json:"enforcedBy"` // see [EnforcedByLicense] and its like
}
