package emqxsim

import (
	"net/http"
	"slices"
)

var evacuationBody = []input{
	{name: "wait_health_check", expected: "timeout_duration_s()", ok: isDuration},
	{name: "wait_takeover", expected: "timeout_duration_s()", ok: isDuration},
	{name: "conn_evict_rate", expected: "pos_integer()", ok: isPositive},
	{name: "sess_evict_rate", expected: "pos_integer()", ok: isPositive},
	{name: "migrate_to", expected: "array()", ok: isNames}, {name: "redirect_to", expected: "binary()", ok: isString},
	{name: "conn_evict_rpc_timeout", expected: "timeout_duration()", ok: isDuration}, {name: "sess_evict_rpc_timeout",
		expected: "timeout_duration()", ok: isDuration},
}

var rebalanceBody = append(slices.Clone(evacuationBody[:4]),
	input{name: "nodes", expected: "array()", ok: isNames},
	input{name: "abs_conn_threshold", expected: "pos_integer()", ok: isPositive}, input{
		name: "rel_conn_threshold", expected: "number()", ok: isNumberOverOne,
	},
	input{name: "abs_sess_threshold", expected: "pos_integer()", ok: isPositive}, input{
		name: "rel_sess_threshold", expected: "number()", ok: isNumberOverOne,
	},
)

// evictionOf reads the settings from a body over the defaults.
func evictionOf(in obj) eviction {
	e := defaultEviction()
	e.connRate, e.sessRate = in.number("conn_evict_rate", e.connRate), in.number("sess_evict_rate", e.sessRate)
	e.absConn, e.absSess = in.number("abs_conn_threshold", e.absConn), in.number("abs_sess_threshold", e.absSess)
	if d, ok := durationOf(in["wait_health_check"]); ok {
		e.waitHealth = d
	}
	if d, ok := durationOf(in["wait_takeover"]); ok {
		e.waitTakeover = d
	}
	if f, ok := in["rel_conn_threshold"].(float64); ok {
		e.relConn = f
	}
	if f, ok := in["rel_sess_threshold"].(float64); ok {
		e.relSess = f
	}
	e.migrateTo, e.nodes = in.names("migrate_to"), in.names("nodes")
	return e
}

func onNode5(n *Node, why string) answer { return bad5("error on node '" + n.name + "': " + why) }

// target returns the node in the path with the settings in the body.
func (q *request) target(spec []input) (n *Node, e eviction, bad *answer) {
	in, bad := q.optional("root.", spec)
	if bad != nil {
		return nil, e, bad
	}
	if n = q.node(); n == nil {
		a := q.unknownNode()
		return nil, e, &a
	}
	e = evictionOf(in)
	seen := nodeNames(q.n.visible(q.now))
	unknown := slices.DeleteFunc(slices.Concat(e.migrateTo, e.nodes),
		func(s string) bool { return slices.Contains(seen, s) })
	if len(unknown) > 0 {
		a := bad5("Invalid nodes: " + erlangList(unknown))
		return nil, e, &a
	}
	return n, e, nil
}

func startEvacuation5(q *request) answer {
	n, e, bad := q.target(evacuationBody)
	switch {
	case bad != nil:
		return *bad
	case n.evac != nil:
		return onNode5(n, "already_started")
	case q.c.donating(n) != nil || q.c.coordinating(n) != nil:
		return onNode5(n, "eviction_agent_busy")
	}
	q.c.startEvacuation(n, e, q.now)
	return asJSON(obj{})
}

func stopEvacuation5(q *request) answer {
	n := q.node()
	switch {
	case n == nil:
		return q.unknownNode()
	case n.evac == nil:
		return onNode5(n, "not_started")
	}
	n.stopEvacuation(q.now)
	return asJSON(obj{})
}

func startRebalance5(q *request) answer {
	n, e, bad := q.target(rebalanceBody)
	switch {
	case bad != nil:
		return *bad
	case q.c.coordinating(n) != nil:
		return onNode5(n, "already_started")
	case n.evac != nil:
		return onNode5(n, "eviction_agent_busy") // not recorded
	case !q.c.startRebalance(n, e, q.now):
		return onNode5(n, "nothing_to_balance")
	}
	return asJSON(obj{})
}

func stopRebalance5(q *request) answer {
	n := q.node()
	if n == nil {
		return q.unknownNode()
	}
	r := q.c.coordinating(n)
	if r == nil {
		return onNode5(n, "not_started")
	}
	q.c.rebalances = slices.DeleteFunc(q.c.rebalances, func(o *rebalance) bool { return o == r })
	return asJSON(obj{})
}

// show returns a rebalance as both status calls have it.
func (r *rebalance) show(q *request) obj {
	o := obj{
		"state": r.state, "connection_eviction_rate": r.connRate, "session_eviction_rate": r.sessRate,
		"coordinator_node": r.coordinator.name, "recipients": nodeNames(r.recipients),
	}
	switch r.state {
	case evictingConns:
		o["connection_goal"] = int(average(r.recipients, q.c.live))
	case evictingSessions: // not recorded
		o["session_goal"] = int(average(r.recipients, q.c.kept))
	}
	return o
}

func rebalanceStatus5(q *request) answer {
	o := obj{"status": "disabled"}
	if e := q.n.evac; e != nil {
		o = e.show(q.n, q.now)
		o["status"], o["process"] = "enabled", "evacuation"
		return asJSON(o)
	}
	r := q.c.donating(q.n)
	if r == nil {
		r = q.c.coordinating(q.n)
	}
	if r != nil {
		o = r.show(q)
		at := r.initial[q.n]
		o["status"], o["process"] = "enabled", "rebalance"
		o["stats"] = obj{
			"initial_connected": at[0], "initial_sessions": at[1],
			"current_connected": q.c.live(q.n), "current_sessions": q.c.sessions(q.n),
			"current_disconnected_sessions": q.c.kept(q.n),
		}
	}
	return asJSON(o)
}

func globalRebalance5(q *request) answer {
	rebalances := []obj{}
	for _, r := range q.c.rebalances {
		o := r.show(q)
		o["node"], o["donors"] = r.coordinator.name, nodeNames(r.donors)
		if r.state == evictingConns {
			o["donor_conn_avg"] = int(average(r.donors, q.c.live))
		}
		rebalances = append(rebalances, o)
	}
	return asJSON(obj{
		"evacuations": showEvacuations(q.n.visible(q.now), q.now), "rebalances": rebalances, "purges": []obj{},
	})
}

func availability5(q *request) answer {
	if !q.n.available(q.now) {
		return fail5(http.StatusServiceUnavailable, "NODE_EVACUATING", "Node Evacuating")
	}
	return asJSON(obj{})
}

func evictionStatus5(q *request) answer {
	if q.n.evac == nil && q.c.donating(q.n) == nil {
		return asJSON(obj{"status": "disabled"})
	}
	return asJSON(obj{"status": "enabled", "stats": obj{"connections": q.c.live(q.n), "sessions": q.c.sessions(q.n)}})
}
