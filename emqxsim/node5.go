package emqxsim

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"time"
)

func nodes5(q *request) answer {
	out := []obj{}
	for _, n := range q.n.visible(q.now) {
		if q.n.hangs(n, q.now) != nil {
			out = append(out, obj{"node": n.name, "node_status": "unknown", "role": n.role}) // its form is not recorded
			continue
		}
		out = append(out, node5(q, n))
	}
	for _, n := range q.n.peers() {
		if !q.n.sees(n, q.now) && n.role == "core" {
			out = append(out, obj{"node": n.name, "node_status": "stopped", "role": "core"})
		}
	}
	return asJSON(out)
}

// sum adds up a figure over the nodes that run.
func (q *request) sum(figure func(*Node) int) int {
	total := 0
	for _, n := range q.n.visible(q.now) {
		total += figure(n)
	}
	return total
}

func (q *request) edition(version string) string {
	if q.c.licensed(version) {
		return "Enterprise"
	}
	return "Opensource"
}

func node5(q *request, n *Node) obj {
	return obj{
		"node": n.name, "node_status": "running", "role": n.role, "version": n.version, "edition": q.edition(n.version),
		"otp_release": otpRelease, "uptime": n.uptime(q.now).Milliseconds(),
		"connections": q.c.sessions(n), "live_connections": q.c.live(n), "cluster_sessions": q.sum(q.c.sessions),
		"load1": 0.52, "load5": 0.4, "load15": 0.33, "max_fds": maxFds,
		"memory_total": memoryTotal, "memory_used": memoryUsed, "process_available": 2097152, "process_used": 707,
		"log_path": logPath(q), "sys_path": "/opt/emqx",
	}
}

// logPath returns the directory of the log, or a text if no file is written, which is not
// recorded.
func logPath(q *request) string {
	log, _ := asObject(q.config()["log"])
	file, _ := asObject(log["file"])
	handler, _ := asObject(file["default"])
	if !handler.flag("enable", true) {
		return "log.file.default.enable is false, not logging to file."
	}
	return "/opt/emqx/log"
}

// status5 needs no credentials.
func status5(q *request) answer {
	status, broker, app := http.StatusOK, "started", "running"
	ready := q.n.booted(q.now)
	if !ready {
		status, broker, app = http.StatusServiceUnavailable, "stopped", "not_running"
	}
	a := asText(status, q.n.statusText(ready))
	if q.URL.Query().Get("format") == "json" {
		prefix := "e"
		if q.c.cfg.Edition == OpenSource {
			prefix = "v"
		}
		a = jsonWith(status, fields(q.n.version,
			field{key: "node_name", value: q.n.name},
			field{key: "broker_status", value: broker},
			field{key: "app_status", value: app},
			field{key: "rel_vsn", until: sinceNoRelVsn, value: prefix + q.n.version},
			field{key: "cluster", since: "5.9.0", value: clusterName},
		))
		if !has(q.n.version, "5.7.0") {
			a.contentType = "applicatin/json" // the broker's spelling
		}
	}
	a.header = [2]string{"Retry-After", "15"}
	return a
}

const clusterName = "emqxcl"

func cluster5(q *request) answer {
	return asJSON(fields(q.n.version,
		field{key: "name", value: clusterName}, field{key: "description", since: "6.0.0", value: ""},
		field{key: "nodes", value: nodeNames(q.n.visible(q.now))}, field{key: "self", value: q.n.name},
	))
}

// topology5 lists the replicants of each core, the last by name first.
func topology5(q *request) answer {
	cores, replicants := []obj{}, []obj{}
	for _, n := range q.n.visible(q.now) {
		if n.role == "replicant" {
			replicants = append(replicants, obj{"node": n.name, "streams": 9})
		}
	}
	seen := q.n.visible(q.now)
	slices.Reverse(seen)
	for _, n := range seen {
		if n.role != "replicant" {
			cores = append(cores, obj{"core_node": n.name, "replicant_nodes": replicants})
		}
	}
	return asJSON(cores)
}

// leastInvite is the shortest timeout of an invitation, in milliseconds.
const leastInvite = 5000

func invite5(q *request) answer {
	in, bad := q.optional("root.", []input{{name: "timeout"}, {name: ""}})
	if bad != nil {
		return *bad
	}
	switch wait, given := in["timeout"]; {
	case given && !isInteger(wait):
		return bad5("timeout must be an integer")
	case given && wait.(float64) < leastInvite:
		return bad5("timeout cannot be less than 5000ms")
	case !strings.Contains(q.params["node"], "@"):
		return bad5("Bad node name")
	}
	if why := q.c.invite(q.n, q.params["node"], q.now); why != "" {
		return bad5(why)
	}
	return empty(http.StatusOK)
}

// inviteAsync5 answers before the result of the invitation is known.
func inviteAsync5(q *request) answer {
	name := q.params["node"]
	if name == q.n.name {
		return bad5("Cannot invite self")
	}
	in := invitation{node: name, started: q.now, finished: q.now}
	in.failed = q.c.invite(q.n, name, q.now)
	q.db.invites = slices.DeleteFunc(q.db.invites, func(o invitation) bool { return o.node == name })
	q.db.invites = append(q.db.invites, in)
	return empty(http.StatusOK)
}

// invitation5 lists invitations. The form of a failed one is not recorded.
func invitation5(q *request) answer {
	succeed, failed := []obj{}, []obj{}
	for _, in := range q.db.invites {
		o := obj{"node": in.node, "started_at": rfc3339(in.started), "finished_at": rfc3339(in.finished)}
		if in.failed == "" {
			succeed = append(succeed, o)
			continue
		}
		o["reason"] = in.failed
		failed = append(failed, o)
	}
	return asJSON(obj{"succeed": succeed, "in_progress": []obj{}, "failed": failed})
}

func forceLeave5(q *request) answer {
	if why := q.c.forceLeave(q.n, q.params["node"], q.now); why != "" {
		return bad5(why)
	}
	return empty(http.StatusNoContent)
}

// nodeStats returns the gauges of a node with their peaks.
func nodeStats(q *request, n *Node) obj {
	tr := &n.traffic
	sessions, subs, shared := q.c.sessions(n), q.c.subscriptions(n), q.sum(q.c.shared)
	o := obj{}
	for name, v := range map[string][2]int{
		"channels": {sessions, tr.peakSessions}, "connections": {sessions, tr.peakSessions},
		"sessions": {sessions, tr.peakSessions}, "live_connections": {q.c.live(n), tr.peakLive},
		"cluster_sessions": {q.sum(q.c.sessions), tr.peakAll}, "topics": {q.c.topics(), tr.peakTopics},
		"subscriptions": {subs, tr.peakSubs}, "subscribers": {subs, tr.peakSubs}, "suboptions": {subs, tr.peakSubs},
		"subscriptions.shared": {shared, shared}, "retained": {0, 0}, "delayed": {0, 0},
	} {
		o[name+".count"], o[name+".max"] = v[0], max(v[0], v[1])
	}
	return o
}

func stats5(q *request) answer { return perNode(q, nodeStats, sharedStats) }

// sharedStats are figures of the whole cluster that each node reports, so that a sum counts
// them once. cluster_sessions is added up nevertheless, as recorded.
var sharedStats = []string{
	"topics.count", "topics.max", "retained.count", "retained.max",
	"subscriptions.shared.count", "subscriptions.shared.max",
}

// perNode lists the figures of the nodes, or adds them up to one object.
func perNode(q *request, show func(*request, *Node) obj, once []string) answer {
	list, total := []obj{}, obj{}
	nodes := q.n.visible(q.now)
	slices.Reverse(nodes)
	for _, n := range nodes {
		if only := q.URL.Query().Get("node"); only != "" && only != n.name {
			continue
		}
		o := show(q, n)
		for k, v := range o {
			sum, _ := total[k].(int)
			if slices.Contains(once, k) {
				total[k] = max(sum, v.(int))
			} else {
				total[k] = sum + v.(int)
			}
		}
		o["node"] = n.name
		list = append(list, o)
	}
	switch given := q.URL.Query().Get("aggregate"); given {
	case "", "false":
		return asJSON(list)
	case "true":
		return asJSON(total)
	default:
		return invalid(given, "boolean()", "aggregate")
	}
}

//go:embed keys/metrics5.txt
var metricNames5 string

// nodeMetrics returns the counters since the node's start.
func nodeMetrics(q *request, n *Node) obj {
	o := obj{}
	for name := range strings.FieldsSeq(metricNames5) {
		o[name] = 0
	}
	for name, v := range n.counters(q.now) {
		if _, there := o[name]; there {
			o[name] = v
		}
	}
	return o
}

// counters returns those counters that are simulated. Every message is one packet each way;
// a connection is one packet and its answer.
func (n *Node) counters(t time.Time) map[string]int {
	tr := &n.traffic
	in, out, dropped := tr.received.at(t), tr.sent.at(t), tr.dropped.at(t)
	return map[string]int{
		"messages.received": in, "messages.sent": out, "messages.publish": in, "messages.delivered": out,
		"messages.dropped": dropped, "messages.dropped.no_subscribers": dropped,
		"messages.qos0.received": tr.qosIn[0].at(t), "messages.qos1.received": tr.qosIn[1].at(t),
		"messages.qos2.received": tr.qosIn[2].at(t),
		"messages.qos0.sent":     tr.qosOut[0].at(t), "messages.qos1.sent": tr.qosOut[1].at(t),
		"messages.qos2.sent":       tr.qosOut[2].at(t),
		"packets.publish.received": in, "packets.publish.sent": out,
		"packets.received": in + tr.connected + tr.disconnected, "packets.sent": out + tr.connected,
		"packets.connect.received": tr.connected, "packets.connack.sent": tr.connected, "packets.connect": tr.connected,
		"bytes.received": tr.bytesIn.at(t) + connectBytes*tr.connected, "bytes.sent": tr.bytesOut.at(t) +
			connackBytes*tr.connected,
		"client.connect": tr.connected, "client.connack": tr.connected, "client.connected": tr.connected,
		"client.authenticate": tr.connected, "client.auth.anonymous": tr.connected,
		"client.disconnected":    tr.disconnected,
		"authentication.success": tr.connected, "authentication.success.anonymous": tr.connected,
		"session.created": tr.sessions, "session.resumed": tr.resumed + tr.takenover, "session.takenover": tr.takenover,
	}
}

// The lengths of a CONNECT and its answer, roughly.
const (
	connectBytes = 32
	connackBytes = 4
)

func metrics5(q *request) answer { return perNode(q, nodeMetrics, nil) }
