package emqxsim

import "slices"

// Times of alarms are in microseconds. Each node lists its own alarms.

// alarmFilter4 says which alarms a call is about.
type alarmFilter4 struct{ active, past bool }

// alarms4 lists the alarms of every node that runs.
func alarms4(w alarmFilter4) func(c *call4) answer {
	return func(c *call4) answer {
		return data4(c.each(func(m *Node) obj { return obj{"node": m.name, "alarms": c.alarms(m, w)} }))
	}
}

func nodeAlarms4(w alarmFilter4) func(c *call4) answer {
	return func(c *call4) answer {
		return c.onNode(func(m *Node) answer { return data4(c.alarms(m, w)) })
	}
}

func (c *call4) alarms(n *Node, w alarmFilter4) []obj {
	list := []obj{}
	if w.active {
		for _, a := range n.alarms {
			list = append(list, c.showAlarm(a))
		}
	}
	for _, a := range c.db.history {
		if w.past && a.node == n.name {
			list = append(list, c.showAlarm(a))
		}
	}
	return list
}

func (c *call4) showAlarm(a *alarm) obj {
	o := obj{
		"name": a.name, "message": a.message, "details": a.details, "activate_at": a.from.UnixMicro(),
		"activated": true, "deactivate_at": "infinity", "duration": c.now.Sub(a.from).Microseconds(),
	}
	if !a.to.IsZero() {
		o["activated"], o["deactivate_at"], o["duration"] = false, a.to.UnixMicro(), a.to.Sub(a.from).Microseconds()
	}
	return o
}

// deactivateAlarm4 ends an alarm. It rises again if its cause lasts.
func deactivateAlarm4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	if in["node"] == nil || in["name"] == nil {
		return crashed4()
	}
	n := c.member(text(in["node"]))
	if n == nil || !c.n.sees(n, c.now) {
		return message4("not_found")
	}
	i := slices.IndexFunc(n.alarms, func(a *alarm) bool { return a.name == text(in["name"]) })
	if i < 0 {
		return message4("not_found")
	}
	delete(n.raised, n.alarms[i].name)
	n.endAlarm(n.alarms[i], c.now)
	return done4()
}

// clearAlarms4 removes the past alarms.
func clearAlarms4(c *call4) answer {
	c.db.history = nil
	return done4()
}
