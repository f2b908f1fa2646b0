package emqxsim

import (
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// hosted is the EMQX cluster that runs on the pods of a hosted cluster. It is in memory
// only: what a test puts into it, such as clients and rules, survives pods but not the
// process.
type hosted struct {
	sim   *Cluster
	uid   string          // of its namespace
	kept  int             // the major version whose data it has, see keeps
	lead  time.Duration   // see AnswerTime
	nodes map[int]podLife // as of the last call of follow
	// replicants are the pods of those that run, as of the same call.
	replicants map[int]podLife
	// The settings of each revision of pods, as far as they are known.
	settings map[string]map[string]string
	runTime  map[string]string // those that are the same for all revisions
	key      string            // the key of the license that nodes have started with; empty means the configured one
}

// podLife is what makes a pod one run of a node: another pod or another start is another
// run.
type podLife struct {
	uid, claim, version string
	revision            string // of the pod; selects its settings
	keys                auth   // what it started with
	ready               time.Time
	down                bool
}

// Cluster returns the EMQX cluster that runs on a hosted cluster's pods, so that tests can
// use its hooks and add clients. Changes made through it last until the pods change. It
// returns nil if there is no such cluster or nothing could reach it.
func (p *Provisioner) Cluster(id ecp.ID) *Cluster {
	p.mu.Lock()
	e := p.clusters[id]
	p.mu.Unlock()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := p.sync(e); h != nil {
		return h.sim
	}
	return nil
}

// sync updates the EMQX cluster from its pods. The caller holds e.mu.
func (p *Provisioner) sync(e *entry) *hosted {
	now := p.now()
	st := e.at(now, p.pace)
	h := e.hosted
	fresh := h == nil || h.uid != st.UID || st.version() != "" && h.kept != keeps(st.version())
	if st.UID == "" || fresh && st.Auth == nil || st.version() == "" {
		if st.UID == "" && e.hosted != nil {
			e.hosted.end(now)
			e.hosted = nil
		}
		return e.hosted
	}
	if fresh {
		h = p.host(&st)
		e.hosted = h
	}
	h.settings, h.runTime = e.settings, e.runTime
	h.follow(&st, now)
	if fresh {
		if p.cfg.Seed != nil {
			p.cfg.Seed(h.sim)
		}
		h.sim.drive = func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.hosted == h {
				p.sync(e)
			}
		}
	}
	return h
}

// follow applies to the cluster what has happened to its pods.
func (h *hosted) follow(st *state, now time.Time) {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	for ordinal, life := range h.nodes {
		if n := h.sim.findAny(st.names().node(ordinal)); n != nil && !life.down {
			n.configure(h.startsWith(life.revision))
		}
	}
	for _, ch := range h.changes(st, now) {
		h.sim.changeLocked(ch.at, ch.do)
	}
}

func (p *Provisioner) host(st *state) *hosted {
	keys := *st.Auth
	if pods := st.allPods(); len(pods) > 0 {
		keys = st.keysOf(*pods[0])
	}
	sim := NewCluster(ClusterConfig{
		Version: st.version(), Username: keys.Username, Password: keys.Password,
		License: p.cfg.License, Limit: p.cfg.Limit, Now: p.now, Pace: p.cfg.Pace,
	})
	sim.at = time.Time{} // its time begins with its first pod
	return &hosted{
		sim: sim, uid: st.UID, lead: p.cfg.AnswerTime, kept: keeps(st.version()),
		nodes: map[int]podLife{}, replicants: map[int]podLife{},
	}
}

// end ends all nodes, since the namespace has been removed.
func (h *hosted) end(now time.Time) {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	h.sim.changeLocked(now, func(t time.Time) {
		for _, n := range h.sim.nodes {
			n.kill(t)
		}
	})
}

// evacuates reports whether any node is being evacuated.
func (h *hosted) evacuates() bool {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	return slices.ContainsFunc(h.sim.nodes, func(n *Node) bool { return n.evac != nil })
}

// keysOf returns the keys that a pod has started with.
func (s *state) keysOf(p pod) auth {
	if p.Keys == (auth{}) && s.Auth != nil { // an earlier build has stored it
		return *s.Auth
	}
	return p.Keys
}

// podEvent is an event of the cluster and its time.
type podEvent struct {
	at time.Time
	do func(time.Time)
}

// changes returns what happened to the pods since the last call of follow, in order. A node
// that has been a member stays one, since its volume and those of the others say so.
func (h *hosted) changes(st *state, now time.Time) []podEvent {
	n := st.names()
	var out []podEvent
	claimed := map[int]bool{}
	for _, c := range st.Claims {
		claimed[c.Ordinal] = true
		out = append(out, h.changesOf(st, c, n.node(c.Ordinal), now)...)
	}
	for ordinal := range h.nodes {
		if !claimed[ordinal] {
			delete(h.nodes, ordinal)
			out = append(out, podEvent{now, func(t time.Time) { h.sim.removeNode(n.node(ordinal), t) }})
		}
	}
	out = append(out, h.changesOfReplicants(st, now)...)
	slices.SortStableFunc(out, func(a, b podEvent) int { return a.at.Compare(b.at) })
	return out
}

func (h *hosted) changesOf(st *state, c claim, name string, now time.Time) []podEvent {
	was, known := h.nodes[c.Ordinal]
	is := podLife{claim: c.UID, down: true}
	ended := now
	if p := st.pod(c.Ordinal); p != nil {
		is.uid, is.ready, is.version, is.revision, is.keys = p.UID, p.Ready, p.Image.Version, p.Revision, st.keysOf(*p)
		is.down = !p.runs(now, h.lead)
		if is.down {
			ended = p.since(now)
		} else {
			ended = p.Made
		}
	}
	if known && was == is {
		return nil
	}
	var out []podEvent
	if known && was.claim != is.claim {
		out = append(out, podEvent{ended, func(t time.Time) { h.sim.removeNode(name, t) }})
		known = false
	}
	if is.down && !known && !c.Joined {
		delete(h.nodes, c.Ordinal)
		return out
	}
	h.nodes[c.Ordinal] = is
	fresh := !known
	if !known && is.down || known && !was.down && (is.down || was.uid != is.uid || !was.ready.Equal(is.ready)) {
		out = append(out, podEvent{ended, func(t time.Time) { h.sim.nodeDown(name, t) }})
	}
	if !is.down && (was.down || !known || was.uid != is.uid || !was.ready.Equal(is.ready)) {
		out = append(out, podEvent{is.ready.Add(-h.lead), func(t time.Time) {
			h.license(st.License, t)
			h.sim.bootNode(name, is, fresh, t)
			h.startWith(st, name, is.revision)
		}})
	}
	return out
}

// startWith lets a node that starts have what it reads at its start.
func (h *hosted) startWith(st *state, name, revision string) {
	n := h.sim.findAny(name)
	if st.Workload != nil && st.Workload.Limit > 0 {
		for _, l := range n.db.listeners {
			if l.id == "mqtt:tcp:internal" { // for the machine itself
				continue
			}
			l.startWith(n, st.Workload.Limit)
		}
	}
	if settings, known := h.startsWith(revision); known {
		n.file, n.over = settingsTree(settings), nil
	}
}

// license puts a key that a starting node finds into force, if it differs from the last
// one. The caller holds sim.mu.
func (h *hosted) license(key string, t time.Time) {
	if h.key == key {
		return
	}
	h.key = key
	if l, ok := parseLicense(key, t); ok {
		h.sim.db.license = l
		return
	}
	h.sim.db.license = startLicense(h.sim.cfg)
}

// removeNode ends the membership of a node that was removed for good.
func (c *Cluster) removeNode(name string, t time.Time) {
	if n := c.find(name); n != nil {
		n.kill(t)
		c.loseClients(n, t)
		n.left = true
		c.v4.forget(name)
		c.nodes = slices.DeleteFunc(c.nodes, func(m *Node) bool { return m == n })
	}
}

// nodeDown ends a node. An unknown one becomes a member that is down.
func (c *Cluster) nodeDown(name string, t time.Time) {
	n := c.findAny(name)
	if n == nil {
		n = c.add(name)
	}
	n.kill(t)
}

// bootNode starts a node, which gets clients from serves on. A node that had left joins its
// cluster again through discovery, unless the license is for one node. A fresh node, or one
// that never joined, is no member yet. One with another cookie than the members is a cluster
// of its own.
func (c *Cluster) bootNode(name string, life podLife, fresh bool, t time.Time) {
	n := c.findAny(name)
	if n == nil {
		n = c.add(name)
	}
	n.version, n.serves, n.cookie, n.apart = life.version, life.ready, life.keys.cookie(), false
	if c.hasOtherCookie(n, t) {
		n.left, n.apart, n.joining, n.db = true, true, false, c.db.clone()
		n.db.bootstrap(life.keys, t)
		n.start(t)
		return
	}
	if (fresh || n.joining) && c.joinsLater(n, t) {
		n.startAlone(t)
		return
	}
	n.left, n.joining, n.db = false, false, c.db
	if others := len(c.members()) - 1; others > 0 && c.singleNode() {
		n.leave(t)
	}
	n.db.bootstrap(life.keys, t)
	c.cfg.Username, c.cfg.Password = life.keys.Username, life.keys.Password
	n.start(t)
	for _, m := range c.nodes { // of one cookie again
		if m.apart && m.cookie == n.cookie && m.up(t) {
			m.apart = false
			m.joinCluster(t)
		}
	}
}

// hasOtherCookie reports whether members run that have another cookie than a node: neither
// sees the other.
func (c *Cluster) hasOtherCookie(n *Node, t time.Time) bool {
	return slices.ContainsFunc(c.running(t), func(m *Node) bool {
		return m != n && m.role != replicant && m.cookie != n.cookie
	})
}

// dial returns the handler of a port of a node, or false if connections are refused now.
func (p *Provisioner) dial(id ecp.ID, name, port string) (http.Handler, bool) {
	e := p.entry(id)
	e.mu.Lock()
	h := p.sync(e)
	st := e.at(p.now(), p.pace)
	e.mu.Unlock()
	if h == nil || st.absent() {
		return nil, false
	}
	var n *Node
	h.sim.change(func(time.Time) { n = h.sim.findAny(name) })
	if n == nil {
		return nil, false
	}
	return n.dial(port)
}
