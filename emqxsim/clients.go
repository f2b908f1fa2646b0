package emqxsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Clients is a group of MQTT clients that behave alike. They connect through
// the nodes that take some, evenly, and come back by themselves when cut.
type Clients struct {
	Name  string // client ids are Name-0, Name-1, ...
	Count int
	// Persistent clients keep their session while they are away; it stays on
	// the node that had it until they come back or it is moved or lost.
	Persistent bool
	Username   string
	Listener   string   // that they use; "" = "tcp:default" (v4: "mqtt:tcp:external")
	Subscribe  []string // topic filters; %c stands for the client id
	Topic      string   // that each publishes to; %c as above
	Rate       float64  // messages a second that each publishes
	QoS        int
	Payload    int           // bytes of a message; 0 = 64
	Reconnect  time.Duration // until one that was cut tries again; 0 = 1 s
}

// The longest that a client waits which is refused again and again.
const longestWait = 30 * time.Second

// span is a run of clients of a group, by number.
type span struct{ first, n int }

// pile is clients in one and the same situation; the last come out first.
type pile struct {
	spans []span
	n     int
}

func (p *pile) put(spans ...span) {
	for _, s := range spans {
		p.n += s.n
		if i := len(p.spans) - 1; i >= 0 && p.spans[i].first+p.spans[i].n == s.first {
			p.spans[i].n += s.n
			continue
		}
		p.spans = append(p.spans, s)
	}
}

func (p *pile) take(k int) []span {
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

// pull takes one client out, wherever it is; false = it is not here.
func (p *pile) pull(i int) bool {
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

// group is a group as it stands. Every client of it is in exactly one pile.
type group struct {
	Clients
	on    map[*Node]*pile // connected
	away  map[*Node]*pile // stay away, the session is kept there
	off   pile            // stay away and have no session
	wants []want          // try to connect
}

// want is clients that try to connect.
type want struct {
	pile
	session *Node // where they have one; nil = none
	holds   *Node // where they wait for an answer, and take up places; nil = nowhere
	due     time.Time
	tries   int // that were refused
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
	return &group{Clients: c, on: map[*Node]*pile{}, away: map[*Node]*pile{}}
}

func at(m map[*Node]*pile, n *Node) *pile {
	if m[n] == nil {
		m[n] = &pile{}
	}
	return m[n]
}

func count(m map[*Node]*pile, n *Node) int {
	if p := m[n]; p != nil {
		return p.n
	}
	return 0
}

// want lets clients try from due on.
func (g *group) want(spans []span, session *Node, due time.Time, tries int) {
	g.wait(spans, want{session: session, due: due, tries: tries})
}

// wait is as want, of clients in a situation like that of some others.
func (g *group) wait(spans []span, like want) {
	if len(spans) == 0 {
		return
	}
	for i := range g.wants {
		w := &g.wants[i]
		if w.session == like.session && w.holds == like.holds && w.due.Equal(like.due) && w.tries == like.tries {
			w.put(spans...)
			return
		}
	}
	like.put(spans...)
	g.wants = append(g.wants, like)
}

// waiting counts the sessions on a node whose clients try to come back.
func (g *group) waiting(n *Node) int {
	sum := 0
	for i := range g.wants {
		if g.wants[i].session == n {
			sum += g.wants[i].n
		}
	}
	return sum
}

// AddClients adds a group, which begins to connect at once. A group of the
// same name is removed before. It panics if it is not possible: a mistake in
// the program.
func (c *Cluster) AddClients(clients Clients) {
	if clients.Count < 0 || clients.Name == "" || clients.Rate < 0 {
		panic("emqxsim: a group of clients needs a name, and numbers that are not negative")
	}
	c.change(func(t time.Time) {
		c.removeClients(clients.Name)
		g := newGroup(clients, c.major)
		g.want([]span{{0, clients.Count}}, nil, t, 0)
		c.groups = append(c.groups, g)
		c.connectDue(t)
	})
}

// RemoveClients ends a group; its sessions end with it.
func (c *Cluster) RemoveClients(name string) {
	c.change(func(time.Time) { c.removeClients(name) })
}

func (c *Cluster) removeClients(name string) {
	c.groups = slices.DeleteFunc(c.groups, func(g *group) bool { return g.Name == name })
}

// Disconnect makes n connected clients of a group stay away until they are
// told to Reconnect; fewer, if there are not so many.
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

// Reconnect makes n clients of a group try to connect that stayed away.
func (c *Cluster) Reconnect(name string, n int) {
	c.change(func(t time.Time) {
		g := c.group(name)
		if g == nil {
			return
		}
		for _, node := range c.nodes {
			k := min(n, count(g.away, node))
			n -= k
			g.want(at(g.away, node).take(k), node, t, 0)
		}
		g.want(g.off.take(min(n, g.off.n)), nil, t, 0)
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

// place is SetClients.
func (c *Cluster) place(n *Node, connected, away int) {
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
		sum += count(g.away, n) + g.waiting(n)
	}
	return sum
}

// sessions counts those on a node, connected or not.
func (c *Cluster) sessions(n *Node) int { return c.live(n) + c.kept(n) }

// cut ends k connections of a group on a node; the clients come back.
func (c *Cluster) cut(g *group, n *Node, k int, t time.Time) {
	spans := at(g.on, n).take(k)
	var session *Node
	if g.Persistent {
		session = n
	}
	n.traffic.disconnected += k
	g.want(spans, session, t.Add(g.Reconnect), 0)
}

// cutSome ends k connections on a node, whichever they are.
func (c *Cluster) cutSome(n *Node, k int, t time.Time) {
	for _, g := range c.groups {
		m := min(k, count(g.on, n))
		c.cut(g, n, m, t)
		k -= m
	}
}

// moveSessions takes k sessions without a client from one node to others.
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
		for i := 0; i < len(g.wants) && k > 0; i++ {
			if g.wants[i].session != from {
				continue
			}
			c.turn++
			m := min(k, g.wants[i].n)
			due, tries := g.wants[i].due, g.wants[i].tries
			g.want(g.wants[i].take(m), to[c.turn%len(to)], due, tries)
			k -= m
		}
		g.wants = slices.DeleteFunc(g.wants, func(w want) bool { return w.n == 0 })
	}
}

// lose ends everything a node held.
func (c *Cluster) lose(n *Node, t time.Time) {
	for _, g := range c.groups {
		c.lost += count(g.away, n)
		g.off.put(at(g.away, n).take(count(g.away, n))...)
		for i := range g.wants {
			if g.wants[i].session == n {
				g.wants[i].session = nil
				c.lost += g.wants[i].n
			}
		}
		if k := count(g.on, n); k > 0 {
			if g.Persistent {
				c.lost += k
			}
			g.want(at(g.on, n).take(k), nil, t.Add(g.Reconnect), 0)
		}
	}
}

// Usage is what the clients of a cluster do.
type Usage struct {
	Clients   int // of all groups
	Connected int
	Waiting   int // try to connect
	Sessions  int // that nodes hold, of connected clients, too
	Lost      int // sessions that ended with a node, since the beginning
	Nodes     map[string]NodeUsage
}

// NodeUsage is what one node holds.
type NodeUsage struct{ Connected, Sessions int }

// Usage counts clients and sessions.
func (c *Cluster) Usage() Usage {
	u := Usage{Nodes: map[string]NodeUsage{}}
	c.change(func(time.Time) {
		u.Lost = c.lost
		for _, g := range c.groups {
			u.Clients += g.Count
			for i := range g.wants {
				u.Waiting += g.wants[i].n
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

// client is one client as it stands.
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

// eachSpan calls fn with the clients that have a session on one of the nodes;
// false from fn ends it.
func (c *Cluster) eachSpan(nodes []*Node, fn func(first client, n int) bool) {
	for _, g := range c.groups {
		for _, n := range nodes {
			if p := g.on[n]; p != nil && !eachOf(p, client{g: g, node: n, connected: true}, fn) {
				return
			}
			if p := g.away[n]; p != nil && !eachOf(p, client{g: g, node: n}, fn) {
				return
			}
			for i := range g.wants {
				if g.wants[i].session == n && !eachOf(&g.wants[i].pile, client{g: g, node: n}, fn) {
					return
				}
			}
		}
	}
}

func eachOf(p *pile, like client, fn func(client, int) bool) bool {
	for _, s := range p.spans {
		like.i = s.first
		if !fn(like, s.n) {
			return false
		}
	}
	return true
}

// lookup finds a client that has a session on one of the nodes.
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

// kick ends a client's connection and session. A connected one comes back.
func (c *Cluster) kick(k client, t time.Time) {
	one := span{k.i, 1}
	if k.connected {
		k.g.on[k.node].pull(k.i)
		k.node.traffic.disconnected++
		k.g.want([]span{one}, nil, t.Add(k.g.Reconnect), 0)
		return
	}
	if p := k.g.away[k.node]; p != nil && p.pull(k.i) {
		k.g.off.put(one)
		return
	}
	for i := range k.g.wants {
		if w := &k.g.wants[i]; w.session == k.node && w.pull(k.i) {
			k.g.want([]span{one}, nil, w.due, w.tries)
			return
		}
	}
}
