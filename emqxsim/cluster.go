package emqxsim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Edition is one of EMQX's products.
type Edition string

// The editions of EMQX. Up to 5.8 the open source edition has no license, no evacuation and
// few connectors.
const (
	Enterprise Edition = "enterprise"
	OpenSource Edition = "opensource"
)

// ClusterConfig describes a simulated cluster. The zero value is EMQX Enterprise 5.8.9 with
// the API key admin and the secret public.
type ClusterConfig struct {
	Version  string  // version of every node that joins, e.g. "4.4.24"; empty means "5.8.9"
	Edition  Edition // empty means Enterprise
	Username string  // application id (v4) or API key (v5); empty means "admin"
	Password string  // its secret; empty means "public"
	// Limit is the number of connections that the license of a new broker allows. 0 means
	// the real default: 10 for 4.4, 25 for 5.x, and 10,000,000 from 5.9 on.
	Limit int
	// License replaces the license that a broker starts with, if it is not nil.
	License *License
	// BootTime is how long a starting node refuses connections. BootPage is how long it
	// then answers 404 (5.x), or that it is starting (4.4). Both may be 0.
	BootTime, BootPage time.Duration
	Pace               Pace             // durations of other transitions; the zero value is instant
	Now                func() time.Time // nil means time.Now
}

// Cluster is a simulated EMQX cluster. Its methods are safe for concurrent use, also while
// its nodes answer requests.
type Cluster struct {
	cfg   ClusterConfig
	major int    // whose API it has: 4, or 5 for later ones too
	drive func() // called before every access, if it is not nil

	mu         sync.Mutex
	at         time.Time // guarded by mu, like everything below; the time up to which the state is settled
	nodes      []*Node   // in the order in which they joined, with those that left
	v4         state4
	db         *database // what members share
	groups     []*group
	turn       int // of the next client among the nodes that accept some
	refused    map[string]int
	lost       int // sessions that ended with their node
	faults     []*fault
	rebalances []*rebalance
	front      bool   // the Service sends clients to replicants only
	split      *split // nil while the network is whole
}

// NewCluster returns a cluster without nodes. It panics if the version is not one of EMQX 4
// or later: that is a mistake in the program.
func NewCluster(c ClusterConfig) *Cluster {
	c.Version, c.Edition = cmp.Or(c.Version, "5.8.9"), cmp.Or(c.Edition, Enterprise)
	c.Username, c.Password = cmp.Or(c.Username, "admin"), cmp.Or(c.Password, "public")
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Cluster{cfg: c, major: keeps(c.Version), refused: map[string]int{}}
	s.at = s.now()
	s.db = newDatabase(c, s.at)
	return s
}

// now returns the time without its monotonic part, since times are compared and stored.
func (c *Cluster) now() time.Time { return c.cfg.Now().Round(0).UTC() }

// change runs fn on the present state of the cluster.
func (c *Cluster) change(fn func(now time.Time)) {
	if c.drive != nil {
		c.drive()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeLocked(c.now(), fn)
}

func (c *Cluster) changeLocked(now time.Time, fn func(now time.Time)) {
	if now.Before(c.at) {
		now = c.at // the clock went back: the simulation waits for it
	}
	c.settle(now)
	fn(now)
	c.refresh(now)
}

// settle applies everything that happens by itself up to now, each event at its own time.
// So the result does not depend on how often the cluster was asked.
func (c *Cluster) settle(now time.Time) {
	for {
		next := c.next()
		if next.IsZero() || next.After(now) {
			break
		}
		c.at = next
		c.step(next)
	}
	if now.After(c.at) {
		c.at = now
	}
}

// next returns the first time after the settled one at which something happens.
func (c *Cluster) next() time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if t.After(c.at) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, n := range c.nodes {
		n.moments(consider)
	}
	for _, g := range c.groups {
		for i := range g.attempts {
			consider(g.attempts[i].due)
		}
	}
	for _, r := range c.rebalances {
		consider(r.next)
	}
	c.split.moments(consider)
	for _, t := range c.db.license.moments(c.version()) {
		consider(t)
	}
	return first
}

// step applies what happens at t. Clients that try to connect and are refused change
// nothing else.
func (c *Cluster) step(t time.Time) {
	more := c.moreThanClients(t)
	for _, n := range c.nodes {
		if !n.dead && n.bootedAt().Equal(t) {
			n.logRunning(t)
		}
		n.joinStep(t)
		c.evacuateStep(n, t)
	}
	c.splitStep(t)
	c.rebalanceStep(t)
	if c.connectDue(t) || more {
		c.refresh(t)
	}
}

// moreThanClients reports whether at t something happens besides clients that try to
// connect.
func (c *Cluster) moreThanClients(t time.Time) bool {
	more := false
	consider := func(m time.Time) { more = more || m.Equal(t) }
	for _, n := range c.nodes {
		n.moments(consider)
	}
	for _, r := range c.rebalances {
		consider(r.next)
	}
	c.split.moments(consider)
	for _, m := range c.db.license.moments(c.version()) {
		consider(m)
	}
	return more
}

// refresh updates what is derived from the state: alarms, rates and peaks.
func (c *Cluster) refresh(t time.Time) {
	c.refreshAlarms(t)
	c.refreshTraffic(t)
}

// Join adds a member and starts it. With a [Pace] it becomes a member somewhat later. A
// member of the same name is restarted. With a license for a single node, a second node
// runs on its own and is no member, as with real brokers.
func (c *Cluster) Join(name string) *Node {
	var n *Node
	c.change(func(now time.Time) { n = c.join(name, now) })
	return n
}

func (c *Cluster) join(name string, now time.Time) *Node {
	n := c.find(name)
	if n == nil {
		n = c.add(name)
		if c.joinsLater(n, now) {
			n.startAlone(now)
			return n
		}
		if c.singleNode() && len(c.members()) > 1 {
			n.leave(now)
		}
	} else {
		n.kill(now)
	}
	n.start(now)
	return n
}

// Standalone starts a node that is no member until it is invited.
func (c *Cluster) Standalone(name string) *Node {
	var n *Node
	c.change(func(now time.Time) {
		n = c.add(name)
		n.leave(now)
		n.start(now)
	})
	return n
}

func (c *Cluster) add(name string) *Node {
	n := &Node{c: c, db: c.db, name: name, version: c.cfg.Version, role: "core"}
	c.nodes = append(c.nodes, n)
	return n
}

// Node returns the member with a name, running or not, or nil if there is none.
func (c *Cluster) Node(name string) *Node {
	var n *Node
	c.change(func(time.Time) { n = c.find(name) })
	return n
}

func (c *Cluster) find(name string) *Node {
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.name == name && !n.left })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// members returns the nodes that have not left, sorted by name.
func (c *Cluster) members() []*Node {
	var out []*Node
	for _, n := range c.nodes {
		if !n.left {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *Node) int { return strings.Compare(a.name, b.name) })
	return out
}

// running returns the members that run at t, sorted by name.
func (c *Cluster) running(t time.Time) []*Node {
	return slices.DeleteFunc(c.members(), func(n *Node) bool { return !n.up(t) })
}

// Refused returns how often clients were refused, by reason: evacuating, listener_full,
// listener_stopped, license_limit, license_expired, member_hangs or no_node.
func (c *Cluster) Refused() map[string]int {
	out := map[string]int{}
	c.change(func(time.Time) {
		for k, v := range c.refused {
			out[k] = v
		}
	})
	return out
}

// database is what the members of a cluster share. It outlives each of them.
type database struct {
	license   License
	setting   licenseSetting
	keys      []*apiKey
	users     []*user
	tokens    map[string]*token
	serial    int // last number that id returned
	rules     []*rule
	resources []*resource // connectors, actions and sources; the resources of EMQX 4
	listeners []*listener
	history   []*alarm
	invites   []invitation
	config    map[string]any // what was configured, by root
}

func newDatabase(c ClusterConfig, now time.Time) *database {
	d := &database{
		license: startLicense(c), setting: licenseSetting{low: 75, high: 80, dynamic: -1},
		tokens: map[string]*token{}, listeners: defaultListeners(c.Version), config: map[string]any{},
	}
	d.bootstrap(auth{Username: c.Username, Password: c.Password}, now)
	d.users = []*user{{name: "admin", password: "public", desc: "administrator", role: roleAdministrator}}
	return d
}

// clone returns a copy for a node that leaves. It shares nothing with d.
func (d *database) clone() *database {
	c := *d
	c.keys, c.users, c.rules = copies(d.keys), copies(d.users), copies(d.rules)
	c.listeners, c.resources, c.history = copies(d.listeners), copies(d.resources), slices.Clone(d.history)
	for _, l := range c.listeners {
		l.stopped, l.kept, l.file = nil, nil, nil
	}
	for _, r := range c.rules {
		r.matched, r.failed = nil, nil
	}
	for _, r := range c.resources {
		r.faults, r.matched, r.failed = maps.Clone(r.faults), nil, nil
		if i := slices.Index(d.resources, r.connector); i >= 0 {
			r.connector = c.resources[i]
		}
	}
	c.tokens, c.config, c.invites = map[string]*token{}, maps.Clone(d.config), nil
	return &c
}

// copies returns copies of the values that list points to.
func copies[T any](list []*T) []*T {
	out := make([]*T, len(list))
	for i, p := range list {
		own := *p
		out[i] = &own
	}
	return out
}

// id returns a new id for something that the cluster creates.
func (d *database) id() string {
	d.serial++
	return strconv.Itoa(d.serial)
}
