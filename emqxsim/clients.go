package emqxsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Clients is a group of MQTT clients that behave alike. They spread evenly over the nodes
// that accept clients, and reconnect by themselves when they are disconnected.
type Clients struct {
	Name  string // client ids are Name-0, Name-1 and so on
	Count int
	// Persistent clients keep their session while they are away. It stays on its node until
	// they come back, or until it is moved or lost.
	Persistent bool
	Username   string
	Listener   string   // empty means "tcp:default", or "mqtt:tcp:external" on EMQX 4
	Subscribe  []string // topic filters; %c stands for the client id
	Topic      string   // what each client publishes to; %c as above
	Rate       float64  // messages per second that each client publishes
	QoS        int
	Payload    int           // bytes of a message; 0 means 64
	Reconnect  time.Duration // pause before a disconnected client tries again; 0 means 1 s
}

// longestWait is the longest pause of a client that is refused again and again.
const longestWait = 30 * time.Second

// span is a range of clients of a group, by number.
type span struct{ first, n int }

// clientSet is a set of clients in the same situation. The last ones are taken out first.
type clientSet struct {
	spans []span
	n     int
}

func (p *clientSet) put(spans ...span) {
	for _, s := range spans {
		p.n += s.n
		if i := len(p.spans) - 1; i >= 0 && p.spans[i].first+p.spans[i].n == s.first {
			p.spans[i].n += s.n
			continue
		}
		p.spans = append(p.spans, s)
	}
}

func (p *clientSet) take(k int) []span {
	var out []span
	for k > 0 && len(p.spans) > 0 {
		last := &p.spans[len(p.spans)-1]
		m := min(k, last.n)
		out = append(out, span{last.first + last.n - m, m})
		last.n -= m
		if last.n == 0 {
			p.spans = p.spans[:len(p.spans)-1]
		}
		k, p.n = k-m, p.n-m
	}
	slices.Reverse(out)
	return out
}

// pull takes one client out, wherever it is, and reports whether it was there.
func (p *clientSet) pull(i int) bool {
	for at, s := range p.spans {
		if i < s.first || i >= s.first+s.n {
			continue
		}
		rest := []span{{s.first, i - s.first}, {i + 1, s.first + s.n - i - 1}}
		rest = slices.DeleteFunc(rest, func(s span) bool { return s.n == 0 })
		p.spans, p.n = slices.Replace(p.spans, at, at+1, rest...), p.n-1
		return true
	}
	return false
}

// group is the present state of a group. Every client of it is in exactly one set.
type group struct {
	Clients
	on       map[*Node]*clientSet // connected
	away     map[*Node]*clientSet // not connected on purpose, with a session on the node
	off      clientSet            // not connected on purpose, without a session
	attempts []attempt            // trying to connect
}

// attempt is a set of clients that try to connect.
type attempt struct {
	clientSet
	session *Node // the node with their session, or nil
	holds   *Node // the node that they wait for and where they occupy connections, or nil
	due     time.Time
	tries   int // how often they were refused
}

func newGroup(c Clients, major int) *group {
	if c.Listener == "" {
		c.Listener = "tcp:default"
		if major == 4 {
			c.Listener = "mqtt:tcp:external"
		}
	}
	if c.Reconnect <= 0 {
		c.Reconnect = time.Second
	}
	if c.Payload <= 0 {
		c.Payload = 64
	}
	return &group{Clients: c, on: map[*Node]*clientSet{}, away: map[*Node]*clientSet{}}
}

func at(m map[*Node]*clientSet, n *Node) *clientSet {
	if m[n] == nil {
		m[n] = &clientSet{}
	}
	return m[n]
}

func count(m map[*Node]*clientSet, n *Node) int {
	if p := m[n]; p != nil {
		return p.n
	}
	return 0
}

// schedule lets clients try to connect at due.
func (g *group) schedule(spans []span, session *Node, due time.Time, tries int) {
	g.addAttempt(spans, attempt{session: session, due: due, tries: tries})
}

// addAttempt adds clients that try to connect to those in the same situation.
func (g *group) addAttempt(spans []span, like attempt) {
	if len(spans) == 0 {
		return
	}
	for i := range g.attempts {
		w := &g.attempts[i]
		if w.session == like.session && w.holds == like.holds && w.due.Equal(like.due) && w.tries == like.tries {
			w.put(spans...)
			return
		}
	}
	like.put(spans...)
	g.attempts = append(g.attempts, like)
}

// waitingSessions counts the sessions on a node whose clients try to reconnect.
func (g *group) waitingSessions(n *Node) int {
	sum := 0
	for i := range g.attempts {
		if g.attempts[i].session == n {
			sum += g.attempts[i].n
		}
	}
	return sum
}

// AddClients adds a group, which begins to connect at once. It replaces a group of the same
// name, and panics if the group has no name or a negative number: that is a mistake in the
// program.
func (c *Cluster) AddClients(clients Clients) {
	if clients.Count < 0 || clients.Name == "" || clients.Rate < 0 {
		panic("emqxsim: a group of clients needs a name, and numbers that are not negative")
	}
	c.change(func(t time.Time) {
		c.removeClients(clients.Name)
		g := newGroup(clients, c.major)
		g.schedule([]span{{0, clients.Count}}, nil, t, 0)
		c.groups = append(c.groups, g)
		c.connectDue(t)
	})
}

// removeClients removes a group with its sessions.
func (c *Cluster) removeClients(name string) {
	c.groups = slices.DeleteFunc(c.groups, func(g *group) bool { return g.Name == name })
}

// Disconnect disconnects n clients of a group, or all if there are fewer. They stay away
// until [Cluster.Reconnect].
func (c *Cluster) Disconnect(name string, n int) {
	c.change(func(time.Time) {
		g := c.group(name)
		if g == nil {
			return
		}
		for _, node := range c.nodes {
			k := min(n, count(g.on, node))
			n -= k
			node.traffic.disconnected += k
			if spans := at(g.on, node).take(k); g.Persistent {
				at(g.away, node).put(spans...)
			} else {
				g.off.put(spans...)
			}
		}
	})
}

// Reconnect lets n clients of a group that stayed away connect again.
func (c *Cluster) Reconnect(name string, n int) {
	c.change(func(t time.Time) {
		g := c.group(name)
		if g == nil {
			return
		}
		for _, node := range c.nodes {
			k := min(n, count(g.away, node))
			n -= k
			g.schedule(at(g.away, node).take(k), node, t, 0)
		}
		g.schedule(g.off.take(min(n, g.off.n)), nil, t, 0)
		c.connectDue(t)
	})
}

func (c *Cluster) group(name string) *group {
	i := slices.IndexFunc(c.groups, func(g *group) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return c.groups[i]
}

// placeClients does the work of SetClients.
func (c *Cluster) placeClients(n *Node, connected, away int) {
	live, kept := n.name+"/connected", n.name+"/away"
	c.removeClients(live)
	c.removeClients(kept)
	g := newGroup(Clients{Name: live, Count: connected}, c.major)
	at(g.on, n).put(span{0, connected})
	k := newGroup(Clients{Name: kept, Count: away, Persistent: true}, c.major)
	at(k.away, n).put(span{0, away})
	for _, g := range []*group{g, k} {
		if g.Count > 0 {
			c.groups = append(c.groups, g)
		}
	}
}

// live counts the clients that are connected to a node.
func (c *Cluster) live(n *Node) int {
	sum := 0
	for _, g := range c.groups {
		sum += count(g.on, n)
	}
	return sum
}

// kept counts the sessions on a node whose clients are not connected.
func (c *Cluster) kept(n *Node) int {
	sum := 0
	for _, g := range c.groups {
		sum += count(g.away, n) + g.waitingSessions(n)
	}
	return sum
}

// sessions counts the sessions on a node, of connected clients and others.
func (c *Cluster) sessions(n *Node) int { return c.live(n) + c.kept(n) }

// disconnect closes k connections of a group on a node. The clients reconnect.
func (c *Cluster) disconnect(g *group, n *Node, k int, t time.Time) {
	spans := at(g.on, n).take(k)
	var session *Node
	if g.Persistent {
		session = n
	}
	n.traffic.disconnected += k
	g.schedule(spans, session, t.Add(g.Reconnect), 0)
}

// disconnectSome closes k connections on a node, of whatever groups.
func (c *Cluster) disconnectSome(n *Node, k int, t time.Time) {
	for _, g := range c.groups {
		m := min(k, count(g.on, n))
		c.disconnect(g, n, m, t)
		k -= m
	}
}

// moveSessions moves k sessions without a connected client from one node to others.
func (c *Cluster) moveSessions(from *Node, to []*Node, k int) {
	if len(to) == 0 {
		return
	}
	for _, g := range c.groups {
		for k > 0 && count(g.away, from) > 0 {
			c.turn++
			at(g.away, to[c.turn%len(to)]).put(at(g.away, from).take(1)...)
			k--
		}
		for i := 0; i < len(g.attempts) && k > 0; i++ {
			if g.attempts[i].session != from {
				continue
			}
			c.turn++
			m := min(k, g.attempts[i].n)
			due, tries := g.attempts[i].due, g.attempts[i].tries
			g.schedule(g.attempts[i].take(m), to[c.turn%len(to)], due, tries)
			k -= m
		}
		g.attempts = slices.DeleteFunc(g.attempts, func(w attempt) bool { return w.n == 0 })
	}
}

// loseClients ends all connections and sessions of a node.
func (c *Cluster) loseClients(n *Node, t time.Time) {
	for _, g := range c.groups {
		c.lost += count(g.away, n)
		g.off.put(at(g.away, n).take(count(g.away, n))...)
		for i := range g.attempts {
			if g.attempts[i].session == n {
				g.attempts[i].session = nil
				c.lost += g.attempts[i].n
			}
		}
		if k := count(g.on, n); k > 0 {
			if g.Persistent {
				c.lost += k
			}
			g.schedule(at(g.on, n).take(k), nil, t.Add(g.Reconnect), 0)
		}
	}
}

// Usage counts the clients and sessions of a cluster.
type Usage struct {
	Clients   int // of all groups
	Connected int
	Waiting   int // clients that try to connect
	Sessions  int // sessions on all nodes, of connected clients and others
	Lost      int // sessions that ended with their node, since the cluster was created
	Nodes     map[string]NodeUsage
}

// NodeUsage counts the clients and sessions of one node.
type NodeUsage struct{ Connected, Sessions int }

// Usage counts the clients and sessions.
func (c *Cluster) Usage() Usage {
	u := Usage{Nodes: map[string]NodeUsage{}}
	c.change(func(time.Time) {
		u.Lost = c.lost
		for _, g := range c.groups {
			u.Clients += g.Count
			for i := range g.attempts {
				u.Waiting += g.attempts[i].n
			}
		}
		for _, n := range c.nodes {
			if n.left && !n.joining {
				continue
			}
			nu := NodeUsage{c.live(n), c.sessions(n)}
			u.Connected, u.Sessions = u.Connected+nu.Connected, u.Sessions+nu.Sessions
			u.Nodes[n.name] = nu
		}
	})
	return u
}

// client is the present state of one client.
type client struct {
	g         *group
	i         int
	node      *Node
	connected bool
}

func (c client) id() string { return c.g.Name + "-" + strconv.Itoa(c.i) }

func (c client) topics() []string {
	out := make([]string, len(c.g.Subscribe))
	for i, t := range c.g.Subscribe {
		out[i] = strings.ReplaceAll(t, "%c", c.id())
	}
	return out
}

// eachSpan calls fn for the clients with a session on one of the nodes, until fn returns
// false.
func (c *Cluster) eachSpan(nodes []*Node, fn func(first client, n int) bool) {
	for _, g := range c.groups {
		for _, n := range nodes {
			if p := g.on[n]; p != nil && !eachOf(p, client{g: g, node: n, connected: true}, fn) {
				return
			}
			if p := g.away[n]; p != nil && !eachOf(p, client{g: g, node: n}, fn) {
				return
			}
			for i := range g.attempts {
				if g.attempts[i].session == n && !eachOf(&g.attempts[i].clientSet, client{g: g, node: n}, fn) {
					return
				}
			}
		}
	}
}

func eachOf(p *clientSet, like client, fn func(client, int) bool) bool {
	for _, s := range p.spans {
		like.i = s.first
		if !fn(like, s.n) {
			return false
		}
	}
	return true
}

// lookup finds a client with a session on one of the nodes.
func (c *Cluster) lookup(nodes []*Node, id string) (client, bool) {
	dash := strings.LastIndexByte(id, '-')
	if dash < 0 {
		return client{}, false
	}
	i, err := strconv.Atoi(id[dash+1:])
	if err != nil || strconv.Itoa(i) != id[dash+1:] {
		return client{}, false
	}
	var found client
	var ok bool
	c.eachSpan(nodes, func(first client, n int) bool {
		if first.g.Name == id[:dash] && i >= first.i && i < first.i+n {
			first.i = i
			found, ok = first, true
		}
		return !ok
	})
	return found, ok
}

// kick ends a client's connection and session. A client that was connected reconnects.
func (c *Cluster) kick(k client, t time.Time) {
	one := span{k.i, 1}
	if k.connected {
		k.g.on[k.node].pull(k.i)
		k.node.traffic.disconnected++
		k.g.schedule([]span{one}, nil, t.Add(k.g.Reconnect), 0)
		return
	}
	if p := k.g.away[k.node]; p != nil && p.pull(k.i) {
		k.g.off.put(one)
		return
	}
	for i := range k.g.attempts {
		if w := &k.g.attempts[i]; w.session == k.node && w.pull(k.i) {
			k.g.schedule([]span{one}, nil, w.due, w.tries)
			return
		}
	}
}
