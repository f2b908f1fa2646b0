package ecp

import (
	"fmt"
	"strings"
	"time"
)

// Observation is what a Provisioner found of one cluster.
type Observation struct {
	Exists       bool   // something of the cluster is there
	Terminating  bool   // its removal has begun
	ForeignOwner string // whose it is, where the name is somebody else's; nothing else is then filled in
	// Replicas is how many nodes the platform is asked for now; -1 where the
	// object that says so does not exist.
	Replicas int
	// Converged: the platform has taken up the newest objects, and every wanted
	// pod is of the newest revision and ready.
	Converged bool
	// Drift names objects that differ from how they were rendered, or are
	// missing; Apply would write them. Empty = none.
	Drift []string
	// Contested are objects that somebody else keeps changing back. While one
	// rests it is no drift: Apply leaves those fields alone until it writes them
	// once more.
	Contested []Contest
	// Generation is the one that was last applied, as found; 0 = unknown.
	Generation int64
	// ChangeID and Manifest are those of the last Apply, as found; "" = there are
	// none, or it was without.
	ChangeID string
	Manifest string
	// Obstacles are what the platform itself says stands in the way, for people:
	// why it refuses a pod that should be there, or what keeps the rest of the
	// cluster from going. Empty = nothing, or it does not tell.
	Obstacles []string
	Nodes     []NodeObservation   // pods that are there, by ordinal; replicants after the others
	Volumes   []VolumeObservation // claims that are there, by ordinal
	// Replicants is how many replicants the platform is asked for now; 0 where the object
	// that says so does not exist. ReplicantsInFront: the address that clients use leads to
	// replicants only.
	Replicants        int
	ReplicantsInFront bool
	// EvictionsHeld: nobody can evict nodes now, as [Desired.HoldEvictions] asks for.
	EvictionsHeld bool
	// MachinesSeen: it is known of each node whether it is [NodeObservation.Unschedulable].
	MachinesSeen bool
	// Auth identifies the Secret with cookie and keys; "" = it is not there.
	Auth      string
	Endpoints Endpoints
	// AddressPending says why clients outside have no address although they are
	// to have one: the platform's words, or what it has not done. "" = they have
	// it, or are to have none.
	AddressPending string
}

// Contest is a fight over fields of one object, or over whether it is there.
type Contest struct {
	Object  string        // e.g. "StatefulSet emqx-1a2b3c4d-emqx"
	Fields  []string      // paths in it, e.g. "spec.template.spec.terminationGracePeriodSeconds"; none = it is removed
	Manager string        // what the other calls itself on the platform; "" = not known
	Writes  int           // of ours that were undone in a row
	Rest    time.Duration // between the last write and the next
}

// String tells people of the contest.
func (c Contest) String() string {
	by := "somebody else"
	if c.Manager != "" {
		by = fmt.Sprintf("%q", c.Manager)
	}
	if len(c.Fields) == 0 {
		return fmt.Sprintf("%s keeps removing %s, which was written %d times; the next time comes %s after the last",
			by, c.Object, c.Writes, c.Rest)
	}
	return fmt.Sprintf("%s keeps changing %s of %s, which was written %d times; the next time comes %s after the last",
		by, strings.Join(c.Fields, ", "), c.Object, c.Writes, c.Rest)
}

// NodeRole is what a node is in its EMQX cluster.
type NodeRole string

// The roles. A core node is one of [HostedSpec.Nodes].
const (
	RoleCore      NodeRole = ""
	RoleReplicant NodeRole = "replicant"
)

// NodeObservation is one pod.
type NodeObservation struct {
	Ordinal     int      `json:"ordinal"` // among the nodes of its role
	Role        NodeRole `json:"-"`
	Name        string   `json:"name"` // EMQX node name, e.g. "emqx@emqx-…-0.….svc.cluster.local"
	Pod         string   `json:"pod"`
	PodUID      string   `json:"-"`
	Host        string   `json:"host,omitempty"` // Kubernetes node
	IP          string   `json:"ip,omitempty"`
	Ready       bool     `json:"ready"`            // passes its readiness probe and is not going
	Terminating bool     `json:"going,omitempty"`  // being deleted
	Broken      bool     `json:"broken,omitempty"` // will not start without help
	Reason      string   `json:"reason,omitempty"` // why it is not ready, Kubernetes' word, e.g. "ImagePullBackOff"
	Message     string   `json:"message,omitempty"`
	Revision    string   `json:"revision,omitempty"`
	// Outdated: the platform would make it anew in another way: it is not of the newest revision;
	// false while that cannot be told
	Outdated bool `json:"outdated,omitempty"`
	// Resize is how far it is with CPU and memory that the node can be given while it
	// runs; it is Outdated until it has them. ResizeReason says why that waits, or why
	// the node is made anew instead.
	Resize       ResizeState `json:"resize,omitempty"`
	ResizeReason string      `json:"resizeReason,omitempty"`
	// Resizable: the platform can change its CPU and memory while it runs. NoResize says
	// why not, where it is known.
	Resizable bool   `json:"-"`
	NoResize  string `json:"-"`

	Image    string    `json:"image,omitempty"`
	Volume   string    `json:"volume,omitempty"` // claim's name
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since,omitzero"` // when it became ready or not
	// Machine is what is known of the machine under a node that does not end or
	// answer; "" = nobody had to ask, or could.
	Machine MachineState `json:"machine,omitempty"`
	// VolumeLost: no machine can run it, since its volume is on one that has been removed from the platform.
	VolumeLost bool `json:"-"`
	// Unschedulable: the machine takes no new pods (kubectl cordon): people are about to empty it.
	Unschedulable bool `json:"unschedulable,omitempty"`
}

// MachineState is what is known of the machine that a node is on.
type MachineState string

// The states of machines.
const (
	MachineThere MachineState = "there" // it works
	// MachineUnanswered: it does not answer, and may or may not still run the node.
	// The node must not be taken for ended.
	MachineUnanswered MachineState = "silent"
	MachineGone       MachineState = "gone" // it is known to run nothing any more
)

// VolumeObservation is one volume claim.
type VolumeObservation struct {
	Ordinal     int
	Name        string
	UID         string // changes when the claim is made anew: its data is then new, too
	Bound       bool
	Terminating bool // deletion was asked; the data goes as soon as no pod uses it
	// Capacity is how large the volume really is, as a quantity, e.g. "10Gi"; "" =
	// the platform does not say, or has made none yet.
	Capacity string
	// Pending says why it is smaller than was asked for, in the platform's words
	// where it has any; "" = it is not.
	Pending string
}

// Endpoints is where MQTT clients reach a cluster.
type Endpoints struct {
	Internal InternalEndpoint   `json:"internal"`
	External []ExternalEndpoint `json:"external,omitempty"`
}

// InternalEndpoint is the address inside Kubernetes.
type InternalEndpoint struct {
	Host  string         `json:"host,omitempty"`
	Ports []EndpointPort `json:"ports,omitempty"`
}

// EndpointPort is one port of an address.
type EndpointPort struct {
	Protocol Protocol `json:"protocol"`
	Port     int      `json:"port"`
}

// ExternalEndpoint is an address outside: a node port (host "" = any
// Kubernetes node) or a load balancer's.
type ExternalEndpoint struct {
	Protocol Protocol `json:"protocol"`
	Host     string   `json:"host"`
	Port     int      `json:"port"`
}
