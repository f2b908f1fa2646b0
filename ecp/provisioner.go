package ecp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Provisioner makes hosted clusters. Everything said to EMQX itself is the
// Manager's: a Provisioner moves pods and objects only.
//
// Calls may come from several goroutines at once, never two for one cluster.
type Provisioner interface {
	// Apply converges what exists towards d. It MUST be idempotent, MUST NOT
	// wait for anything to come up, and MUST NOT write where nothing differs.
	// A namespace, volume claim or auth Secret that existed before MUST NOT be
	// made anew unless d.Create is set: the error is then a conflict with
	// [*Loss] as its cause. Something of somebody else's under the cluster's
	// name MUST NOT be touched: the error is a conflict. Where what is there is
	// newer than d, as [Desired.Older] says, nothing at all is done: the error is
	// that of [RecordOlderError].
	//
	// Where the platform will never take an object as it is, the error is
	// invalid, in the platform's own words and with [*Refusal] as its cause: the
	// operation then ends at once. Objects that do not depend on it MUST be
	// converged all the same. An error of any other code is tried again.
	Apply(ctx context.Context, d Desired) error
	// Observe says what is there. Absence is an observation, not an error;
	// an error means that nothing could be seen, and is unavailable.
	Observe(ctx context.Context, id ID) (Observation, error)
	// Delete starts the removal of everything of the cluster, data included.
	// It returns nil where nothing is there, and never touches a namespace of
	// somebody else.
	Delete(ctx context.Context, id ID) error
}

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
	// Read gives what the node with the EMQX name wrote, since its process was
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
	// Endpoint gives the way to one node, by its EMQX node name; "" = any that
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

// Configurer is a Provisioner that tells the EMQX settings that nodes get from it
// beside those of the spec, so that they can be compared with those in force.
type Configurer interface {
	// Configured returns them by their keys, e.g. "listeners.tcp.default.bind", with
	// values as in [HostedSpec.Config]: only such as can be changed while a node
	// runs, and no secrets. It asks nobody.
	Configured(d Desired) map[string]string
}

// Rehearser is a Provisioner that can try whether its platform would take the
// node that is to replace one, before that one goes.
type Rehearser interface {
	// Rehearse returns nil where a node of the ordinal, made anew from what was
	// applied last, would be taken now in the place of the one that is there. A
	// conflict is a refusal, its message the platform's words; any other error
	// says nothing of the node, and unsupported that this cannot be tried. It
	// MUST NOT change anything.
	Rehearse(ctx context.Context, id ID, ordinal int) error
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

// Endpoint is the way to an EMQX management API, or to a dashboard.
type Endpoint struct {
	BaseURL   string            // e.g. "http://10.1.2.3:18083", no path
	Transport http.RoundTripper // nil = http.DefaultTransport's settings; knows tunnels and port-forwards
	// Credentials that the broker takes. Zero credentials mean that whoever uses
	// the endpoint has none to send, not that none are needed.
	Credentials Credentials
	// Authenticated reports that the Transport logs in by itself: each request
	// over it is made as the broker's administrator, whoever it comes from. Such
	// an endpoint carries no Credentials, and MUST NOT be shown to a browser.
	Authenticated bool
	// DashboardURL is where the dashboard is, over the same Transport, no path;
	// "" = at BaseURL, as in 5.x. Credentials are none of its users'.
	DashboardURL string
	// Node is the EMQX name of the node that the endpoint leads to, where the way
	// knows it; "" = not known.
	Node string
	// Nodes are the EMQX names of the nodes that the cluster should have; nil =
	// not known. While one of them hangs EMQX 4 lists none, and is asked for each
	// of these.
	Nodes []string
}

// Credentials are a key and its secret, or a user and a password. They print
// as "[redacted]".
type Credentials struct {
	Username string
	Password string
	// Kind says what they are; "" = whichever of both the broker takes, the key
	// being tried first.
	Kind CredentialKind
}

// CredentialKind is what credentials are to EMQX.
type CredentialKind string

// The kinds.
const (
	CredentialKey  CredentialKind = "key"  // API key (5.x) or AppID (4.x), and its secret
	CredentialUser CredentialKind = "user" // name and password of a dashboard user
)

// String hides both.
func (Credentials) String() string { return "[redacted]" }

// GoString hides both from %#v.
func (Credentials) GoString() string { return "[redacted]" }

// MarshalJSON hides both.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Desired is all a Provisioner needs to make a cluster so.
type Desired struct {
	ID         ID
	Project    string // "org/project"; for labels
	Name       string // for annotations
	Generation int64
	// ChangeID identifies what Generation was given for, see [Desired.Older]; "" =
	// it is not known. Manifest is a text of the Manager's. Both are kept with the
	// objects, together with Generation, for Observe to find.
	ChangeID string
	Manifest string
	Spec     HostedSpec
	Image    Image // what Spec.Image names
	Size     Size  // what Spec.Size names; volumes grow to its storage where the platform can, and never shrink
	// Pull lets Kubernetes pull the image; zero = nothing is needed.
	Pull PullCredentials
	// License is EMQX': the text of a file (v4) or a key (v5); "" = EMQX runs
	// with the one it brings along.
	License Secret
	// Replicas is how many nodes should run: Spec.Nodes, or 0 when stopped.
	// Ordinals below both are meant to have volume claims, others are not:
	// whatever becomes of the claim of another is no loss.
	Replicas int
	// Roll lists the ordinals whose pods are to be replaced now, where they are
	// not of the newest revision; empty = none.
	Roll []int
	// Replace names pods to be replaced now although they are of the newest
	// revision: the UID by ordinal. One that is another by now stays. It never
	// makes more nodes be away at once than Roll does.
	Replace map[int]string
	// Restarts is part of what pods are made from and nothing else: where it
	// grows every pod is outdated. 0 = it never did.
	Restarts int
	// Drop lists the ordinals whose volume claims are to be deleted: the nodes
	// have left for good. Never one below Replicas or Spec.Nodes: such a one MUST
	// NOT be deleted. One that a pod still uses is left for a later call. Without
	// it every claim stays, also of nodes that are not wanted any more.
	Drop []int
	// RenderVersion is how objects are to be rendered, at most what the
	// Renderer offers; 0 = the newest.
	RenderVersion int
	// Create allows what does not come back silently (namespace, auth Secret,
	// volume claims) to be made.
	Create bool
}

// PullCredentials are what an image registry wants.
type PullCredentials struct {
	Host     string // with port
	User     string
	Password Secret
}

// Loss says what has gone that is not made anew unasked.
type Loss struct {
	Reason Reason // ReasonDataLost or ReasonSecretLost
	What   string // e.g. "claim data-emqx-1a2b3c4d-emqx-0"
}

// Error names what has gone.
func (l *Loss) Error() string { return string(l.Reason) + ": " + l.What + " has gone" }

// Observation is what a Provisioner found of one cluster.
type Observation struct {
	Exists      bool   // something of the cluster is there
	Terminating bool   // its removal has begun
	Foreign     string // whose it is, where the name is somebody else's; nothing else is then filled in
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
	Nodes     []NodeObservation   // pods that are there, by ordinal
	Volumes   []VolumeObservation // claims that are there, by ordinal
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
		return fmt.Sprintf("%s keeps removing %s, which was written %d times; the next time comes %s after the last", by, c.Object, c.Writes, c.Rest)
	}
	return fmt.Sprintf("%s keeps changing %s of %s, which was written %d times; the next time comes %s after the last", by, strings.Join(c.Fields, ", "), c.Object, c.Writes, c.Rest)
}

// NodeObservation is one pod.
type NodeObservation struct {
	Ordinal  int       `json:"ordinal"`
	Name     string    `json:"name"` // EMQX node name, e.g. "emqx@emqx-…-0.….svc.cluster.local"
	Pod      string    `json:"pod"`
	PodUID   string    `json:"-"`
	Host     string    `json:"host,omitempty"` // Kubernetes node
	IP       string    `json:"ip,omitempty"`
	Ready    bool      `json:"ready"`            // passes its readiness probe and is not going
	Going    bool      `json:"going,omitempty"`  // being deleted
	Broken   bool      `json:"broken,omitempty"` // will not start without help
	Reason   string    `json:"reason,omitempty"` // why it is not ready, Kubernetes' word, e.g. "ImagePullBackOff"
	Message  string    `json:"message,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Outdated bool      `json:"outdated,omitempty"` // the platform would make it anew in another way: it is not of the newest revision; false while that cannot be told
	Image    string    `json:"image,omitempty"`
	Volume   string    `json:"volume,omitempty"` // claim's name
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since,omitzero"` // when it became ready or not
	// Machine is what is known of the machine under a node that does not end or
	// answer; "" = nobody had to ask, or could.
	Machine MachineState `json:"machine,omitempty"`
}

// MachineState is what is known of the machine that a node is on.
type MachineState string

// The states of machines.
const (
	MachineThere MachineState = "there" // it works
	// MachineSilent: it does not answer, and may or may not still run the node.
	// The node must not be taken for ended.
	MachineSilent MachineState = "silent"
	MachineGone   MachineState = "gone" // it is known to run nothing any more
)

// VolumeObservation is one volume claim.
type VolumeObservation struct {
	Ordinal int
	Name    string
	UID     string // changes when the claim is made anew: its data is then new, too
	Bound   bool
	Going   bool // deletion was asked; the data goes as soon as no pod uses it
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
