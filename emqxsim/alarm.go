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
	to      time.Time // zero while it is active
}

// alarmText is the text of an alarm.
type alarmText struct {
	message string
	details map[string]any
}

// alarmHistory is how many past alarms are kept: the broker's default size_limit.
const alarmHistory = 1000

// RaiseAlarm raises an alarm on the node that lasts until ClearAlarm.
func (n *Node) RaiseAlarm(name, message string, details map[string]any) {
	n.set(func() {
		if n.raised == nil {
			n.raised = map[string]alarmText{}
		}
		n.raised[name] = alarmText{message, details}
	})
}

// ClearAlarm ends an alarm that RaiseAlarm raised.
func (n *Node) ClearAlarm(name string) { n.set(func() { delete(n.raised, name) }) }

// refreshAlarms raises and ends alarms according to their causes at t.
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
				n.alarms = append(n.alarms, &alarm{
					node: n.name, name: name, message: causes[name].message, details: causes[name].details, from: t,
				})
				n.logEvent(t, alarmRises, "message", causes[name].message, "name", name)
			}
		}
	}
}

// causes returns the alarms that there should be on a node now, by name.
func (c *Cluster) causes(n *Node, t time.Time) map[string]alarmText {
	out := maps.Clone(n.raised)
	if out == nil {
		out = map[string]alarmText{}
	}
	if !n.left {
		c.licenseCauses(n, t, out)
		for _, m := range c.members() {
			if m != n && m.up(t) && m.side != n.side && !c.waits(t) {
				out["partition"] = alarmText{"Partition occurs at node " + m.name, map[string]any{"occurred": m.name}}
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

// licenseCauses adds the alarms about the license. The one about the quota rises at the
// high watermark and ends below the low one.
func (c *Cluster) licenseCauses(n *Node, t time.Time, out map[string]alarmText) {
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
		out["license_quota"] = alarmText{message, map[string]any{"high_watermark": fmt.Sprint(set.high)}}
	}
	if l := c.db.license; !t.Before(l.warns()) {
		expiry := l.Expiry.Format(time.DateOnly)
		out["license_expiry"] = alarmText{"License will be expired at " + expiry, map[string]any{"expiry_at": expiry}}
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
	n.logEvent(t, alarmEnds, "name", a.name)
}

func (n *Node) endAlarms(t time.Time) {
	for len(n.alarms) > 0 {
		n.endAlarm(n.alarms[0], t)
	}
}

// activeAlarms returns the alarms of the nodes that n sees, in the order in which they
// rose.
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
