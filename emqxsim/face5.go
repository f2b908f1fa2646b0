package emqxsim

import (
	"net/http"
	"strings"
)

// EMQX 5 answers errors with their status and {code, message}. A core node
// that is down is listed with three fields; asked for by name it is unknown.

const base5 = "/api/v5"

var routes5 = []oldRoute{
	{path: "/status", answer: status5, open: always},
	{path: "/load_rebalance/availability_check", answer: available5, open: always},
	{path: "/nodes", answer: func(v view, _ *http.Request, _ string) answer { return asJSON(nodes5(v)) }},
	{path: "/nodes/{node}", answer: ofNode5(node5)},
	{path: "/nodes/{node}/stats", answer: ofNode5(stats5)},
	{path: "/stats", answer: allStats5},
	{path: "/cluster", answer: cluster5},
	{path: "/cluster/topology", answer: topology5},
	{path: "/monitor_current", answer: monitor5},
	{path: "/monitor_current/nodes/{node}", answer: ofNode5(nodeMonitor5)},
	{path: "/license", answer: licence5},
}

func respond5(v view, r *http.Request) answer {
	path, ok := strings.CutPrefix(r.URL.Path, base5)
	if r.URL.Path == "/status" {
		path, ok = r.URL.Path, true
	}
	call, node, found := oldMatch(routes5, path)
	switch {
	case !ok || !found:
		return unknownPath5(r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return answer{status: http.StatusMethodNotAllowed}
	case call.open != nil && call.open(v) || v.authorised(r):
		return call.answer(v, r, node)
	}
	return unauthorised5(r)
}

// unknownPath5 is JSON for those who ask for it only.
func unknownPath5(r *http.Request) answer {
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return fail5(http.StatusNotFound, "NOT_FOUND", "Request Path Not Found")
	}
	return answer{
		status: http.StatusNotFound, contentType: "text/html",
		body: "<html><head><title>404 - NOT FOUND</title></head><body><h1>404 - NOT FOUND</h1></body></html>",
	}
}

func unauthorised5(r *http.Request) answer {
	realm := [2]string{"WWW-Authenticate", `Basic Realm="emqx-dashboard"`}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	var a answer
	switch strings.ToLower(scheme) {
	case "bearer":
		return fail5(http.StatusUnauthorized, "BAD_TOKEN", "Get a token by POST /login")
	case "basic":
		a = fail5(http.StatusUnauthorized, "BAD_API_KEY_OR_SECRET", "Check api_key/api_secret")
	default:
		a = fail5(http.StatusUnauthorized, "AUTHORIZATION_HEADER_ERROR", "Support authorization: basic/bearer ")
	}
	a.header = realm
	return a
}

func fail5(status int, code, message string) answer {
	return jsonWith(status, obj{"code": code, "message": message})
}

func ofNode5(show func(view, member) obj) func(view, *http.Request, string) answer {
	return func(v view, _ *http.Request, name string) answer {
		m, ok := v.find(name)
		if !ok || !m.running {
			return fail5(http.StatusNotFound, "NOT_FOUND", "Node not found: "+name)
		}
		return asJSON(show(v, m))
	}
}

func nodes5(v view) []obj {
	out := []obj{}
	for _, m := range v.running() {
		out = append(out, node5(v, m))
	}
	for _, m := range v.stopped() {
		out = append(out, obj{"node": m.name, "node_status": "stopped", "role": "core"})
	}
	return out
}

func node5(v view, m member) obj {
	return obj{
		"node": m.name, "node_status": "running", "role": "core", "version": m.version, "edition": "Enterprise",
		"otp_release": otpRelease, "uptime": max(v.now.Sub(m.started).Milliseconds(), 0),
		"connections": m.connections, "live_connections": m.live, "cluster_sessions": v.sum(sessions),
		"load1": 0.52, "load5": 0.4, "load15": 0.33, "max_fds": maxFds,
		"memory_total": memoryTotal, "memory_used": memoryUsed, "process_available": 2097152, "process_used": 707,
		"log_path": "/opt/emqx/log", "sys_path": "/opt/emqx",
	}
}

var gauges5 = map[string]func(member) int{
	"channels": sessions, "connections": sessions, "live_connections": live, "sessions": sessions,
	"topics": nothing, "subscriptions": nothing, "subscriptions.shared": nothing, "subscribers": nothing,
	"suboptions": nothing, "retained": nothing, "delayed": nothing,
}

func stats5(v view, m member) obj {
	o := gauges(gauges5, m)
	o["cluster_sessions.count"], o["cluster_sessions.max"] = v.sum(sessions), v.sum(sessions)
	return o
}

// allStats5 lists the nodes, or adds them up: that is then one object.
func allStats5(v view, r *http.Request, _ string) answer {
	list := []obj{}
	total := obj{}
	for _, m := range v.running() {
		o := stats5(v, m)
		for k, n := range o {
			sum, _ := total[k].(int)
			total[k] = sum + n.(int)
		}
		o["node"] = m.name
		list = append(list, o)
	}
	if r.URL.Query().Get("aggregate") == "true" {
		return asJSON(total)
	}
	return asJSON(list)
}

func cluster5(v view, _ *http.Request, _ string) answer {
	names := []string{}
	for _, m := range v.running() {
		names = append(names, m.name)
	}
	return asJSON(obj{"name": "emqxcl", "nodes": names, "self": v.self})
}

func topology5(v view, _ *http.Request, _ string) answer {
	out := []obj{}
	for _, m := range v.running() {
		out = append(out, obj{"core_node": m.name, "replicant_nodes": []string{}})
	}
	return asJSON(out)
}

// rates5 are the figures of both forms of monitor_current that stay zero while
// nothing is published.
func rates5() obj {
	o := obj{}
	for _, k := range []string{
		"dropped_msg_rate", "persisted_rate", "received_msg_rate", "sent_msg_rate", "retained_msg_count",
		"shared_subscriptions", "subscriptions", "topics", "transformation_failed_rate",
		"transformation_succeeded_rate", "validation_failed_rate", "validation_succeeded_rate",
	} {
		o[k] = 0
	}
	return o
}

func monitor5(v view, _ *http.Request, _ string) answer {
	o := rates5()
	o["connections"], o["live_connections"], o["license_quota"] = v.sum(sessions), v.sum(live), v.limit
	o["disconnected_durable_sessions"], o["subscriptions_durable"], o["subscriptions_ram"] = 0, 0, 0
	return asJSON(o)
}

func nodeMonitor5(v view, m member) obj {
	o := rates5()
	o["connections"], o["live_connections"], o["license_quota"] = m.connections, m.live, v.limit
	o["node_uptime"] = max(v.now.Sub(m.started).Milliseconds(), 0)
	return o
}

// licence5 is the one a broker comes with; from 5.8.5 it counts sessions.
func licence5(v view, _ *http.Request, _ string) answer {
	o := obj{
		"customer": "Evaluation", "customer_type": 10, "deployment": "trial", "email": "contact@emqx.io",
		"expiry": false, "expiry_at": "2029-04-17", "max_connections": v.limit, "start_at": "2024-04-18", "type": "trial",
	}
	if atLeast(v.version, 5, 8, 5) {
		o["max_sessions"] = v.limit
	}
	return asJSON(o)
}

// status5 needs no credentials. The version left it in 5.8.11 and the later
// lines' patches; the cluster's name came in 5.9.
func status5(v view, r *http.Request, _ string) answer {
	status, broker, app := http.StatusOK, "started", "running"
	if !v.ready {
		status, broker, app = http.StatusServiceUnavailable, "stopped", "not_running"
	}
	a := asText(status, v.statusText())
	if r.URL.Query().Get("format") == "json" {
		o := obj{"node_name": v.self, "broker_status": broker, "app_status": app}
		if !atLeast(v.version, 5, 8, 11) {
			o["rel_vsn"] = "e" + v.version
		}
		if atLeast(v.version, 5, 9, 0) {
			o["cluster"] = "emqxcl"
		}
		a = jsonWith(status, o)
	}
	a.header = [2]string{"Retry-After", "15"}
	return a
}

func available5(v view, _ *http.Request, _ string) answer {
	if !v.ready {
		return fail5(http.StatusServiceUnavailable, "NODE_EVACUATING", "Node Evacuating")
	}
	return asJSON(obj{})
}
