package emqxsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// How much of its log a node keeps.
const (
	logKept    = 2000    // lines
	logLongest = 4 << 10 // bytes of one
)

// logPause is the shortest time between two lines about the same event of clients.
const logPause = time.Minute

// nodeLog is the latest part of a node's log. It is guarded by the cluster's mutex.
type nodeLog struct {
	lines   []logLine
	next    int                  // number of the next line
	written map[string]time.Time // when a throttled event was written last
}

type logLine struct {
	n    int
	at   time.Time
	text string
}

// logEvent is an event that a node logs. No log was recorded, so the texts are our own;
// readers look for the level and, from 5.x on, for the name.
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

// refusedEvents are the log entries for clients that were refused, by reason.
var refusedEvents = map[string]logEvent{
	refusedEvacuating: {"warning", "connection_rejected_due_to_evacuation", "[Evacuation] connection rejected"},
	refusedFull: {"warning", "connection_rejected_due_to_max_connections",
		"[Listener] connection rejected: too many"},
	refusedLimit: {"error", "connection_rejected_due_to_license_limit_reached",
		"[License] connection rejected: limit reached"},
	refusedExpired: {"error", "connection_rejected_due_to_license_expired", "[License] connection rejected: expired"},
}

// logEvent writes an event in the default format of the node's version, with pairs of names and
// values.
func (n *Node) logEvent(t time.Time, e logEvent, pairs ...string) {
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
	n.appendLog(t, b.String())
}

// appendLog writes one line as it is.
func (n *Node) appendLog(t time.Time, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text[:min(len(text), logLongest)])
	l := &n.log
	// As with real brokers, no two lines have the same time.
	if i := len(l.lines) - 1; i >= 0 && !t.After(l.lines[i].at) {
		t = l.lines[i].at.Add(1)
	}
	l.lines = append(l.lines, logLine{l.next, t, strings.ToValidUTF8(text, "?")})
	l.next++
	if len(l.lines) > logKept {
		l.lines = slices.Delete(l.lines, 0, len(l.lines)-logKept)
	}
}

// logListeners writes what the console shows at a start, without time or level.
func (n *Node) logListeners(t time.Time) {
	for _, l := range n.db.listeners {
		switch {
		case !l.running(n):
		case n.c.major == 4:
			n.appendLog(t, "Start "+l.id+" listener on "+l.bind+" successfully.")
		default:
			n.appendLog(t, "Listener "+l.id+" on "+l.bind+" started.")
		}
	}
}

// logRunning writes the last lines of a start; the other members report the node.
func (n *Node) logRunning(t time.Time) {
	n.appendLog(t, "EMQX "+n.version+" is running now!")
	n.c.tellOthers(n, t, nodeComes)
}

// logLicense reports a license that was put into force. It never writes the key.
func (n *Node) logLicense(t time.Time) {
	l := n.db.license
	n.logEvent(t, licenseChanges, "customer", l.Customer, "max_connections", strconv.Itoa(l.Limit), "expiry_at",
		l.Expiry.Format(time.DateOnly))
}

func (c *Cluster) logDown(n *Node, t time.Time) { c.tellOthers(n, t, nodeGoes) }

func (c *Cluster) tellOthers(n *Node, t time.Time, e logEvent) {
	for _, m := range c.nodes {
		if m != n && !m.left && !n.left && m.side == n.side {
			m.logEvent(t, e, "node", n.name)
		}
	}
}

// logRefused reports clients that were refused, on one of the nodes that may have refused
// them, at most once a minute.
func (c *Cluster) logRefused(g *group, why string, clients int, t time.Time) {
	e, known := refusedEvents[why]
	n := c.reporter(t)
	if why == refusedEvacuating {
		if i := slices.IndexFunc(c.nodes, func(m *Node) bool { return !m.left && m.up(t) && m.evac != nil }); i >= 0 {
			n = c.nodes[i]
		}
	}
	if !known || n == nil || t.Sub(n.log.written[e.name]) < logPause {
		return
	}
	if n.log.written == nil {
		n.log.written = map[string]time.Time{}
	}
	n.log.written[e.name] = t
	n.logEvent(t, e, "listener", g.Listener, "clients", strconv.Itoa(clients))
}

// reporter returns the running member that reports events of the whole cluster, or nil if
// none runs.
func (c *Cluster) reporter(t time.Time) *Node {
	for _, n := range c.nodes {
		if !n.left && n.up(t) {
			return n
		}
	}
	return nil
}
