package ecp

import (
	"context"
	"iter"
	"regexp"
	"time"
)

// ID names a cluster for ever: "emqx-" and 8 hexadecimal digits. It is also
// the name of the cluster's Kubernetes namespace. It is not given out twice: a
// deleted cluster leaves a [Tombstone], for a year at least.
type ID string

var idForm = regexp.MustCompile(`^emqx-[0-9a-f]{8}$`)

// Valid reports whether id has the form of a cluster id, so that it is safe in a
// path, a label and a namespace name.
func (id ID) Valid() bool { return idForm.MatchString(string(id)) }

// Cluster is the handle of one cluster. It holds no state: every call asks the
// Manager it came from, and needs an [Actor] in its context.
type Cluster interface {
	// ID returns the cluster's id; the cluster need not exist.
	ID() ID
	// Get returns what is wanted and what was found last. It never waits for the
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
	// Volumes: claims that are there, as last seen, by ordinal; of nodes that do not run, too
	Volumes  []VolumeInfo  `json:"volumes"`
	Features []FeatureInfo `json:"features"`
	// Waits says in words what the running operation waits for, as last seen, e.g.
	// how many clients have yet to leave a node; "" = nothing, or not known.
	Waits string `json:"waits,omitempty"`
	// Hibernation is nil where none is asked for.
	Hibernation *HibernationInfo `json:"hibernation,omitempty"`
	// Unseen says why nothing can be seen of it at present; "" = it can, or nobody
	// has looked yet.
	Unseen string `json:"unseen,omitempty"`
	// LookedAt is the last look that saw anything; zero after a restart until
	// the first: state and conditions are then those of the earlier process,
	// and nodes are not known.
	LookedAt time.Time `json:"lookedAt,omitzero"`
}

// HibernationInfo is where a cluster stands with its hibernation.
type HibernationInfo struct {
	Asleep    bool      `json:"asleep"`             // the schedule has stopped it, and wakes it
	NextSleep time.Time `json:"nextSleep,omitzero"` // zero = never
	NextWake  time.Time `json:"nextWake,omitzero"`  // zero = never
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
	Limit      int    `json:"limit"`      // what the broker has said that it takes; 0 = it has not, or takes any number
	EnforcedBy string `json:"enforcedBy"` // see [EnforcedByLicense] and its like
}

// Who keeps a cluster to its number of connections.
const (
	EnforcedByLicense   = "license"   // the broker's license allows no more
	EnforcedByListeners = "listeners" // each listener of each node takes its share; others of a node take as many again
	EnforcedByNone      = "none"      // nobody does: the broker takes more
	EnforcedByUnknown   = "unknown"   // the broker has not said yet, or no node runs
)

// ForeignMember is a member of an EMQX cluster that is no node of ours: what
// somebody's own scaling has left behind, or a broker that was joined by hand.
type ForeignMember struct {
	Name string `json:"name"` // EMQX node name
	// Running is false where EMQX reports it as stopped. One that may run is
	// left alone: it would lose its clients and its data.
	Running bool `json:"running"`
}

// VolumeInfo is the volume of one node: how large it is, and is to be.
type VolumeInfo struct {
	Ordinal  int    `json:"ordinal"`
	Name     string `json:"name"`     // of the claim
	Capacity string `json:"capacity"` // as the platform tells, e.g. "10Gi"; "" = it does not, or there is none yet
	Wanted   string `json:"wanted"`   // by the cluster's size; a volume that is larger stays so
	// Pending says why it is smaller than wanted; "" = it is not, or nobody said.
	Pending string `json:"pending"`
}

// LargerThan reports whether the volume is larger than one of a size, e.g.
// "10Gi"; false where either is no quantity.
func (s Storage) LargerThan(size string) bool {
	a, ok := ParseQuantity(s.Size)
	b, known := ParseQuantity(size)
	return ok && known && a > b
}

// MaxListLimit is the largest Limit of [ListOptions].
const MaxListLimit = 500

// ListOptions selects and sorts clusters. Zero values select all, in the order
// of their ids.
type ListOptions struct {
	Project    string
	Mode       Mode
	State      State
	Version    string // as wanted, or of adopted clusters as reported; exactly
	Query      string // part of the name or the id, in any case
	Sort       SortKey
	Descending bool
	Cursor     string // Next of the page before, with the same Sort
	Limit      int    // 0 = 50; at most [MaxListLimit]
}

// Page is a part of a list.
type Page struct {
	Items []Info
	Next  string // Cursor of the next page; "" = this was the last
}

// SortKey is what a list is sorted by.
type SortKey string

// The keys. Clusters that have the same value are in the order of their ids.
const (
	SortID          SortKey = "id"
	SortName        SortKey = "name" // without regard to case
	SortProject     SortKey = "project"
	SortState       SortKey = "state"
	SortVersion     SortKey = "version" // as wanted, or of adopted clusters as reported
	SortCreated     SortKey = "created"
	SortUpdated     SortKey = "updated"     // last change of what is wanted
	SortNodes       SortKey = "nodes"       // as wanted, or of adopted clusters as reported
	SortConnections SortKey = "connections" // booked
)

// SortKeys lists the keys a list can be sorted by.
func SortKeys() []SortKey {
	return []SortKey{
		SortID, SortName, SortProject, SortState, SortVersion, SortCreated, SortUpdated, SortNodes, SortConnections,
	}
}
