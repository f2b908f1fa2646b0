package emqxsim

import (
	"net/http"
	"slices"
	"time"
)

// Evacuating and rebalancing, from Enterprise 4.4.12 on. The status calls are
// the only ones whose answers have no envelope.

// evacuated is the answer to a call that began or ended something.
func evacuated4() answer { return asJSON(obj{"code": 0, "data": []any{}}) }

// refusedTo says why a call was not done, in the broker's word.
func refusedTo4(why string) answer { return code4(http.StatusBadRequest, why) }

func startEvacuation4(c *call4) answer {
	return c.evicting(func(m *Node, e eviction) answer {
		switch {
		case m.evac != nil || c.c.coordinating(m) != nil:
			return refusedTo4("already_started")
		case c.c.donating(m) != nil:
			return refusedTo4("eviction_agent_busy")
		}
		c.c.startEvacuation(m, e, c.now)
		return evacuated4()
	})
}

func stopEvacuation4(c *call4) answer {
	return c.onNode(func(m *Node) answer {
		if m.evac == nil {
			return refusedTo4("not_started")
		}
		m.stopEvacuation(c.now)
		return evacuated4()
	})
}

func startRebalance4(c *call4) answer {
	return c.evicting(func(m *Node, e eviction) answer {
		switch {
		case m.evac != nil || c.c.coordinating(m) != nil:
			return refusedTo4("already_started")
		case !c.c.startRebalance(m, e, c.now):
			return refusedTo4("nothing_to_balance")
		}
		return evacuated4()
	})
}

func stopRebalance4(c *call4) answer {
	return c.onNode(func(m *Node) answer {
		r := c.c.coordinating(m)
		if r == nil {
			return refusedTo4("not_started")
		}
		c.c.rebalances = slices.DeleteFunc(c.c.rebalances, func(o *rebalance) bool { return o == r })
		return evacuated4()
	})
}

// evicting reads the settings of an evacuation or a rebalance of the node that
// the path names. Waits are in seconds.
func (c *call4) evicting(begin func(*Node, eviction) answer) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	e := defaultEviction()
	if !has(c.n.version, sinceHealthWait4) {
		e.waitHealth = 0 // what came with 4.4.24
	}
	for name, field := range map[string]*int{
		"conn_evict_rate": &e.connRate, "sess_evict_rate": &e.sessRate, "abs_conn_threshold": &e.absConn, "abs_sess_threshold": &e.absSess,
	} {
		if v, given := in[name]; given && !positive4(v, field) {
			return refusedTo4("invalid_" + name)
		}
	}
	for name, field := range map[string]*time.Duration{"wait_takeover": &e.waitTakeover, "wait_health_check": &e.waitHealth} {
		var seconds int
		if v, given := in[name]; given {
			if !positive4(v, &seconds) {
				return refusedTo4("invalid_" + name)
			}
			*field = time.Duration(seconds) * time.Second
		}
	}
	for name, field := range map[string]*float64{"rel_conn_threshold": &e.relConn, "rel_sess_threshold": &e.relSess} {
		if v, ok := in[name].(float64); ok {
			*field = v
		}
	}
	for name, field := range map[string]*[]string{"migrate_to": &e.migrateTo, "nodes": &e.nodes} {
		names, _ := in[name].([]any)
		for _, n := range names {
			if c.member(text(n)) == nil {
				return refusedTo4("invalid_nodes")
			}
			*field = append(*field, text(n))
		}
	}
	return c.onNode(func(m *Node) answer { return begin(m, e) })
}

// positive4 takes a whole number above zero.
func positive4(v any, field *int) bool {
	n, ok := v.(float64)
	if !ok || n < 1 || n != float64(int(n)) {
		return false
	}
	*field = int(n)
	return true
}

// rebalanceStatus4 is of the node that answers alone.
func rebalanceStatus4(c *call4) answer {
	n := c.n
	if n.evac != nil {
		o := c.showEvacuation(n)
		o["status"], o["process"] = "enabled", "evacuation"
		return asJSON(o)
	}
	r := c.c.donating(n)
	if r == nil {
		return asJSON(obj{"status": "disabled"})
	}
	o := obj{
		"status": "enabled", "process": "rebalance", "state": r.state, "coordinator_node": r.coordinator.name,
		"connection_eviction_rate": r.connRate, "session_eviction_rate": r.sessRate, "recipients": nodeNames(r.recipients),
		"stats": obj{
			"initial_connected": r.initial[n][0], "initial_sessions": r.initial[n][1],
			"current_connected": c.c.live(n), "current_sessions": c.c.sessions(n), "current_disconnected_sessions": c.c.kept(n),
		},
	}
	return asJSON(o)
}

func (c *call4) showEvacuation(n *Node) obj {
	e := n.evac
	return obj{
		"state": e.state, "connection_eviction_rate": e.connRate, "session_eviction_rate": e.sessRate,
		"connection_goal": 0, "session_goal": 0, "session_recipients": nodeNames(c.c.recipients(n, e.migrateTo, c.now)),
		"stats": obj{
			"initial_connected": e.initialConns, "initial_sessions": e.initialSess,
			"current_connected": c.c.live(n), "current_sessions": e.counted(n),
		},
	}
}

// globalStatus4 is of all nodes.
func globalStatus4(c *call4) answer {
	evacuations, rebalances := []obj{}, []obj{}
	for _, n := range c.running() {
		if n.evac != nil {
			o := c.showEvacuation(n)
			o["node"] = n.name
			evacuations = append(evacuations, o)
		}
		if r := c.c.coordinating(n); r != nil {
			rebalances = append(rebalances, obj{
				"node": n.name, "coordinator_node": n.name, "state": r.state, "donors": nodeNames(r.donors),
				"recipients": nodeNames(r.recipients), "connection_eviction_rate": r.connRate, "session_eviction_rate": r.sessRate,
			})
		}
	}
	return asJSON(obj{"evacuations": evacuations, "rebalances": rebalances})
}

// available4 is the check that load balancers make. What is written beside the
// status is not recorded.
func available4(c *call4) answer {
	if !c.n.available(c.now) {
		return jsonWith(http.StatusServiceUnavailable, obj{})
	}
	return asJSON(obj{})
}
