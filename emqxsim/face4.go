package emqxsim

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// EMQX 4.4 answers business errors with 200, unknown calls with text, and
// calls outside its prefixes with nothing at all. A member that is down is not
// listed; asked for by name it gives "nodedown".

const base4 = "/api/v4"

var routes4 = []oldRoute{
	{path: "/nodes", answer: wrapped(func(v view) any { return each(v, node4) })},
	{path: "/nodes/{node}", answer: ofNode4(node4, obj{"error": "nodedown"})},
	{path: "/nodes/{node}/stats", answer: ofNode4(stats4, nil)},
	{path: "/nodes/{node}/metrics", answer: ofNode4(metrics4, nil)},
	{path: "/brokers", answer: wrapped(func(v view) any { return each(v, broker4) })},
	{path: "/brokers/{node}", answer: ofNode4(broker4, obj{"error": "nodedown"})},
	{path: "/stats", answer: wrapped(func(v view) any { return each(v, named("stats", stats4)) })},
	{path: "/metrics", answer: wrapped(func(v view) any { return each(v, named("metrics", metrics4)) })},
	{path: "/load_rebalance/availability_check", answer: available4,
		open: func(v view) bool { return atLeast(v.version, 4, 4, 24) }},
}

func respond4(v view, r *http.Request) answer {
	if r.URL.Path == "/status" {
		if !v.ready {
			return asText(http.StatusServiceUnavailable, v.statusText())
		}
		return asText(http.StatusOK, v.statusText())
	}
	path, ok := strings.CutPrefix(r.URL.Path, base4)
	if !ok || path != "" && path[0] != '/' {
		return answer{status: http.StatusNotFound}
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	call, node, found := oldMatch(routes4, path)
	if found && call.open != nil && call.open(v) {
		return call.answer(v, r, node)
	}
	if !v.authorised(r) {
		return answer{
			status: http.StatusUnauthorized, body: "UNAUTHORIZED",
			header: [2]string{"WWW-Authenticate", `Basic Realm="minirest-server"`},
		}
	}
	if !found || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notFound4()
	}
	return call.answer(v, r, node)
}

func notFound4() answer { return asText(http.StatusNotFound, "Not found.") }

// wrapped answers with data in the envelope of a success.
func wrapped(data func(v view) any) func(view, *http.Request, string) answer {
	return func(v view, _ *http.Request, _ string) answer { return asJSON(obj{"code": 0, "data": data(v)}) }
}

// each makes a list of the members that run, the node that answers last.
func each(v view, show func(view, member) obj) []obj {
	out := []obj{}
	var self []obj
	for _, m := range v.running() {
		if m.name == v.self {
			self = append(self, show(v, m))
			continue
		}
		out = append(out, show(v, m))
	}
	return append(out, self...)
}

// named puts a node's figures under a key, beside its name.
func named(key string, show func(view, member) obj) func(view, member) obj {
	return func(v view, m member) obj { return obj{"node": m.name, key: show(v, m)} }
}

// ofNode4 answers for one node. down is what is said, beside its name, of a
// member that does not run; nil = a message without code.
func ofNode4(show func(view, member) obj, down obj) func(view, *http.Request, string) answer {
	return func(v view, _ *http.Request, name string) answer {
		m, ok := v.find(name)
		switch {
		case !ok:
			return notFound4()
		case m.running:
			return asJSON(obj{"code": 0, "data": show(v, m)})
		case down == nil:
			return asJSON(obj{"message": "nodedown"})
		}
		data := obj{"node": m.name}
		for k, value := range down {
			data[k] = value
		}
		return asJSON(obj{"code": 0, "data": data})
	}
}

func node4(v view, m member) obj {
	o := obj{
		"node": m.name, "node_status": "Running", "version": m.version, "otp_release": otpRelease,
		"uptime": uptimeWords(v.now.Sub(m.started)), "connections": m.connections,
		"load1": "0.52", "load5": "0.40", "load15": "0.33", "max_fds": maxFds,
		"memory_total": memoryTotal, "memory_used": memoryUsed, "process_available": 262144, "process_used": 306,
	}
	if atLeast(m.version, 4, 4, 19) {
		o["live_connections"] = m.live
	}
	return o
}

func broker4(v view, m member) obj {
	return obj{
		"node": m.name, "node_status": "Running", "version": m.version, "otp_release": otpRelease,
		"sysdescr": "EMQX Enterprise", // no recording has the Enterprise edition's words
		"uptime":   uptimeWords(v.now.Sub(m.started)), "datetime": v.now.UTC().Format(time.DateTime),
	}
}

// uptimeWords says a duration as EMQX 4 does: "2 days, 0 hours, 4 minutes, 28
// seconds", leading zeros left out.
func uptimeWords(d time.Duration) string {
	seconds := max(int(d/time.Second), 0)
	parts := []struct {
		n    int
		unit string
	}{
		{seconds / 86400, "days"}, {seconds / 3600 % 24, "hours"}, {seconds / 60 % 60, "minutes"}, {seconds % 60, "seconds"},
	}
	for len(parts) > 1 && parts[0].n == 0 {
		parts = parts[1:]
	}
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = fmt.Sprintf("%d %s", p.n, p.unit)
	}
	return strings.Join(words, ", ")
}

// gauges4 are the figures of /stats; each has its highest value beside it.
var gauges4 = map[string]func(member) int{
	"channels": sessions, "connections": sessions, "live_connections": live, "sessions": sessions,
	"topics": nothing, "routes": nothing, "subscriptions": nothing, "subscriptions.shared": nothing,
	"subscribers": nothing, "suboptions": nothing, "retained": nothing,
}

func sessions(m member) int { return m.connections }
func live(m member) int     { return m.live }
func nothing(member) int    { return 0 }

func stats4(_ view, m member) obj { return gauges(gauges4, m) }

func gauges(table map[string]func(member) int, m member) obj {
	o := obj{}
	for name, figure := range table {
		o[name+".count"], o[name+".max"] = figure(m), figure(m)
	}
	return o
}

//go:embed keys/metrics4.txt
var metricNames4 string

// metrics4 are the counters since the node's start. Nothing is ever sent here.
func metrics4(view, member) obj {
	o := obj{}
	for name := range strings.FieldsSeq(metricNames4) {
		o[name] = 0
	}
	return o
}

// available4 is the check that load balancers make. What an Enterprise node
// writes beside the status is not recorded.
func available4(v view, _ *http.Request, _ string) answer {
	if !v.ready {
		return jsonWith(http.StatusServiceUnavailable, obj{})
	}
	return asJSON(obj{})
}
