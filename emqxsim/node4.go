package emqxsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// running returns the members that run as the answering node sees it, sorted by name.
func (c *call4) running() []*Node { return c.n.visible(c.now) }

// member returns a member, running or not, or nil if there is none.
func (c *call4) member(name string) *Node {
	i := slices.IndexFunc(c.n.peers(), func(m *Node) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return c.n.peers()[i]
}

// each lists the members that run. The answering node is the last.
func (c *call4) each(show func(*Node) obj) []obj {
	out := []obj{}
	for _, m := range c.running() {
		if m != c.n {
			out = append(out, show(m))
		}
	}
	return append(out, show(c.n))
}

// onNode answers a call about the node in the path. The answer for an unknown node is text,
// the answer for one that does not run a message without a code.
func (c *call4) onNode(show func(*Node) answer) answer {
	m := c.member(c.params["node"])
	switch {
	case m == nil:
		return notFound4()
	case !c.n.sees(m, c.now):
		return message4("nodedown")
	}
	return show(m)
}

// nodes4 lists the members. The open source edition was seen to leave out those that are
// stopped; according to its source it could crash instead.
func nodes4(c *call4) answer {
	if c.c.v4.crashes && len(c.running()) < len(c.n.peers()) {
		return crashed4()
	}
	return listNodes4(node4)(c)
}

func listNodes4(show func(*call4, *Node) obj) func(*call4) answer {
	return func(c *call4) answer {
		return data4(c.each(func(m *Node) obj { return show(c, m) }))
	}
}

// named4 puts a node's figures under a key beside its name.
func named4(key string, show func(*call4, *Node) obj) func(*call4, *Node) obj {
	return func(c *call4, m *Node) obj { return obj{"node": m.name, key: show(c, m)} }
}

// oneNode4 answers a call about one node. If inside is set, the error for a node that does
// not run is inside a success.
func oneNode4(show func(*call4, *Node) obj, inside bool) func(*call4) answer {
	return func(c *call4) answer {
		if m := c.member(c.params["node"]); m != nil && !c.n.sees(m, c.now) && inside {
			return data4(obj{"node": m.name, "error": "nodedown"})
		}
		return c.onNode(func(m *Node) answer { return data4(show(c, m)) })
	}
}

func node4(c *call4, m *Node) obj {
	o := obj{
		"node": m.name, "node_status": "Running", "version": m.version, "otp_release": otpRelease,
		"uptime": uptimeWords(m.uptime(c.now)), "connections": c.c.sessions(m),
		"load1": "0.52", "load5": "0.40", "load15": "0.33", "max_fds": maxFds,
		"memory_total": memoryTotal, "memory_used": memoryUsed, "process_available": 262144, "process_used": 306,
	}
	if has(m.version, "4.4.19") {
		o["live_connections"] = c.c.live(m)
	}
	return o
}

func broker4(c *call4, m *Node) obj {
	o := obj{
		"node": m.name, "node_status": "Running", "version": m.version, "otp_release": otpRelease,
		"sysdescr": "EMQX Broker",
		"uptime":   uptimeWords(m.uptime(c.now)), "datetime": c.now.UTC().Format(time.DateTime),
	}
	if c.enterprise() {
		o["sysdescr"] = "EMQX Enterprise" // the text of the Enterprise edition is not recorded
	}
	return o
}

// uptimeWords formats a duration as EMQX 4 does: "2 days, 0 hours, 4 minutes, 28 seconds"
// without leading zero parts.
func uptimeWords(d time.Duration) string {
	seconds := max(int(d/time.Second), 0)
	parts := []struct {
		n    int
		unit string
	}{
		{seconds / 86400, "days"}, {seconds / 3600 % 24, "hours"}, {seconds / 60 % 60, "minutes"},
		{seconds % 60, "seconds"},
	}
	for len(parts) > 1 && parts[0].n == 0 {
		parts = parts[1:]
	}
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = fmt.Sprintf("%d %s", p.n, p.unit)
	}
	return strings.Join(words, ", ")
}

// status4 needs no credentials and does not state a version.
func status4(c *call4) answer {
	if !c.n.booted(c.now) {
		return asText(http.StatusServiceUnavailable, "Node "+c.n.name+" is starting\nemqx is not_running")
	}
	return asText(http.StatusOK, "Node "+c.n.name+" is started\nemqx is running")
}
