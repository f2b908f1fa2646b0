package ecp

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

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
	// ReplicantSize is that of replicants, also of such that are on their way out.
	ReplicantSize Size `json:"replicantSize,omitzero"`
	// Connections is the limit that nodes are made with.
	Connections int `json:"connections,omitempty"`
	// ListenerLimit is how many connections each listener of a node takes: its share of
	// Connections. 0 = it was not divided when the nodes were last changed, by an earlier
	// build: then nodes that run keep what they have.
	ListenerLimit int `json:"listenerLimit,omitempty"`
	// Registry and License name the entries whose secrets the cluster gets; ""
	// = it needs none, or there was none.
	Registry string `json:"registry,omitempty"`
	License  string `json:"license,omitempty"`
	// LBProfile is where LBAnnotations come from, which its load balancer gets
	// beneath the spec's own.
	LBProfile     string            `json:"lbProfile,omitempty"`
	LBAnnotations map[string]string `json:"lbAnnotations,omitempty"`
}

// UnmarshalJSON reads the license under the name that earlier builds gave it, too:
// stored records, answers, and the texts beside the objects of clusters have it.
func (r *Resolved) UnmarshalJSON(b []byte) error {
	type fields Resolved
	both := struct {
		*fields
		Older string `json:"licence"`
	}{fields: (*fields)(r)}
	if err := json.Unmarshal(b, &both); err != nil {
		return err
	}
	r.License = cmp.Or(r.License, both.Older)
	return nil
}

// Clone returns a copy that shares nothing with r.
func (r ClusterRecord) Clone() ClusterRecord {
	r.Spec = r.Spec.Clone()
	r.Changes = slices.Clone(r.Changes)
	r.Resolved.LBAnnotations = maps.Clone(r.Resolved.LBAnnotations)
	r.Status.Conditions = slices.Clone(r.Status.Conditions)
	r.Status.Volumes = maps.Clone(r.Status.Volumes)
	r.Status.Abandoned = slices.Clone(r.Status.Abandoned)
	r.Status.OldKeys = slices.Clone(r.Status.OldKeys)
	r.Status.Cordoned = slices.Clone(r.Status.Cordoned)
	r.Status.FormerSettings = maps.Clone(r.Status.FormerSettings)
	if r.Status.Untold != nil {
		r.Status.Untold = &UntoldSettings{slices.Clone(r.Status.Untold.Keys), maps.Clone(r.Status.Untold.Was)}
	}
	if r.Status.Previous != nil {
		before := *r.Status.Previous
		before.Spec = before.Spec.Clone()
		before.Resolved.LBAnnotations = maps.Clone(before.Resolved.LBAnnotations)
		r.Status.Previous = &before
	}
	if r.Status.Refused != nil {
		refused := *r.Status.Refused
		r.Status.Refused = &refused
	}
	if r.Status.Draining != nil {
		draining := *r.Status.Draining
		r.Status.Draining = &draining
	}
	r.Status.Limit = r.Status.Limit.Clone()
	if r.Status.LimitDropped != nil {
		dropped := *r.Status.LimitDropped
		r.Status.LimitDropped = &dropped
	}
	return r
}

// Describe implements [Payload].
func (r ClusterRecord) Describe() (Kind, string, Index) {
	return KindCluster, string(r.ID), Index{Project: r.Project, Name: r.Name, State: string(r.Status.State)}
}

// Copy returns a value that shares nothing with r.
func (r ClusterRecord) Copy() Payload { return r.Clone() }

// Quiet reports whether the write that made r of the record before it changed
// nothing that is shown of a cluster: notes of the Manager for itself only.
func (r ClusterRecord) Quiet() bool { return r.Status.QuietAt != 0 && r.Status.QuietAt == r.Revision }

// EMQXVersion returns the EMQX version that a record tells of: that of the image, or
// what agents have reported last. It is empty where no agent has.
func (r ClusterRecord) EMQXVersion() string {
	if r.Mode == Adopted {
		return r.Status.Version
	}
	return r.Resolved.Image.Version
}

// UsesCertificate reports whether a cluster serves a certificate of the catalogue, or would
// again if the operation that runs were cancelled.
func (r ClusterRecord) UsesCertificate(name string) bool {
	before := r.Status.Previous
	return r.Spec.Hosted != nil && r.Spec.Hosted.Network.Certificate == name ||
		before != nil && before.Spec.Hosted != nil && before.Spec.Hosted.Network.Certificate == name
}

// StateMachine returns the state machine that holds for the cluster now: that of its
// mode, or the one of clusters that are being deleted.
func (r ClusterRecord) StateMachine() StateMachine {
	if r.Deleting {
		return r.Mode.StateMachine().WhileDeleting()
	}
	return r.Mode.StateMachine()
}

// whileOlder are the commands that are legal while the record is older than what is
// found; an update may change name and description.
var whileOlder = []CommandKind{CommandTakeOver, CommandPutBack, CommandTransfer, CommandDelete}

// Legal lists the commands that are taken of the cluster now.
func (r ClusterRecord) Legal() []CommandKind {
	all := r.StateMachine().Legal(r.Status.State)
	older := r.Status.Reason == ReasonRecordOlder
	return slices.DeleteFunc(all, func(k CommandKind) bool {
		if r.Deleting {
			return false
		}
		if older {
			return !slices.Contains(whileOlder, k)
		}
		if k == CommandRepair && r.Mode == Hosted && r.Status.State == Running { // it works, but for EMQX's members
			return !r.Status.HasForeignMembers()
		}
		return k == CommandTakeOver || k == CommandPutBack
	})
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

// Describe implements [Payload].
func (t Tombstone) Describe() (Kind, string, Index) {
	return KindTombstone, string(t.ID), Index{Project: t.Project, State: string(Gone)}
}

// Copy returns t itself: it holds no reference.
func (t Tombstone) Copy() Payload { return t }

// TransferNotice is left in the project from which a cluster was transferred, for
// those who watch that project and may not read the other one.
type TransferNotice struct {
	Cluster ID        `json:"cluster"`
	Name    string    `json:"name"`
	Project string    `json:"project"` // the one it left
	At      time.Time `json:"at"`
}

// Describe returns kind, key and index: it is seen in the project that was left.
func (d TransferNotice) Describe() (Kind, string, Index) {
	return KindTransferNotice, string(d.Cluster), Index{Project: d.Project, Parent: string(d.Cluster)}
}

// Copy returns d itself: it holds no reference.
func (d TransferNotice) Copy() Payload { return d }
