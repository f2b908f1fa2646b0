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

// The editions. Up to 5.8 the open source one lacks licences, evacuation and
// most connectors.
const (
	Enterprise Edition = "enterprise"
	OpenSource Edition = "opensource"
)

// ClusterConfig says what a simulated cluster is. The zero value is a 5.8.9
// Enterprise whose key is admin/public.
type ClusterConfig struct {
	Version  string  // of every node that joins, e.g. "4.4.24"; "" = "5.8.9"
	Edition  Edition // "" = Enterprise
	Username string  // application id (v4) or API key (v5); "" = "admin"
	Password string  // its secret; "" = "public"
	// Limit is the number of connections that the licence allows a broker
	// comes with; 0 = what it is in reality: 10 (4.4), 25, or 10 000 000 (5.9).
	Limit int
	// License takes the place of the one a broker comes with; nil = it does not.
	License *License
	// BootTime is how long a starting node refuses connections, BootPage how
	// long it then answers 404 (5.x) or that it is starting (4.4); 0 = not at all.
	BootTime, BootPage time.Duration
	Pace               Pace             // of what else takes time; zero = quick
	Now                func() time.Time // nil = time.Now
}

// Cluster is a simulated EMQX cluster. Its methods may be called at any time,
// also while its nodes answer.
type Cluster struct {
	cfg   ClusterConfig
	major int
	drive func() // called before every look; nil = nothing drives the nodes

	mu         sync.Mutex
	at         time.Time // guarded by mu, as all below; what was settled
	nodes      []*Node   // in the order they joined; also those that left
	v4         state4
	db         *database // what members share
	groups     []*group
	turn       int // of the next client among the nodes that take some
	refused    map[string]int
	lost       int // sessions that ended with a node
	faults     []*fault
	rebalances []*rebalance
	split      *split // nil = the network is whole
}

// NewCluster makes a cluster without nodes. It panics if the version is not
// one of EMQX 4 or later: that is a mistake in the program.
func NewCluster(c ClusterConfig) *Cluster {
	c.Version, c.Edition = cmp.Or(c.Version, "5.8.9"), cmp.Or(c.Edition, Enterprise)
	c.Username, c.Password = cmp.Or(c.Username, "admin"), cmp.Or(c.Password, "public")
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Cluster{cfg: c, major: mustMajor(c.Version), refused: map[string]int{}}
	s.at = s.now()
	s.db = newDatabase(c, s.at)
	return s
}

// now is without the monotonic clock: times are compared and stored.
func (c *Cluster) now() time.Time { return c.cfg.Now().Round(0).UTC() }

// change runs fn on the cluster as it is now.
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
		now = c.at // the clock went back: time stands still
	}
	c.settle(now)
	fn(now)
	c.refresh(now)
}

// settle lets everything happen that time brings until now, each at its time:
// what is seen then does not depend on when it was looked at.
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

// next is the first moment after the settled one at which something happens.
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
		for i := range g.wants {
			consider(g.wants[i].due)
		}
	}
	for _, r := range c.rebalances {
		consider(r.next)
	}
	c.split.moments(consider)
	for _, t := range c.db.license.moments() {
		consider(t)
	}
	return first
}

// step is what happens at one moment. Clients that try and are refused change
// nothing that would have to be looked at.
func (c *Cluster) step(t time.Time) {
	more := c.moreThanClients(t)
	for _, n := range c.nodes {
		if !n.dead && n.bootedAt().Equal(t) {
			n.sayRunning(t)
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

// moreThanClients says whether anything happens at t but clients that try.
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
	for _, m := range c.db.license.moments() {
		consider(m)
	}
	return more
}

// refresh brings what follows from the state up to date: alarms, rates, peaks.
func (c *Cluster) refresh(t time.Time) {
	c.refreshAlarms(t)
	c.refreshTraffic(t)
}

// Join adds a running member, which with a [Pace] is one a little later. A name that is a member already is started
// anew, which is how a node comes back. Where the licence is for one node only,
// a second one runs by itself and is no member, as in reality.
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

// Standalone starts a node that is no member; an invitation makes it one.
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

// Node gives a member by its name, running or not; nil if there is none.
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

// members are those that have not left, by name.
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

// running are the members that run at t, by name.
func (c *Cluster) running(t time.Time) []*Node {
	return slices.DeleteFunc(c.members(), func(n *Node) bool { return !n.up(t) })
}

// Refused says how often clients were turned away, by reason: evacuating,
// listener_full, listener_stopped, license_limit, license_expired, member_hangs, no_node.
func (c *Cluster) Refused() map[string]int {
	out := map[string]int{}
	c.change(func(time.Time) {
		for k, v := range c.refused {
			out[k] = v
		}
	})
	return out
}

// database is what the members of a cluster share: it outlives each of them.
type database struct {
	license   License
	setting   licenseSetting
	keys      []*apiKey
	users     []*user
	tokens    map[string]*token
	serial    int // of what is numbered
	rules     []*rule
	resources []*resource // connectors, actions, sources; v4's resources
	listeners []*listener
	history   []*alarm
	invites   []invitation
	backups   []backup
	config    map[string]any // what was put, by root
}

func newDatabase(c ClusterConfig, now time.Time) *database {
	d := &database{
		license: startLicense(c), setting: licenseSetting{low: 75, high: 80, dynamic: -1},
		tokens: map[string]*token{}, listeners: defaultListeners(c.Version), config: map[string]any{},
	}
	d.keys = []*apiKey{{
		name: "from_bootstrap_file_" + hexOf("name "+c.Username, 16), id: c.Username, secret: c.Password,
		desc: "Bootstrapped From File", enable: true, role: roleAdministrator, created: now,
	}}
	d.users = []*user{{name: "admin", password: "public", desc: "administrator", role: roleAdministrator}}
	return d
}

// clone is what a node takes along that leaves; nothing of it is shared.
func (d *database) clone() *database {
	c := *d
	c.keys, c.users, c.rules = copies(d.keys), copies(d.users), copies(d.rules)
	c.listeners, c.resources, c.history = copies(d.listeners), copies(d.resources), slices.Clone(d.history)
	for _, l := range c.listeners {
		l.stopped, l.kept = nil, nil
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
	c.tokens, c.config, c.invites, c.backups = map[string]*token{}, maps.Clone(d.config), nil, nil
	return &c
}

// copies of what is pointed to.
func copies[T any](list []*T) []*T {
	out := make([]*T, len(list))
	for i, p := range list {
		own := *p
		out[i] = &own
	}
	return out
}

// id numbers something that the cluster makes.
func (d *database) id() string {
	d.serial++
	return strconv.Itoa(d.serial)
}
