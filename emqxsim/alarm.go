package emqxsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// alarm is one alarm on one node.
type alarm struct {
	node    string
	name    string
	message string
	details map[string]any
	from    time.Time
	to      time.Time // zero = it is active
}

// raised is what an alarm says.
type raised struct {
	message string
	details map[string]any
}

// The most history that is kept, as the broker's size_limit.
const alarmHistory = 1000

// RaiseAlarm makes an alarm rise on the node until ClearAlarm.
func (n *Node) RaiseAlarm(name, message string, details map[string]any) {
	n.set(func() {
		if n.raised == nil {
			n.raised = map[string]raised{}
		}
		n.raised[name] = raised{message, details}
	})
}

// ClearAlarm ends an alarm that RaiseAlarm raised.
func (n *Node) ClearAlarm(name string) { n.set(func() { delete(n.raised, name) }) }

// refreshAlarms lets alarms rise and clear by what causes them now.
func (c *Cluster) refreshAlarms(t time.Time) {
	for _, n := range c.nodes {
		if !n.up(t) {
			continue
		}
		causes := c.causes(n, t)
		for _, a := range slices.Clone(n.alarms) {
			if _, still := causes[a.name]; !still {
				n.endAlarm(a, t)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(causes)) {
			if !slices.ContainsFunc(n.alarms, func(a *alarm) bool { return a.name == name }) {
				n.alarms = append(n.alarms, &alarm{node: n.name, name: name, message: causes[name].message, details: causes[name].details, from: t})
				n.say(t, alarmRises, "message", causes[name].message, "name", name)
			}
		}
	}
}

// causes says which alarms there should be on a node, by name.
func (c *Cluster) causes(n *Node, t time.Time) map[string]raised {
	out := maps.Clone(n.raised)
	if out == nil {
		out = map[string]raised{}
	}
	if n.memory > 70 {
		out["high_system_memory_usage"] = raised{
			fmt.Sprintf("System memory usage is higher than %d%%", n.memory), map[string]any{"high_watermark": 70},
		}
	}
	if n.cpu > 80 || n.cpu > 60 && n.active("high_cpu_usage") {
		out["high_cpu_usage"] = raised{
			fmt.Sprintf("%d%% cpu usage", n.cpu), map[string]any{"high_watermark": 80, "low_watermark": 60, "usage": n.cpu},
		}
	}
	if !n.left {
		c.licenseCauses(n, t, out)
		for _, m := range c.members() {
			if m != n && m.up(t) && m.side != n.side && !c.waits(t) {
				out["partition"] = raised{"Partition occurs at node " + m.name, map[string]any{"occurred": m.name}}
			}
		}
	}
	for _, r := range n.db.resources {
		if reason := r.alarmCause(n, c.major); reason != nil {
			out[r.alarmName(c.major)] = *reason
		}
	}
	return out
}

// licenseCauses: the quota's alarm rises at the high watermark and clears below
// the low one.
func (c *Cluster) licenseCauses(n *Node, t time.Time, out map[string]raised) {
	if !c.licensed(n.version) {
		return
	}
	limit, set := c.db.limitFor(n.version), c.db.setting
	used := c.used() * 100
	if used >= set.high*limit || used >= set.low*limit && n.active("license_quota") {
		// Before 5.8.5 the words are not recorded.
		message := fmt.Sprintf("License: live connection number exceeds %d%%", set.high)
		if c.countsSessions() {
			message = fmt.Sprintf("License: sessions quota exceeds %d%%", set.high)
		}
		out["license_quota"] = raised{message, map[string]any{"high_watermark": fmt.Sprint(set.high)}}
	}
	if l := c.db.license; !t.Before(l.warns()) {
		expiry := l.Expiry.Format(time.DateOnly)
		out["license_expiry"] = raised{"License will be expired at " + expiry, map[string]any{"expiry_at": expiry}}
	}
}

func (n *Node) active(name string) bool {
	return slices.ContainsFunc(n.alarms, func(a *alarm) bool { return a.name == name })
}

// endAlarm moves an alarm to the history, the newest first.
func (n *Node) endAlarm(a *alarm, t time.Time) {
	n.alarms = slices.DeleteFunc(n.alarms, func(b *alarm) bool { return a == b })
	past := *a
	past.to = t
	n.db.history = slices.Insert(n.db.history, 0, &past)
	n.db.history = n.db.history[:min(len(n.db.history), alarmHistory)]
	n.say(t, alarmEnds, "name", a.name)
}

func (n *Node) endAlarms(t time.Time) {
	for len(n.alarms) > 0 {
		n.endAlarm(n.alarms[0], t)
	}
}

// activeAlarms are those of the nodes that n sees, by when they rose.
func (n *Node) activeAlarms(t time.Time) []*alarm {
	var out []*alarm
	for _, m := range n.visible(t) {
		out = append(out, m.alarms...)
	}
	slices.SortStableFunc(out, func(a, b *alarm) int {
		if d := a.from.Compare(b.from); d != 0 {
			return d
		}
		return strings.Compare(a.node, b.node)
	})
	return out
}
