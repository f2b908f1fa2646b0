package emqxsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// limitOf formats a number of connections.
func limitOf(n int) any {
	if n == 0 {
		return "infinity"
	}
	return n
}

// state is the state of a listener over all nodes, and on each.
func (l *listener) state(q *request) (all obj, each []obj) {
	each = []obj{}
	running, current, sum, limited := []any{}, 0, 0, true
	for _, n := range q.n.visible(q.now) {
		k := q.c.through(l.id, n)
		current += k
		if on := any(l.running(n)); !slices.Contains(running, on) {
			running = append(running, on)
		}
		each = append(each, obj{"node": n.name, "status": obj{
			"running": l.running(n), "current_connections": k, "max_connections": limitOf(l.limit(n)),
		}})
		sum, limited = sum+l.limit(n), limited && l.limit(n) > 0
	}
	total := limitOf(sum) // the broker adds the limits up
	if !limited {
		total = limitOf(0)
	}
	all = obj{"running": inconsistent, "current_connections": current, "max_connections": total}
	if len(running) == 1 {
		all["running"] = running[0]
	}
	return all, each
}

func listeners5(q *request) answer {
	typ := q.URL.Query().Get("type")
	if typ != "" && !isListenerType(typ) {
		return invalid(typ, listenerTypes, "type") // words not recorded
	}
	out := []obj{}
	for _, l := range q.db.listenersByID() {
		if typ != "" && typ != l.protocol() {
			continue
		}
		all, each := l.state(q)
		out = append(out, obj{
			"id": l.id, "type": l.protocol(), "name": l.name(), "enable": l.enable, "bind": l.bind,
			"acceptors": l.acceptors,
			"number":    len(each), "status": all, "node_status": each,
		})
	}
	return asJSON(out)
}

func (d *database) listenersByID() []*listener {
	list := slices.Clone(d.listeners)
	slices.SortFunc(list, func(a, b *listener) int { return strings.Compare(a.id, b.id) })
	return list
}

// listenersStatus5 adds up the listeners of each type.
func listenersStatus5(q *request) answer {
	out := []obj{}
	for _, typ := range []string{"ssl", "tcp", "ws", "wss"} {
		ids, enable := []string{}, false
		var all obj
		var each []obj
		for _, l := range q.db.listenersByID() {
			if l.protocol() != typ {
				continue
			}
			ids, enable = append(ids, l.id), enable || l.enable
			a, e := l.state(q)
			if all == nil {
				all, each = a, e
				continue
			}
			add(all, a)
			for i := range each {
				add(each[i]["status"].(obj), e[i]["status"].(obj))
			}
		}
		if len(ids) > 0 {
			out = append(out, obj{"type": typ, "enable": enable, "ids": ids, "status": all, "node_status": each})
		}
	}
	return asJSON(out)
}

// add adds the state b to a.
func add(a, b obj) {
	a["current_connections"] = a["current_connections"].(int) + b["current_connections"].(int)
	x, limited := a["max_connections"].(int)
	y, too := b["max_connections"].(int)
	if limited && too {
		a["max_connections"] = x + y
	} else {
		a["max_connections"] = "infinity"
	}
	if a["running"] != b["running"] {
		a["running"] = inconsistent
	}
}

// listener5 shows a listener as the answering node has it.
func listener5(q *request, l *listener) obj {
	o := obj{
		"access_rules": []string{"allow all"}, "enable_authn": true, "max_conn_rate": "infinity", "mountpoint": "",
		"proxy_protocol": false, "proxy_protocol_timeout": "3s", "zone": "default",
		"tcp_options": obj{
			"active_n": 100, "backlog": 1024, "buffer": "4KB", "high_watermark": "1MB", "keepalive": "none",
			"nodelay":  true,
			"nolinger": false, "reuseaddr": true, "send_timeout": "15s", "send_timeout_close": true,
		},
	}
	if strings.HasPrefix(l.protocol(), "ws") {
		o["websocket"] = websocket5
	}
	maps.Copy(o, withDefaults(o, l.conf))
	maps.Copy(o, obj{
		"id": l.id, "type": l.protocol(), "enable": l.enable, "bind": l.bind, "acceptors": l.acceptors,
		"max_connections":     limitOf(l.configured(q.n)),
		"current_connections": q.c.through(l.id, q.n), "running": l.running(q.n),
	})
	return o
}

// websocket5 returns the defaults of EMQX's documents.
var websocket5 = obj{
	"allow_origin_absence": true, "check_origin_enable": false,
	"check_origins": "http://localhost:18083, http://127.0.0.1:18083",
	"compress":      false, "deflate_opts": obj{}, "fail_if_no_subprotocol": true, "idle_timeout": "7200s",
	"max_frame_size": "infinity",
	"mqtt_path":      "/mqtt", "mqtt_piggyback": "multiple", "proxy_address_header": "x-forwarded-for",
	"proxy_port_header":      "x-forwarded-port",
	"supported_subprotocols": "mqtt, mqtt-v3, mqtt-v3.1.1, mqtt-v5", "validate_utf8": true,
}

func badListener(status int, message string) answer { return fail5(status, "BAD_LISTENER_ID", message) }

func ofListener(do func(q *request, l *listener) answer) func(*request) answer {
	return func(q *request) answer {
		l := q.db.listener(q.params["id"])
		if typ, name, _ := strings.Cut(q.params["id"], ":"); name == "" || !isListenerType(typ) {
			return bad5("invalid_listener_id")
		}
		if l == nil {
			return badListener(http.StatusNotFound, "Listener id not found")
		}
		return do(q, l)
	}
}

var listenerBody = []input{
	{name: "id", expected: "binary()", ok: isString}, {name: "type", expected: listenerTypes, ok: isListenerType},
	{name: "name", expected: "binary()", ok: isString}, {name: "bind"}, {name: "enable", expected: "boolean()",
		ok: isBool},
	{name: "acceptors", expected: "pos_integer()", ok: isPositive},
	{name: "max_connections", expected: "infinity | pos_integer()", ok: func(v any) bool {
		return v == "infinity" ||
			isPositive(v)
	}}, {name: ""},
}

const listenerTypes = "tcp | ssl | ws | wss | quic"

func isListenerType(v any) bool {
	s, _ := v.(string)
	return slices.Contains([]string{"tcp", "ssl", "ws", "wss", "quic"}, s)
}

func (l *listener) configure(in obj) {
	if v, given := in["bind"]; given {
		l.bind = fmt.Sprint(v)
		if f, ok := v.(float64); ok {
			l.bind = fmt.Sprintf("0.0.0.0:%d", int(f))
		}
	}
	l.enable, l.acceptors = in.flag("enable", l.enable), in.number("acceptors", l.acceptors)
	if v, given := in["max_connections"]; given {
		l.max = 0
		if f, ok := v.(float64); ok {
			l.max = int(f)
		}
	}
	rest := obj{}
	for k, v := range in {
		if !slices.Contains(strings.Fields("id type name bind enable acceptors max_connections running "+
			"current_connections status node_status number"), k) {
			rest[k] = v
		}
	}
	l.conf = withDefaults(l.conf, rest)
}

// createListener5 takes the id from the path, or builds it from type and name.
func createListener5(q *request) answer {
	in, bad := q.object("root.", listenerBody)
	if bad != nil {
		return *bad
	}
	if q.params["id"] == "" && in["id"] != nil {
		return unknownField("id", "root", listenerBody)
	}
	id := in.text("id")
	if in.text("name") != "" {
		id = in.text("type") + ":" + in.text("name")
	}
	if given := q.params["id"]; given != "" {
		id = given
	}
	typ, name, ok := strings.Cut(id, ":")
	switch {
	case !ok || name == "" || !isListenerType(typ):
		return badListener(http.StatusBadRequest, "bad_listener_id") // not recorded
	case q.db.listener(id) != nil:
		return badListener(http.StatusBadRequest, "Already Exist")
	case in["bind"] == nil:
		return missing("root.bind")
	}
	l := &listener{id: id, acceptors: 16, enable: true}
	l.configure(in)
	q.db.listeners = append(q.db.listeners, l)
	return asJSON(listener5(q, l))
}

// updateListener5 restarts the listener if its address changes, which disconnects its
// clients.
func updateListener5(q *request, l *listener) answer {
	in, bad := q.object("root.", listenerBody)
	if bad != nil {
		return *bad
	}
	if given := in.text("id"); given != "" && given != l.id || in.text("type") != "" &&
		in.text("type") != l.protocol() {
		return bad5("Listener type inconsistent") // not recorded
	}
	if in.text("type") == "" {
		return bad5("unknown listener type") // the message for another spelling is not recorded
	}
	was := l.bind
	l.keepOn(q.n.peers())
	l.max, l.file = l.configured(q.n), nil
	l.configure(in)
	if l.bind != was || !l.enable {
		q.c.closeListener(l, q.n.peers(), q.now)
	}
	q.putListener(l)
	return asJSON(listener5(q, l))
}

func deleteListener5(q *request, l *listener) answer {
	q.c.closeListener(l, q.n.peers(), q.now)
	q.db.listeners = slices.DeleteFunc(q.db.listeners, func(o *listener) bool { return o == l })
	return empty(http.StatusNoContent)
}

func operateListener5(q *request, l *listener) answer {
	nodes := slices.DeleteFunc(slices.Clone(q.n.visible(q.now)), func(n *Node) bool { return n.keeps })
	switch q.params["operation"] {
	case "start":
		q.c.startListener(l, nodes)
	case "stop":
		q.c.stopListener(l, nodes, q.now)
	case "restart":
		q.c.closeListener(l, nodes, q.now)
		q.c.startListener(l, nodes)
	default:
		return page404()
	}
	return empty(http.StatusOK)
}

func listener5Answer(q *request, l *listener) answer { return asJSON(listener5(q, l)) }
