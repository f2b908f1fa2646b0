// Package emqxpod puts a simulated EMQX node (package emqxsim) behind every pod
// of a cluster on kubelab.
//
//   - The pods of one namespace are one EMQX cluster. A node's name, version and
//     credentials are what EMQX would read: EMQX_NODE_NAME, the image's tag, the
//     bootstrap file or variables; so a mistake in what is rendered shows.
//   - A node that has joined stays a member. If its pod is killed, deleted or scaled
//     in, the other nodes show it as stopped until it is removed from the cluster, and
//     it is the same member when it comes back.
//   - The state of a cluster lives as long as its claims. A pod that comes back with a
//     new claim joins as a new member. If no other node runs then, the cluster starts
//     with an empty state.
//   - A replicant, as EMQX_NODE__ROLE says, is no member any more when it ends. What is
//     without a claim comes back with nothing, such as an evacuation that went on.
//   - The API keys of all pods that were ever started are accepted, as in EMQX's own
//     database.
//   - The cluster goes with its namespace.
//
// The management port answers. The ports of MQTT and of the nodes among each other
// accept connections and do not answer.
package emqxpod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/podsim"
)

// Config tunes a fleet. Its zero value can be used.
type Config struct {
	ProbeEvery   time.Duration    // see podsim.Config
	RestartAfter time.Duration    // of killed nodes; zero means never
	Now          func() time.Time // clock of the brokers; time.Now if it is nil
	Logger       *slog.Logger     // may be nil
}

// Fleet runs the nodes. Its methods may be called from any goroutine.
type Fleet struct {
	sim   *podsim.Sim
	now   func() time.Time
	log   *slog.Logger
	close func() // set by Start only

	mu       sync.Mutex
	clusters map[string]*cluster // guarded by mu; by namespace
}

// New returns a fleet for the pods of lab. [Fleet.Run] runs it.
func New(lab *kubelab.Lab, cfg Config) (*Fleet, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	rest, err := podsim.Admin(lab)
	if err != nil {
		return nil, err
	}
	f := &Fleet{now: cfg.Now, log: cfg.Logger, clusters: map[string]*cluster{}}
	f.sim, err = podsim.New(podsim.Config{
		REST: rest, Factory: f.boot, ProbeEvery: cfg.ProbeEvery, RestartAfter: cfg.RestartAfter,
		NamespaceGone: f.forget, Logger: cfg.Logger,
	})
	return f, err
}

// Run runs nodes until ctx ends, and returns when the last node has ended. It must
// be called once.
func (f *Fleet) Run(ctx context.Context) error { return f.sim.Run(ctx) }

// Start runs a fleet on lab until the test ends. A lab can have one fleet at a time.
func Start(t testing.TB, lab *kubelab.Lab, opts ...func(*Config)) *Fleet {
	t.Helper()
	var cfg Config
	for _, o := range opts {
		o(&cfg)
	}
	f, err := New(lab, cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's context: that ends before its clean-ups run.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	f.close = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run EMQX behind the pods: %v", err)
		}
	})
	t.Cleanup(f.close)
	return f
}

// Close ends a fleet of Start before the test ends.
func (f *Fleet) Close() {
	if f.close != nil {
		f.close()
	}
}

// Kill ends the EMQX node of a pod; the pod stays and becomes NotReady.
func (f *Fleet) Kill(namespace, pod string) error { return f.sim.Kill(namespace, pod) }

// Revive starts a killed node again in the same pod.
func (f *Fleet) Revive(namespace, pod string) error { return f.sim.Revive(namespace, pod) }

// HoldResizes keeps pods of a namespace from being resized; see [podsim.Sim.HoldResizes].
func (f *Fleet) HoldResizes(namespace, why string) { f.sim.HoldResizes(namespace, why) }

// Restart ends the node and starts it again as the kubelet does, counted.
func (f *Fleet) Restart(namespace, pod string) error { return f.sim.Restart(namespace, pod) }

// Cluster returns the EMQX cluster of a namespace, for its fault hooks. It returns
// nil before the first pod has started.
func (f *Fleet) Cluster(namespace string) *emqxsim.Cluster {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.clusters[namespace]; c != nil {
		return c.sim
	}
	return nil
}

func (f *Fleet) forget(namespace string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clusters, namespace)
}

// cluster is the EMQX cluster of one namespace. The fleet's mutex guards it.
type cluster struct {
	sim    *emqxsim.Cluster
	major  int
	first  credentials          // what sim knows
	keys   map[credentials]bool // what is let in
	claims map[string]string    // uid of a member's claim, by node name
	up     map[string]bool      // nodes with a process
}

// boot starts a node, which joins the cluster of its namespace.
func (f *Fleet) boot(_ context.Context, p podsim.Pod) (podsim.Process, error) {
	b, err := read(p)
	if err != nil {
		return podsim.Process{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.clusters[p.Namespace]
	if c == nil || c.major != b.version.Major || c.lost(b) {
		c = f.newCluster(b)
		f.clusters[p.Namespace] = c
	}
	c.keys[b.key] = true
	if n := c.sim.Node(b.node); n != nil && (b.claim == "" || c.claims[b.node] != b.claim) {
		n.Leave() // its data is gone
	}
	c.claims[b.node], c.up[b.node] = b.claim, true
	started := f.clock()
	node := c.sim.Join(b.node)
	node.SetVersion(b.tag)
	if b.role != "" {
		node.SetRole(b.role)
	}
	f.log.Debug("node started", "node", b.node, "version", b.tag)
	served := f.management(c, b, node)
	served[podsim.LogPort] = logOf(node, started)
	return podsim.Process{
		HTTP: served,
		TCP: slices.DeleteFunc(slices.Clone(p.Ports),
			func(p int) bool { return slices.Contains(managementPorts(b), p) }),
		Clients: map[int]func(net.Conn){1883: node.ServeMQTT},
		Exit:    func() { f.exit(c, node) },
	}, nil
}

// lost reports whether the cluster's data is gone: a member comes back without its
// data, and no other node runs.
func (c *cluster) lost(b boot) bool {
	was, known := c.claims[b.node]
	return known && was != b.claim && len(c.up) == 0
}

func (f *Fleet) clock() time.Time {
	if f.now != nil {
		return f.now()
	}
	return time.Now()
}

func (f *Fleet) newCluster(b boot) *cluster {
	return &cluster{
		sim: emqxsim.NewCluster(emqxsim.ClusterConfig{
			Version: b.tag, Username: b.key.name, Password: b.key.secret, Now: f.now,
		}),
		major: b.version.Major, first: b.key,
		keys: map[credentials]bool{}, claims: map[string]string{}, up: map[string]bool{},
	}
}

func (f *Fleet) exit(c *cluster, n *emqxsim.Node) {
	n.Kill()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(c.up, n.Name())
}

// managementPorts returns the ports on which a node answers HTTP. EMQX 4 has one for
// the API and one for the dashboard, EMQX 5 has one for both.
func managementPorts(b boot) []int {
	if b.version.Major == 4 {
		return []int{8081, 18083}
	}
	return []int{18083}
}

func (f *Fleet) management(c *cluster, b boot, node *emqxsim.Node) map[int]http.Handler {
	out := map[int]http.Handler{}
	for _, port := range managementPorts(b) {
		out[port] = f.letIn(c, node.Handler())
	}
	out[18083] = f.letIn(c, node.Dashboard()) // of 5 it is the API's port, too
	return out
}

// letIn accepts the key of every pod as if it were the first one's.
func (f *Fleet) letIn(c *cluster, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, secret, ok := r.BasicAuth(); ok {
			f.mu.Lock()
			known := c.keys[credentials{name, secret}]
			f.mu.Unlock()
			if known {
				r = r.Clone(r.Context())
				r.SetBasicAuth(c.first.name, c.first.secret)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// boot is the configuration that a node reads when it starts.
type boot struct {
	node    string
	version ecp.Version
	tag     string // the version alone, as variants of an image report it in their API
	key     credentials
	claim   string // uid; empty if no data is kept
	role    string // "core" or "replicant"; empty means core
}

type credentials struct{ name, secret string }

// read returns the configuration as EMQX would read it. It returns an error if EMQX
// would not start.
func read(p podsim.Pod) (boot, error) {
	b := boot{node: p.Env["EMQX_NODE_NAME"], claim: p.Claims["data"], role: p.Env["EMQX_NODE__ROLE"]}
	var ok bool
	if b.version, ok = ecp.ParseVersion(tagOf(p.Image)); !ok || b.version.Major < 4 {
		return b, fmt.Errorf("image %s: no version of EMQX in its tag", p.Image)
	}
	b.tag = fmt.Sprintf("%d.%d.%d", b.version.Major, b.version.Minor, b.version.Patch)
	if b.node == "" && p.Env["EMQX_HOST"] != "" {
		b.node = cmp.Or(p.Env["EMQX_NAME"], "emqx") + "@" + p.Env["EMQX_HOST"]
	}
	if b.node == "" {
		b.node = "emqx@" + p.IP
	}
	user, host, ok := strings.Cut(b.node, "@")
	if !ok || user == "" || host == "" || strings.ContainsAny(b.node, "$() ") {
		return b, fmt.Errorf("%q is no node name: it needs the form name@host", b.node)
	}
	var err error
	b.key, err = keyOf(p, b.version.Major)
	return b, err
}

// tagOf returns the tag of an image reference, or an empty string if it has none.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	i := strings.LastIndexByte(image, ':')
	if i <= strings.LastIndexByte(image, '/') { // none, or the one before the registry's port
		return ""
	}
	return image[i+1:]
}

// keyOf returns the API key (v5) or application (v4) that a node starts with: the
// first one of the bootstrap file, or the default application of v4.
func keyOf(p podsim.Pod, major int) (credentials, error) {
	variable := "EMQX_API_KEY__BOOTSTRAP_FILE"
	if major == 4 {
		variable = "EMQX_MANAGEMENT__BOOTSTRAP_APPS_FILE"
	}
	if path := strings.Trim(p.Env[variable], `"`); path != "" {
		content, ok := p.Files[path]
		if !ok {
			return credentials{}, fmt.Errorf("%s: %s: no such file", variable, path)
		}
		line, _, _ := strings.Cut(string(content), "\n")
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 2 || fields[0] == "" || fields[1] == "" {
			return credentials{}, fmt.Errorf("%s: %s: the first line is not key:secret", variable, path)
		}
		return credentials{fields[0], fields[1]}, nil
	}
	if major == 4 {
		return credentials{
			cmp.Or(p.Env["EMQX_MANAGEMENT__DEFAULT_APPLICATION__ID"], "admin"),
			cmp.Or(p.Env["EMQX_MANAGEMENT__DEFAULT_APPLICATION__SECRET"], "public"),
		}, nil
	}
	return credentials{}, errors.New("EMQX_API_KEY__BOOTSTRAP_FILE is not set: nobody could reach the API")
}
