package emqxsim

import (
	"slices"
	"strings"
	"time"
)

// listener is a listener for MQTT clients, which every node has.
type listener struct {
	id        string // "tcp:default"; on EMQX 4 "mqtt:tcp:external"
	bind      string
	acceptors int
	max       int // connections on one node; 0 means no limit
	enable    bool
	conf      map[string]any  // the rest of its configuration
	stopped   map[string]bool // stopped by hand, by node name; a restart of the node starts it
	// Limits of nodes on which a change failed, by node name; a restart of the node applies
	// the change.
	kept map[string]int
	// Limits of nodes that have started with one in their configuration file, by node name,
	// until the limit is changed by a call: the file goes before what calls have set.
	file map[string]int
}

// limit returns how many connections the listener accepts on a node. 0 means no limit.
func (l *listener) limit(n *Node) int {
	if kept, ok := l.kept[n.name]; ok {
		return kept
	}
	return l.configured(n)
}

// configured returns the limit in the configuration of a node, which may not be in force.
func (l *listener) configured(n *Node) int {
	if file, ok := l.file[n.name]; ok {
		return file
	}
	return l.max
}

// startWith puts the limit that a node finds in its configuration file into force.
func (l *listener) startWith(n *Node, limit int) {
	delete(l.kept, n.name)
	if l.file == nil {
		l.file = map[string]int{}
	}
	l.file[n.name] = limit
}

// keepOn lets nodes that refuse changes keep their present limit.
func (l *listener) keepOn(nodes []*Node) {
	for _, n := range nodes {
		switch {
		case !n.keeps:
			delete(l.kept, n.name)
		case l.kept == nil:
			l.kept = map[string]int{n.name: l.limit(n)}
		default:
			l.kept[n.name] = l.limit(n)
		}
	}
}

// KeepListeners(true) makes changes of listeners fail on the node: it keeps its limits and
// its running listeners. The other nodes apply the changes, and the answer does not mention
// the failure, because each node of EMQX 5 applies such a change by itself.
func (n *Node) KeepListeners(keep bool) { n.set(func() { n.keeps = keep }) }

// protocol is the part of the id that names the protocol.
func (l *listener) protocol() string { return l.id[:strings.LastIndexByte(l.id, ':')] }

func (l *listener) name() string { return l.id[strings.LastIndexByte(l.id, ':')+1:] }

func (l *listener) running(n *Node) bool { return l.enable && !l.stopped[n.name] }

func defaultListeners(version string) []*listener {
	if mustMajor(version) == 4 {
		return []*listener{
			{id: "mqtt:ssl:external", bind: "0.0.0.0:8883", acceptors: 16, max: 102400, enable: true},
			{id: "mqtt:tcp:external", bind: "0.0.0.0:1883", acceptors: 8, max: 1024000, enable: true},
			{id: "mqtt:tcp:internal", bind: "127.0.0.1:11883", acceptors: 4, max: 1024000, enable: true},
			{id: "mqtt:ws:external", bind: "0.0.0.0:8083", acceptors: 4, max: 102400, enable: true},
			{id: "mqtt:wss:external", bind: "0.0.0.0:8084", acceptors: 4, max: 102400, enable: true},
		}
	}
	return []*listener{
		{id: "ssl:default", bind: "0.0.0.0:8883", acceptors: 16, enable: true},
		{id: "tcp:default", bind: "0.0.0.0:1883", acceptors: 16, enable: true},
		{id: "ws:default", bind: "0.0.0.0:8083", acceptors: 16, enable: true},
		{id: "wss:default", bind: "0.0.0.0:8084", acceptors: 16, enable: true},
	}
}

func (d *database) listener(id string) *listener {
	i := slices.IndexFunc(d.listeners, func(l *listener) bool { return l.id == id })
	if i < 0 {
		return nil
	}
	return d.listeners[i]
}

// SetListener changes a listener: how many clients each node accepts through it (0 means no
// limit), and whether it runs. It panics if there is no such listener.
func (c *Cluster) SetListener(id string, maxConnections int, enable bool) {
	c.change(func(t time.Time) {
		l := c.db.listener(id)
		if l == nil {
			panic("emqxsim: there is no listener " + id)
		}
		l.max, l.file, l.enable = maxConnections, nil, enable
		if !enable {
			c.closeListener(l, c.nodes, t)
		}
	})
}

// stopListener, startListener and closeListener act on the given nodes.
func (c *Cluster) stopListener(l *listener, nodes []*Node, t time.Time) {
	if l.stopped == nil {
		l.stopped = map[string]bool{}
	}
	for _, n := range nodes {
		l.stopped[n.name] = true
	}
	c.closeListener(l, nodes, t)
}

func (c *Cluster) startListener(l *listener, nodes []*Node) {
	for _, n := range nodes {
		delete(l.stopped, n.name)
	}
}

// closeListener disconnects the clients of a listener.
func (c *Cluster) closeListener(l *listener, nodes []*Node, t time.Time) {
	for _, g := range c.groups {
		if g.Listener != l.id {
			continue
		}
		for _, n := range nodes {
			c.disconnect(g, n, count(g.on, n), t)
		}
	}
}
