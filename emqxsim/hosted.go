package emqxsim

import (
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// hosted is the EMQX cluster that runs on the pods of a hosted cluster. It
// lives in memory: clients, rules and what else a test puts into it survive
// pods, but not the process.
type hosted struct {
	sim   *Cluster
	uid   string // of the namespace it lives in
	auth  auth
	major int
	lead  time.Duration   // see AnswerTime
	nodes map[int]podLife // as the cluster was last told
	// settings of each revision of pods, as far as they are known.
	settings map[string]map[string]string
	key      string // of the licence that nodes have started with; "" = the configured one
}

// podLife is what of a pod makes a node: another pod or another start is
// another life.
type podLife struct {
	uid, claim, version string
	revision            string // of the pod: its settings
	ready               time.Time
	down                bool
}

// Cluster is the EMQX cluster that runs on a hosted cluster's pods, for its
// hooks and clients: what it is told holds until its pods change. nil = there
// is none, or nothing that could reach it.
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

// sync brings the EMQX cluster up to date with its pods; the caller holds e.mu.
func (p *Provisioner) sync(e *entry) *hosted {
	now := p.now()
	st := e.at(now, p.pace)
	if st.UID == "" || st.Auth == nil || st.version() == "" {
		if st.UID == "" && e.hosted != nil {
			e.hosted.end(now)
			e.hosted = nil
		}
		return e.hosted
	}
	h := e.hosted
	fresh := h == nil || h.uid != st.UID || h.major != mustMajor(st.version())
	if fresh {
		h = p.host(&st)
		e.hosted = h
	}
	h.settings = e.settings
	h.follow(&st, now)
	if fresh {
		if p.cfg.Furnish != nil {
			p.cfg.Furnish(h.sim)
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

// follow lets happen in the cluster what has happened to its pods.
func (h *hosted) follow(st *state, now time.Time) {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	h.rekey(*st.Auth)
	for ordinal, life := range h.nodes {
		if n := h.sim.any(names{st.ID, st.version()}.node(ordinal)); n != nil && !life.down {
			settings, known := h.settings[life.revision]
			n.configure(settings, known)
		}
	}
	for _, ch := range h.changes(st, now) {
		h.sim.changeLocked(ch.at, ch.do)
	}
}

func (p *Provisioner) host(st *state) *hosted {
	sim := NewCluster(ClusterConfig{
		Version: st.version(), Username: st.Auth.Username, Password: st.Auth.Password,
		License: p.cfg.License, Limit: p.cfg.Limit, Now: p.now, Pace: p.cfg.Pace,
	})
	sim.at = time.Time{} // it begins with its first pod
	return &hosted{sim: sim, uid: st.UID, auth: *st.Auth, lead: p.cfg.AnswerTime, major: mustMajor(st.version()), nodes: map[int]podLife{}}
}

// end is that of the namespace: nothing runs any more.
func (h *hosted) end(now time.Time) {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	h.sim.changeLocked(now, func(t time.Time) {
		for _, n := range h.sim.nodes {
			n.kill(t)
		}
	})
}

// evacuates says whether any node was told to let its clients go.
func (h *hosted) evacuates() bool {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	return slices.ContainsFunc(h.sim.nodes, func(n *Node) bool { return n.evac != nil })
}

// rekey lets the key of the Secret in; sim.mu is held.
func (h *hosted) rekey(a auth) {
	if h.auth == a {
		return
	}
	for _, k := range h.sim.db.keys {
		if k.id == h.auth.Username {
			k.id, k.secret = a.Username, a.Password
		}
	}
	h.sim.cfg.Username, h.sim.cfg.Password = a.Username, a.Password
	h.auth = a
}

// happening is one change of the cluster at its time.
type happening struct {
	at time.Time
	do func(time.Time)
}

// changes are what happened to the pods since the cluster was last told, in
// order. Whoever has once been a member stays one: that is kept on its volume
// and on everybody else's.
func (h *hosted) changes(st *state, now time.Time) []happening {
	n := names{st.ID, st.version()}
	var out []happening
	claimed := map[int]bool{}
	for _, c := range st.Claims {
		claimed[c.Ordinal] = true
		out = append(out, h.changesOf(st, c, n.node(c.Ordinal), now)...)
	}
	for ordinal := range h.nodes {
		if !claimed[ordinal] {
			delete(h.nodes, ordinal)
			out = append(out, happening{now, func(t time.Time) { h.sim.drop(n.node(ordinal), t) }})
		}
	}
	slices.SortStableFunc(out, func(a, b happening) int { return a.at.Compare(b.at) })
	return out
}

func (h *hosted) changesOf(st *state, c claim, name string, now time.Time) []happening {
	was, known := h.nodes[c.Ordinal]
	is := podLife{claim: c.UID, down: true}
	ended := now
	if p := st.pod(c.Ordinal); p != nil {
		is.uid, is.ready, is.version, is.revision = p.UID, p.Ready, p.Image.Version, p.Revision
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
	var out []happening
	if known && was.claim != is.claim {
		out = append(out, happening{ended, func(t time.Time) { h.sim.drop(name, t) }})
		known = false
	}
	if is.down && !known && !c.Joined {
		delete(h.nodes, c.Ordinal)
		return out
	}
	h.nodes[c.Ordinal] = is
	fresh := !known
	if !known && is.down || known && !was.down && (is.down || was.uid != is.uid || !was.ready.Equal(is.ready)) {
		out = append(out, happening{ended, func(t time.Time) { h.sim.down(name, t) }})
	}
	if !is.down && (was.down || !known || was.uid != is.uid || !was.ready.Equal(is.ready)) {
		out = append(out, happening{is.ready.Add(-h.lead), func(t time.Time) {
			h.license(st.License, t)
			h.sim.boot(name, is.version, fresh, is.ready, t)
			if settings, known := h.settings[is.revision]; known {
				n := h.sim.any(name)
				n.file, n.over = settingsTree(settings), nil
			}
		}})
	}
	return out
}

// license puts a key into force that a node finds when it starts, if it is
// another than at the last time; sim.mu is held.
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

// drop makes a node that is gone for good no member any more.
func (c *Cluster) drop(name string, t time.Time) {
	if n := c.find(name); n != nil {
		n.kill(t)
		c.lose(n, t)
		n.left = true
		c.nodes = slices.DeleteFunc(c.nodes, func(m *Node) bool { return m == n })
	}
}

// down ends a node; one that is not known becomes a member that is down.
func (c *Cluster) down(name string, t time.Time) {
	n := c.any(name)
	if n == nil {
		n = c.add(name)
	}
	n.kill(t)
}

// boot starts a node, to which clients are led from serves on. One that had left
// finds its cluster again, as discovery makes it, unless the licence is for one
// node; one that is fresh, or has not joined before, is no member yet.
func (c *Cluster) boot(name, version string, fresh bool, serves, t time.Time) {
	n := c.any(name)
	if n == nil {
		n = c.add(name)
	}
	n.version, n.serves = version, serves
	if (fresh || n.joining) && c.joinsLater(n, t) {
		n.startAlone(t)
		return
	}
	n.left, n.joining, n.db = false, false, c.db
	if others := len(c.members()) - 1; others > 0 && c.singleNode() {
		n.leave(t)
	}
	n.start(t)
}

// dial gives what answers on a port of a node now; false = connections are refused.
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
	h.sim.change(func(time.Time) { n = h.sim.any(name) })
	if n == nil {
		return nil, false
	}
	return n.dial(port)
}
