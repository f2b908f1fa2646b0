package emqxsim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// ClusterConfig says what a simulated cluster is. The zero value is a 5.8.9
// whose key is admin/public.
type ClusterConfig struct {
	Version  string // of every node that joins, e.g. "4.4.24"; "" = "5.8.9"
	Username string // application id (v4) or API key (v5); "" = "admin"
	Password string // its secret; "" = "public"
	// Limit is the number of connections the licence allows (v5); 0 = 25, as
	// the licence a broker comes with.
	Limit int
	Now   func() time.Time // nil = time.Now
}

// Cluster is a simulated EMQX cluster. Its methods may be called at any time,
// also while its nodes answer.
type Cluster struct {
	cfg   ClusterConfig
	major int

	mu    sync.Mutex
	nodes []*Node // guarded by mu; in the order they joined
}

// Node is one broker of a [Cluster]. It is a member until it leaves.
type Node struct {
	c    *Cluster
	name string

	// Guarded by c.mu.
	version     string
	started     time.Time
	dead        bool
	left        bool
	ready       bool
	slow        time.Duration
	side        int // of the partition; nodes see those of their own side
	connections int
	live        int
}

// NewCluster makes a cluster without nodes. It panics if the version is not
// one of EMQX 4 or later: that is a mistake in the program.
func NewCluster(c ClusterConfig) *Cluster {
	c.Version = cmp.Or(c.Version, "5.8.9")
	c.Username, c.Password = cmp.Or(c.Username, "admin"), cmp.Or(c.Password, "public")
	c.Limit = cmp.Or(c.Limit, trialLimit)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Cluster{cfg: c, major: mustMajor(c.Version)}
}

// trialLimit is how many connections the licence allows that EMQX comes with.
const trialLimit = 25

func mustMajor(version string) int {
	v, ok := ecp.ParseVersion(version)
	if !ok || v.Major < 4 {
		panic("emqxsim: " + strconv.Quote(version) + " is no version of EMQX 4 or later")
	}
	return v.Major
}

// Join adds a running member. A name that is a member already is started
// anew, which is how a node comes back.
func (c *Cluster) Join(name string) *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.find(name)
	if n == nil {
		n = &Node{c: c, name: name, version: c.cfg.Version}
		c.nodes = append(c.nodes, n)
	}
	n.start()
	return n
}

// Node gives a member by its name, running or not; nil if there is none.
func (c *Cluster) Node(name string) *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(name)
}

func (c *Cluster) find(name string) *Node {
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.name == name && !n.left })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// Partition splits the cluster: a node sees as running those of its own group
// only. Nodes in no group are a group together. Without groups the split heals.
func (c *Cluster) Partition(groups ...[]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		n.side = 1 + slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, n.name) })
	}
}

// Name is the node's EMQX name, e.g. "emqx@10.0.0.1".
func (n *Node) Name() string { return n.name }

// start is a boot; the caller holds the cluster's lock or owns the node.
func (n *Node) start() {
	n.started, n.dead, n.ready = n.c.now(), false, true
}

// Kill ends the node's process: its handler closes connections unanswered,
// the others see it stopped. It stays a member.
func (n *Node) Kill() { n.set(func() { n.dead = true }) }

// Revive starts a killed node again; its uptime begins at zero.
func (n *Node) Revive() { n.set(n.start) }

// Leave ends the node's membership. It goes on running, in a cluster of its own.
func (n *Node) Leave() { n.set(func() { n.left = true }) }

// Slow makes every answer of the node wait for d of real time; 0 ends that.
func (n *Node) Slow(d time.Duration) { n.set(func() { n.slow = d }) }

// SetReady(false) makes the node turn clients away, as while it boots or is
// evacuated: /status and availability_check answer 503, the API goes on.
func (n *Node) SetReady(ready bool) { n.set(func() { n.ready = ready }) }

// SetVersion makes the node run another version of the same major, as after a
// rolling upgrade. It panics on another major.
func (n *Node) SetVersion(version string) {
	if mustMajor(version) != n.c.major {
		panic("emqxsim: a node of EMQX " + strconv.Itoa(n.c.major) + " cannot run " + version)
	}
	n.set(func() { n.version = version })
}

// SetClients says how many MQTT clients are connected to the node, and how many
// sessions of clients that are away it keeps beside them.
func (n *Node) SetClients(connected, away int) {
	n.set(func() { n.live, n.connections = connected, connected+away })
}

func (n *Node) set(change func()) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	change()
}

func (c *Cluster) now() time.Time { return c.cfg.Now() }

// Handler answers as the node's management listener does: the API and /status.
func (n *Node) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.c.mu.Lock()
		slow := n.slow
		n.c.mu.Unlock()
		if !pause(r, slow) {
			return
		}
		v, up := n.view()
		if !up {
			hangUp(w)
			return
		}
		serve(w, r, v)
	})
}

// pause waits for d; false means that the caller gave up first.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and the like: the server resets the stream
	}
	_ = conn.Close()
}

// Endpoint leads to the node without a socket, with the right credentials.
func (n *Node) Endpoint() ecp.Endpoint {
	dial := func() (http.Handler, bool) {
		_, up := n.view()
		return n.Handler(), up
	}
	return ecp.Endpoint{
		BaseURL: "http://" + hostOf(n.name), Transport: transport{dial},
		Credentials: ecp.Credentials{Username: n.c.cfg.Username, Password: n.c.cfg.Password},
	}
}

// view is what the node would say now; false = it is dead.
func (n *Node) view() (view, bool) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	cfg := n.c.cfg
	v := view{
		now: cfg.Now(), self: n.name, version: n.version, ready: n.ready,
		username: cfg.Username, password: cfg.Password, limit: cfg.Limit,
	}
	for _, m := range n.c.nodes {
		if m == n || !m.left && !n.left {
			v.members = append(v.members, member{
				name: m.name, version: m.version, running: m == n || !m.dead && m.side == n.side,
				started: m.started, connections: m.connections, live: m.live,
			})
		}
	}
	return v, !n.dead
}
