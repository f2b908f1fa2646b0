package emqxsim

import (
	"net/http"
	"time"
)

// EMQX Enterprise can evacuate nodes from 4.4.12 on. It can rebalance a cluster,
// too, which is not simulated. The status calls are the only ones whose answers have
// no envelope.

// evacuated4 is the answer to a call that started or stopped an evacuation.
func evacuated4() answer { return asJSON(obj{"code": 0, "data": []any{}}) }

// refusedTo4 refuses such a call, with the broker's word for the reason.
func refusedTo4(why string) answer { return code4(http.StatusBadRequest, why) }

// startEvacuation4 starts the evacuation of the node that the path names. Waits are
// in seconds.
func startEvacuation4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	e := defaultEviction()
	if !has(c.n.version, sinceHealthWait4) {
		e.waitHealth = 0
	}
	var wait, health int
	for name, field := range map[string]*int{
		"conn_evict_rate": &e.connRate, "sess_evict_rate": &e.sessRate, "wait_takeover": &wait,
		"wait_health_check": &health,
	} {
		if v, given := in[name]; given && !positive4(v, field) {
			return refusedTo4("invalid_" + name)
		}
	}
	if wait > 0 {
		e.waitTakeover = time.Duration(wait) * time.Second
	}
	if health > 0 {
		e.waitHealth = time.Duration(health) * time.Second
	}
	names, _ := in["migrate_to"].([]any)
	for _, n := range names {
		if c.member(text(n)) == nil {
			return refusedTo4("invalid_nodes")
		}
		e.migrateTo = append(e.migrateTo, text(n))
	}
	return c.onNode(func(m *Node) answer {
		if m.evac != nil {
			return refusedTo4("already_started")
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

// positive4 stores a whole number above zero in field, and reports whether v is one.
func positive4(v any, field *int) bool {
	n, ok := v.(float64)
	if !ok || n < 1 || n != float64(int(n)) {
		return false
	}
	*field = int(n)
	return true
}

// evacuationStatus4 is about the node that answers, and no other.
func evacuationStatus4(c *call4) answer {
	if c.n.evac == nil {
		return asJSON(obj{"status": "disabled"})
	}
	o := c.n.evac.show(c.n, c.now)
	o["status"], o["process"] = "enabled", "evacuation"
	return asJSON(o)
}

// evacuations4 lists the evacuations of all nodes that run.
func evacuations4(c *call4) answer {
	return asJSON(obj{"evacuations": showEvacuations(c.running(), c.now), "rebalances": []obj{}})
}

// available4 is the check that load balancers make. The body is not recorded.
func available4(c *call4) answer {
	if !c.n.available(c.now) {
		return jsonWith(http.StatusServiceUnavailable, obj{})
	}
	return asJSON(obj{})
}
