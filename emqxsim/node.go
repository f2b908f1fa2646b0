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
	db        *database // its cluster's, or its own when it has left
	role      string    // core or replicant
	version   string
	started   time.Time // its process
	boot      time.Duration
	page      time.Duration
	joining   bool      // a cluster of its own until it joins; left is true
	joins     time.Time // when it tries to
	serves    time.Time // from when on clients are led to it
	dead      bool
	suspended *suspension // nil = it is not
	keeps     bool        // it takes no change of listeners
	left      bool        // or never was a member
	unready   bool
	slow      time.Duration
	side      int // of the partition; nodes see those of their own side
	memory    int // percent of the machine's; 0 = as usual
	cpu       int
	evac      *evacuation // outlives the process, as in 5.x; nil = none
	alarms    []*alarm    // active
	raised    map[string]raised
	traffic   traffic
	history   []moment
	log       nodeLog
	file      obj // settings that its own file has; nil = none are known
	over      obj // what is in force beside EMQX' own values; nil = not computed since it started
}

// Name is the node's EMQX name, e.g. "emqx@10.0.0.1".
func (n *Node) Name() string { return n.name }

// start is a boot.
func (n *Node) start(t time.Time) { n.startIn(t, n.c.cfg.BootTime, n.c.cfg.BootPage) }

// startIn is a boot of some length.
func (n *Node) startIn(t time.Time, boot, page time.Duration) {
	n.boot, n.page = boot, page
	n.resume(t)
	n.started, n.dead, n.unready = t, false, false
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
		n.evac.goOn(n.bootedAt())
	}
	n.sayListeners(t)
	if n.booted(t) {
		n.sayRunning(t)
	}
}

// kill ends the process: connections and the sessions it held are gone.
func (n *Node) kill(t time.Time) {
	if n.dead {
		return
	}
	n.resume(t)
	n.dead = true
	n.c.lose(n, t)
	n.endAlarms(t)
	n.c.sayDown(n, t)
}

// leave ends the membership; the node goes on with a copy of what it knew.
func (n *Node) leave(t time.Time) {
	if n.left {
		return
	}
	n.left = true
	n.c.lose(n, t)
	n.db, n.over = n.c.db.clone(), nil
	n.evac, n.raised = nil, nil
	n.endAlarms(t)
}

// enter makes a standalone node a member: it takes the cluster's data and
// starts anew.
func (n *Node) enter(t time.Time) {
	n.left, n.joining, n.db = false, false, n.c.db
	if again := n.c.cfg.Pace.Join; again > 0 {
		n.startIn(t, again, 0)
		return
	}
	n.start(t)
}

// up says whether the process takes connections.
func (n *Node) up(t time.Time) bool {
	return !n.dead && !t.Before(n.started.Add(n.boot))
}

// bootedAt is when the API is there.
func (n *Node) bootedAt() time.Time { return n.started.Add(n.boot + n.page) }

// booted says whether the node is through its start.
func (n *Node) booted(t time.Time) bool { return n.up(t) && !t.Before(n.bootedAt()) }

// ready says whether the node passes its readiness checks.
func (n *Node) ready(t time.Time) bool { return n.booted(t) && !n.unready }

// available is what load balancers ask for before they send clients.
func (n *Node) available(t time.Time) bool {
	return n.ready(t) && n.evac == nil && n.c.donating(n) == nil
}

// takes says whether the node takes new clients. While an evacuation waits for
// load balancers to notice, it does, although available tells them that it does
// not: so 5.8.9 was seen to do.
func (n *Node) takes(t time.Time) bool {
	waits := n.evac != nil && n.evac.state == waitingHealthCheck && (n.c.major > 4 || has(n.version, sinceHealthWait4))
	return n.reachable(t) && n.suspended == nil && n.ready(t) && n.c.donating(n) == nil && (n.evac == nil || waits)
}

// sees says whether a member runs, as this node sees it.
func (n *Node) sees(m *Node, t time.Time) bool {
	if m == n {
		return true
	}
	return !n.left && !m.left && m.up(t) && (m.side == n.side || n.c.waits(t)) && !m.lost(t)
}

// peers are the members of the node's cluster, itself among them, by name.
func (n *Node) peers() []*Node {
	if n.left {
		return []*Node{n}
	}
	return n.c.members()
}

// others that run as this node sees it, itself among them, by name.
func (n *Node) visible(t time.Time) []*Node {
	return slices.DeleteFunc(slices.Clone(n.peers()), func(m *Node) bool { return !n.sees(m, t) })
}

// moments are when something happens to the node by itself.
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

// Kill ends the node's process: its handler closes connections unanswered,
// the others see it stopped. It stays a member. Sessions it held are lost.
func (n *Node) Kill() { n.c.change(n.kill) }

// Revive starts a killed node again; its uptime begins at zero.
func (n *Node) Revive() { n.c.change(n.start) }

// Restart ends the process and starts it again.
func (n *Node) Restart() {
	n.c.change(func(t time.Time) {
		n.kill(t)
		n.start(t)
	})
}

// Leave ends the node's membership. It goes on running, in a cluster of its own.
func (n *Node) Leave() { n.c.change(n.leave) }

// Slow makes every answer of the node wait for d of real time; 0 ends that.
func (n *Node) Slow(d time.Duration) { n.set(func() { n.slow = d }) }

// SetReady(false) makes the node turn clients away, as while it boots:
// /status and availability_check answer 503, the API goes on.
func (n *Node) SetReady(ready bool) { n.set(func() { n.unready = !ready }) }

// SetRole makes the node a "core", which every node is at first, or a
// "replicant" (5.x): one that is down is not listed any more.
func (n *Node) SetRole(role string) { n.set(func() { n.role = role }) }

// SetVersion makes the node run another version of the same major, as after a
// rolling upgrade. It panics on another major.
func (n *Node) SetVersion(version string) {
	if mustMajor(version) != n.c.major {
		panic("emqxsim: a node of EMQX " + strconv.Itoa(n.c.major) + " cannot run " + version)
	}
	n.set(func() { n.version = version })
}

// SetUsage says how much of the machine is in use, in percent: above the high
// watermarks alarms rise. 0 = as usual.
func (n *Node) SetUsage(memory, cpu int) { n.set(func() { n.memory, n.cpu = memory, cpu }) }

// SetClients places MQTT clients on the node: some connected, without a session
// that would outlive that, and sessions of clients that are away. They take the
// place of those of an earlier call. Licence and listeners are not asked.
func (n *Node) SetClients(connected, away int) {
	n.c.change(func(t time.Time) { n.c.place(n, connected, away) })
}

func (n *Node) set(change func()) { n.c.change(func(time.Time) { change() }) }

// Endpoint leads to the node without a socket, with the right credentials.
func (n *Node) Endpoint() ecp.Endpoint {
	return ecp.Endpoint{
		BaseURL: "http://" + hostOf(n.name), Transport: transport{n.dial},
		Credentials:  ecp.Credentials{Username: n.c.cfg.Username, Password: n.c.cfg.Password},
		DashboardURL: "http://" + hostOf(n.name) + ":" + dashboardPort, Node: n.name,
	}
}

// dial gives what answers on a port; false = a connection would be refused.
func (n *Node) dial(port string) (http.Handler, bool) {
	var up bool
	n.c.change(func(t time.Time) { up = n.up(t) && !n.refuses(t) })
	if port == dashboardPort {
		return n.Dashboard(), up
	}
	return n.Handler(), up
}
