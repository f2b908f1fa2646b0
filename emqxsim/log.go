package emqxsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a node keeps of its log.
const (
	logKept    = 2000    // lines
	logLongest = 4 << 10 // bytes of one
)

// logPause is how long an event that clients bring about is not written again.
const logPause = time.Minute

// nodeLog is the newest of what a node has written. The cluster's mutex guards
// it.
type nodeLog struct {
	lines []logLine
	next  int                  // number of the next line
	said  map[string]time.Time // when an event that is throttled was written last
}

type logLine struct {
	n    int
	at   time.Time
	text string
}

// logEvent is something a node writes. The words are ours: no log was
// recorded. Its level and, from 5.x on, its name are what is looked for.
type logEvent struct{ level, name, words string }

var (
	alarmRises       = logEvent{"warning", "alarm_is_activated", "[Alarm] activated"}
	alarmEnds        = logEvent{"warning", "alarm_is_deactivated", "[Alarm] deactivated"}
	evacuationBegins = logEvent{"warning", "node_evacuation_started", "[Evacuation] started"}
	evacuationMoves  = logEvent{"warning", "node_evacuation_state_changed", "[Evacuation] goes on"}
	evacuationEnds   = logEvent{"warning", "node_evacuation_stopped", "[Evacuation] stopped"}
	configChanges    = logEvent{"warning", "config_changed", "[Config] changed"}
	licenseChanges   = logEvent{"warning", "license_updated", "[License] updated"}
	nodeGoes         = logEvent{"error", "node_down", "[Cluster] node is down"}
	nodeComes        = logEvent{"warning", "node_up", "[Cluster] node is up"}
)

// refusedEvents are how a node tells that it turned clients away.
var refusedEvents = map[string]logEvent{
	refusedEvacuating: {"warning", "connection_rejected_due_to_evacuation", "[Evacuation] connection rejected"},
	refusedFull:       {"warning", "connection_rejected_due_to_max_connections", "[Listener] connection rejected: too many"},
	refusedLimit:      {"error", "connection_rejected_due_to_license_limit_reached", "[License] connection rejected: limit reached"},
	refusedExpired:    {"error", "connection_rejected_due_to_license_expired", "[License] connection rejected: expired"},
}

// say writes an event in the form that the node's version has by default, with
// pairs of names and values.
func (n *Node) say(t time.Time, e logEvent, pairs ...string) {
	if !n.up(t) {
		return
	}
	var b strings.Builder
	b.WriteString(t.Format("2006-01-02T15:04:05.000000-07:00") + " [" + e.level + "] ")
	between, is := ", ", ": "
	if n.c.major == 4 {
		b.WriteString(e.words)
		between, is = " ", "="
	} else {
		b.WriteString("msg: " + e.name)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString(between + pairs[i] + is + pairs[i+1])
	}
	n.print(t, b.String())
}

// print writes one line as it is.
func (n *Node) print(t time.Time, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text[:min(len(text), logLongest)])
	l := &n.log
	if i := len(l.lines) - 1; i >= 0 && !t.After(l.lines[i].at) { // as in reality no two are taken up at one moment
		t = l.lines[i].at.Add(1)
	}
	l.lines = append(l.lines, logLine{l.next, t, strings.ToValidUTF8(text, "?")})
	l.next++
	if len(l.lines) > logKept {
		l.lines = slices.Delete(l.lines, 0, len(l.lines)-logKept)
	}
}

// sayListeners is what stands on the console at a start, without time or level.
func (n *Node) sayListeners(t time.Time) {
	for _, l := range n.db.listeners {
		switch {
		case !l.running(n):
		case n.c.major == 4:
			n.print(t, "Start "+l.id+" listener on "+l.bind+" successfully.")
		default:
			n.print(t, "Listener "+l.id+" on "+l.bind+" started.")
		}
	}
}

// sayRunning ends a start; the other members see the node.
func (n *Node) sayRunning(t time.Time) {
	n.print(t, "EMQX "+n.version+" is running now!")
	n.c.tellOthers(n, t, nodeComes)
}

// sayLicense tells of a licence that was put into force; never its text.
func (n *Node) sayLicense(t time.Time) {
	l := n.db.license
	n.say(t, licenseChanges, "customer", l.Customer, "max_connections", strconv.Itoa(l.Limit), "expiry_at", l.Expiry.Format(time.DateOnly))
}

func (c *Cluster) sayDown(n *Node, t time.Time) { c.tellOthers(n, t, nodeGoes) }

func (c *Cluster) tellOthers(n *Node, t time.Time, e logEvent) {
	for _, m := range c.nodes {
		if m != n && !m.left && !n.left && m.side == n.side {
			m.say(t, e, "node", n.name)
		}
	}
}

// sayRefused: of the nodes that may have turned clients away one says so, not
// more than once a minute.
func (c *Cluster) sayRefused(g *group, why string, clients int, t time.Time) {
	e, known := refusedEvents[why]
	n := c.speaker(t)
	if why == refusedEvacuating {
		if i := slices.IndexFunc(c.nodes, func(m *Node) bool { return !m.left && m.up(t) && m.evac != nil }); i >= 0 {
			n = c.nodes[i]
		}
	}
	if !known || n == nil || t.Sub(n.log.said[e.name]) < logPause {
		return
	}
	if n.log.said == nil {
		n.log.said = map[string]time.Time{}
	}
	n.log.said[e.name] = t
	n.say(t, e, "listener", g.Listener, "clients", strconv.Itoa(clients))
}

// speaker is the running member that tells what concerns them all; nil = none
// runs.
func (c *Cluster) speaker(t time.Time) *Node {
	for _, n := range c.nodes {
		if !n.left && n.up(t) {
			return n
		}
	}
	return nil
}
