package ecp

import (
	"context"
	"io"
	"net"
	"time"
)

// Watcher is a Provisioner that notices changes by itself. Without it the
// Manager looks at every cluster at an interval.
type Watcher interface {
	// Watch calls wake for a cluster whenever something of it may have changed
	// and for every cluster when its sight of the platform comes or goes. It
	// blocks until ctx ends. wake returns at once and may be called from any
	// goroutine.
	Watch(ctx context.Context, wake func(ID)) error
}

// LogReader is a Provisioner that can read a node's log.
type LogReader interface {
	// Read returns what the node with the EMQX name wrote, since its process was
	// last started at least; the caller closes it. Before each line stand the
	// time at which the platform took it up (RFC 3339, never before that of the
	// line above) and a space. Not found where no node has the name, unavailable
	// where its process has never started, or cannot be asked.
	//
	// The log ends with io.EOF where o does not ask to follow, and else when the
	// process has ended, or its pod at the latest; any other error says that it
	// broke off. Read MUST return soon after ctx has ended, and a caller that does
	// not read MUST hold up nobody but itself.
	Logs(ctx context.Context, id ID, node string, o LogOptions) (io.ReadCloser, error)
}

// LogOptions narrows a log. Zero values: everything kept, no following.
type LogOptions struct {
	Since  time.Time // lines taken up before it are left out, but for some of the same second
	Tail   int       // the last lines only; 0 = all. Those that follow come after them
	Follow bool      // go on with what is written from now on
}

// Accessor is a Provisioner that knows the way to a node's management API.
type Accessor interface {
	// Endpoint returns the way to one node, by its EMQX node name; "" = any that
	// is ready. The endpoint stays usable until ctx of the call it is used in
	// ends; it holds no resource that must be closed.
	Endpoint(ctx context.Context, id ID, node string) (Endpoint, error)
}

// Renderer is a Provisioner whose rendering changes between releases.
type Renderer interface {
	// RenderVersion is the newest way it renders objects. It renders every
	// older version as it was.
	RenderVersion() int
}

// ClientDialer is a Provisioner that can connect to a node as MQTT clients do.
type ClientDialer interface {
	// DialMQTT connects to the listener for plain MQTT over TCP of a node, by its
	// EMQX name. Any error says that there is no way to ask; so does one of the
	// connection that is unavailable. Whoever called closes the connection.
	DialMQTT(ctx context.Context, id ID, node string) (net.Conn, error)
}

// TLSDialer is a Provisioner that can connect to the port of a node on which MQTT is
// served over TLS, to see which certificate that has.
type TLSDialer interface {
	// DialMQTTS connects to the listener for MQTT over TLS of a node, by its EMQX name; TLS
	// itself is the caller's, who closes the connection. Any error says that there is no way
	// to ask.
	DialMQTTS(ctx context.Context, id ID, node string) (net.Conn, error)
}

// ReplicantMaker is a Provisioner that can make replicants: it does [Desired.Replicants],
// and says of nodes which of them are such.
type ReplicantMaker interface {
	// MakesReplicants reports whether it can on its platform. It asks nobody.
	MakesReplicants() bool
}

// Configurer is a Provisioner that tells the EMQX settings that nodes get from it
// beside those of the spec, so that they can be compared with those in force.
type Configurer interface {
	// Configured returns them by their keys, e.g. "listeners.tcp.default.bind", with
	// values as in [HostedSpec.Config]: only such as can be changed while a node
	// runs, and no secrets. It asks nobody.
	Configured(d Desired) map[string]string
}

// RunTimeConfigurer is a Provisioner whose nodes can start with settings that are no part of
// what pods are made from.
type RunTimeConfigurer interface {
	// RunTimeConfig reports whether nodes that are rendered in a version read
	// [Desired.RunTimeConfig] when they start. It asks nobody.
	RunTimeConfig(renderVersion int) bool
}

// Rehearser is a Provisioner that can try whether its platform would take the
// node that is to replace one, before that one goes.
type Rehearser interface {
	// Rehearse returns nil where a node of the role and ordinal, made anew from what
	// was applied last, would be taken now in the place of the one that is there. A
	// conflict is a refusal, its message the platform's words; any other error
	// says nothing of the node, and unsupported that this cannot be tried. It
	// MUST NOT change anything.
	Rehearse(ctx context.Context, id ID, role NodeRole, ordinal int) error
}

// Checker is a Provisioner that can ask its platform what it thinks of a change
// before anything is stored of it.
type Checker interface {
	// Check returns nil where nothing of d is known to be refused for good by an
	// Apply: not objects that differ, nor volumes that are to grow, nor names that
	// must be there, such as a storage class. It reads Create as Apply does: of a
	// cluster that is not there yet less can be told. A refusal is invalid, in the
	// platform's own words, with [*Refusal] as its cause and the fields of the
	// cluster that it comes from, e.g. "spec.network.loadBalancerClass". Any other
	// error says nothing of d but that it could not be asked. It MUST NOT change
	// anything, and MUST return soon after ctx has ended.
	Check(ctx context.Context, d Desired) error
}

// Warner is a Provisioner that knows what people should mend about it although
// it works, such as rights that its account lacks.
type Warner interface {
	// Warnings returns a sentence for each; empty = nothing is to be said. It
	// asks nobody.
	Warnings() []string
}

// NetworkTeller is a Provisioner that knows what the network of its target is like.
type NetworkTeller interface {
	// Network returns what clusters are made with from now on. It asks nobody.
	Network() TargetNetwork
}

// ClusterLister is a Provisioner that can list what it finds of clusters, whoever
// asked for them: after an older database was put back some have no record.
type ClusterLister interface {
	// List lists every cluster of ours on the platform, in no order. Like
	// Observe it fails as unavailable where nothing can be seen.
	Clusters(ctx context.Context) ([]FoundCluster, error)
}

// FoundCluster is a cluster as the platform names it.
type FoundCluster struct {
	ID      ID
	Name    string // "" = not known, as Project
	Project string
	Since   time.Time // when it was made
}
