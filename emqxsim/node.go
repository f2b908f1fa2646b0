package emqxsim

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Node is one broker of a [Cluster]. It is a member until it leaves.
type Node struct {
	c    *Cluster
	name string

	// Guarded by c.mu.
	db        *database // of its cluster, or its own after it left
	role      string    // core, or replicant as the constant says
	version   string
	started   time.Time // when its process started
	boot      time.Duration
	page      time.Duration
	joining   bool      // it is a cluster of its own until it joins; left is true
	joins     time.Time // when it next tries to join
	serves    time.Time // when it begins to get clients
	dead      bool
	suspended *suspension // nil if it is not suspended
	keeps     bool        // changes of listeners fail on it
	left      bool        // it has left, or never was a member
	cookie    string      // that it started with
	apart     bool        // it is a cluster of its own because of its cookie; left is true
	slow      time.Duration
	side      int         // of the partition; nodes see those of their own side
	evac      *evacuation // outlives the process, as in 5.x; nil if there is none
	alarms    []*alarm    // active
	raised    map[string]alarmText
	traffic   traffic
	history   []moment
	log       nodeLog
	file      obj // settings in its own file; nil if they are not known
	over      obj // settings in force besides EMQX's defaults; nil until they are computed after a start
}

// Name returns the node's EMQX name, e.g. "emqx@10.0.0.1".
func (n *Node) Name() string { return n.name }

// start starts the process.
func (n *Node) start(t time.Time) { n.startIn(t, n.c.cfg.BootTime, n.c.cfg.BootPage) }

// startIn starts the process, which takes a while to boot.
func (n *Node) startIn(t time.Time, boot, page time.Duration) {
	n.boot, n.page = boot, page
	n.resume(t)
	n.c.rejoin(n, t)
	n.started, n.dead = t, false
	n.joins = n.bootedAt().Add(n.c.cfg.Pace.Alone)
	n.traffic, n.history, n.over = traffic{}, nil, nil
	for _, l := range n.db.listeners {
		delete(l.stopped, n.name)
		delete(l.kept, n.name)
	}
	if n.c.major == 4 && n.evac != nil {
		n.evac = nil
	}
	if n.evac != nil {
		n.evac.resume(n.bootedAt())
	}
	n.logListeners(t)
	if n.booted(t) {
		n.logRunning(t)
	}
}

// kill ends the process. Its connections and sessions are lost.
func (n *Node) kill(t time.Time) {
	if n.dead {
		return
	}
	n.resume(t)
	n.dead = true
	n.c.loseClients(n, t)
	n.endAlarms(t)
	n.c.logDown(n, t)
}

// leave ends the membership. The node keeps running with a copy of the cluster's data.
func (n *Node) leave(t time.Time) {
	if n.left {
		return
	}
	n.left = true
	n.c.loseClients(n, t)
	n.db, n.over = n.c.db.clone(), nil
	n.evac, n.raised = nil, nil
	n.endAlarms(t)
}

// joinCluster makes a standalone node a member: it takes the cluster's data and restarts.
func (n *Node) joinCluster(t time.Time) {
	n.left, n.joining, n.db = false, false, n.c.db
	if again := n.c.cfg.Pace.Join; again > 0 {
		n.startIn(t, again, 0)
		return
	}
	n.start(t)
}

// up reports whether the process accepts connections. A replicant does so only while a core
// node of its version and cookie runs: it copies what it knows from there, and connects to no other.
func (n *Node) up(t time.Time) bool {
	return !n.dead && !t.Before(n.started.Add(n.boot)) && (n.role != replicant || n.c.hasCore(n, t))
}

// hasCore reports whether a core node runs that a replicant can connect to.
func (c *Cluster) hasCore(n *Node, t time.Time) bool {
	return slices.ContainsFunc(c.nodes, func(m *Node) bool {
		return m.role != replicant && !m.left && m.version == n.version && m.cookie == n.cookie && m.up(t)
	})
}

// bootedAt returns when the API becomes available.
func (n *Node) bootedAt() time.Time { return n.started.Add(n.boot + n.page) }

// booted reports whether the node has finished its start.
func (n *Node) booted(t time.Time) bool { return n.up(t) && !t.Before(n.bootedAt()) }

// available reports what load balancers ask before they send clients.
func (n *Node) available(t time.Time) bool {
	return n.booted(t) && n.evac == nil && n.c.donating(n) == nil
}

// accepts reports whether the node accepts new clients. While an evacuation waits for load
// balancers it does, although available tells them not to send any. 5.8.9 was seen to
// behave like this.
func (n *Node) accepts(t time.Time) bool {
	waits := n.evac != nil && n.evac.state == waitingHealthCheck && (n.c.major > 4 || has(n.version, sinceHealthWait4))
	return n.reachable(t) && n.suspended == nil && n.booted(t) && n.c.donating(n) == nil && (n.evac == nil || waits)
}

// sees reports whether a member runs, as this node sees it.
func (n *Node) sees(m *Node, t time.Time) bool {
	if m == n {
		return true
	}
	return !n.left && !m.left && m.up(t) && (m.side == n.side || n.c.waits(t)) && !m.lost(t)
}

// peers returns the members of the node's cluster including itself, sorted by name.
func (n *Node) peers() []*Node {
	if n.left {
		return []*Node{n}
	}
	return n.c.members()
}

// visible returns the members that run as this node sees it including itself, sorted by
// name.
func (n *Node) visible(t time.Time) []*Node {
	return slices.DeleteFunc(slices.Clone(n.peers()), func(m *Node) bool { return !n.sees(m, t) })
}

// moments returns when something happens to the node by itself.
func (n *Node) moments(consider func(time.Time)) {
	if n.dead {
		return
	}
	consider(n.started.Add(n.boot))
	consider(n.bootedAt())
	consider(n.serves)
	if n.joining {
		consider(n.joins)
	}
	if n.evac != nil {
		consider(n.evac.next)
	}
}

func (n *Node) uptime(t time.Time) time.Duration {
	return max(t.Sub(n.started.Add(n.boot)), 0)
}

// Kill ends the node's process: connections to it are closed without an answer, and the
// others see it stopped. It stays a member. Its sessions are lost.
func (n *Node) Kill() { n.c.change(n.kill) }

// Revive starts a killed node again. Its uptime begins at zero.
func (n *Node) Revive() { n.c.change(n.start) }

// Restart ends the process and starts it again.
func (n *Node) Restart() {
	n.c.change(func(t time.Time) {
		n.kill(t)
		n.start(t)
	})
}

// Leave ends the node's membership. It keeps running in a cluster of its own.
func (n *Node) Leave() { n.c.change(n.leave) }

// Slow delays every answer of the node by d of real time. 0 ends that.
func (n *Node) Slow(d time.Duration) { n.set(func() { n.slow = d }) }

// SetRole makes the node a "core", the default, or a "replicant" (5.x). A replicant that is
// down is not listed.
func (n *Node) SetRole(role string) { n.set(func() { n.role = role }) }

// SetVersion changes the node's version, as a rolling upgrade does. It panics on a way
// between EMQX 4 and later ones.
func (n *Node) SetVersion(version string) {
	if keeps(version) != n.c.major {
		panic("emqxsim: a node of EMQX " + strconv.Itoa(n.c.major) + " cannot run " + version)
	}
	n.set(func() { n.version = version })
}

// SetClients places MQTT clients on the node: connected ones without a lasting session, and
// sessions of clients that are away. They replace those of an earlier call. The license and
// the listeners are not checked.
func (n *Node) SetClients(connected, away int) {
	n.c.change(func(t time.Time) { n.c.placeClients(n, connected, away) })
}

func (n *Node) set(change func()) { n.c.change(func(time.Time) { change() }) }

// Endpoint returns a way to the node without a socket, with valid credentials.
func (n *Node) Endpoint() ecp.Endpoint {
	return ecp.Endpoint{
		BaseURL: "http://" + hostOf(n.name), Transport: transport{n.dial},
		Credentials:  ecp.Credentials{Username: n.c.cfg.Username, Password: n.c.cfg.Password},
		DashboardURL: "http://" + hostOf(n.name) + ":" + dashboardPort, Node: n.name,
	}
}

// dial returns the handler of a port, or false if a connection would be refused.
func (n *Node) dial(port string) (http.Handler, bool) {
	var up bool
	n.c.change(func(t time.Time) { up = n.up(t) && !n.refuses(t) })
	if port == dashboardPort {
		return n.Dashboard(), up
	}
	return n.Handler(), up
}
