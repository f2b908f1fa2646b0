package emqxsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// view is all that an answer is made from: a cluster as one of its nodes sees
// it at one moment.
type view struct {
	now      time.Time
	self     string // the node that answers
	version  string // that it runs
	ready    bool   // takes clients
	username string
	password string
	limit    int      // connections the licence allows
	members  []member // self among them
}

// member is a node of the cluster.
type member struct {
	name        string
	version     string
	running     bool
	started     time.Time
	connections int // sessions of clients that are away included
	live        int
}

// running lists the members that run, by name.
func (v view) running() []member {
	return sorted(v.members, func(m member) bool { return m.running })
}

// stopped lists the members that do not, by name.
func (v view) stopped() []member {
	return sorted(v.members, func(m member) bool { return !m.running })
}

func sorted(list []member, which func(member) bool) []member {
	var out []member
	for _, m := range list {
		if which(m) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return out
}

// find gives a member by name.
func (v view) find(name string) (member, bool) {
	i := slices.IndexFunc(v.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return member{}, false
	}
	return v.members[i], true
}

// sum adds up one figure over the members that run.
func (v view) sum(figure func(member) int) int {
	total := 0
	for _, m := range v.running() {
		total += figure(m)
	}
	return total
}

// oldRoute is one call of an API. {node} in the path matches one segment.
type oldRoute struct {
	path   string // below the API's base
	open   func(v view) bool
	answer func(v view, r *http.Request, node string) answer
}

func always(view) bool { return true }

// oldMatch finds the route of a path and the node named in it.
func oldMatch(routes []oldRoute, path string) (oldRoute, string, bool) {
	for _, r := range routes {
		if r.path == path {
			return r, "", true
		}
		before, after, found := strings.Cut(r.path, "{node}")
		rest, ok := strings.CutPrefix(path, before)
		if !found || !ok {
			continue
		}
		node, ok := strings.CutSuffix(rest, after)
		if ok && node != "" && !strings.Contains(node, "/") {
			return r, node, true
		}
	}
	return oldRoute{}, "", false
}

// authorised checks Basic credentials.
func (v view) authorised(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && v.username != "" && user == v.username && password == v.password
}

// statusText is what /status says.
func (v view) statusText() string {
	if !v.ready {
		return "Node " + v.self + " is starting\nemqx is not_running"
	}
	return "Node " + v.self + " is started\nemqx is running"
}

// view is what the node would say at t.
func (n *Node) view(t time.Time) view {
	cfg := n.c.cfg
	v := view{
		now: t, self: n.name, version: n.version, ready: n.ready(t) && n.evac == nil,
		username: cfg.Username, password: cfg.Password, limit: n.db.limitFor(n.version),
	}
	for _, m := range n.peers() {
		v.members = append(v.members, member{
			name: m.name, version: m.version, running: n.sees(m, t), started: t.Add(-m.uptime(t)),
			connections: n.c.sessions(m), live: n.c.live(m),
		})
	}
	return v
}
