package emqxsim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// client5 shows a client. The counters of a single session are not simulated and zero.
func (q *request) client5(k client) obj {
	since := rfc3339(k.node.started.Add(k.node.boot))
	user := any(nil)
	if k.g.Username != "" {
		user = k.g.Username
	}
	expiry := 0
	if k.g.Persistent {
		expiry = 7200
	}
	o := obj{
		"clientid": k.id(), "username": user, "node": k.node.name, "connected": k.connected, "listener": k.g.Listener,
		"connected_at": since, "created_at": since, "clean_start": !k.g.Persistent, "expiry_interval": expiry,
		"is_persistent": false, "durable": false, "is_bridge": false, "is_expired": false, "enable_authn": true,
		"ip_address": "127.0.0.1", "port": 32768 + k.i%28000, "proto_name": "MQTT", "proto_ver": 5, "keepalive": 60,
		"mountpoint": nil, "peersni": nil, "auth_expire_at": nil, "client_attrs": obj{},
		"subscriptions_cnt": len(k.g.Subscribe), "subscriptions_max": "infinity",
		"inflight_max": 32, "mqueue_max": 1000, "awaiting_rel_max": 100, "heap_size": 1598, "reductions": 4664,
		"recv_oct": connectBytes, "send_oct": connackBytes, "recv_cnt": 1, "send_cnt": 1, "recv_pkt": 1, "send_pkt": 1,
	}
	for _, zero := range strings.Fields(`inflight_cnt mqueue_len mqueue_dropped awaiting_rel_cnt mailbox_len
		recv_msg recv_msg.qos0 recv_msg.qos1 recv_msg.qos2 recv_msg.dropped recv_msg.dropped.await_pubrel_timeout
		send_msg send_msg.qos0 send_msg.qos1 send_msg.qos2 send_msg.dropped send_msg.dropped.expired
		send_msg.dropped.queue_full send_msg.dropped.too_large`) {
		o[zero] = 0
	}
	if !k.connected {
		o["disconnected_at"], o["disconn_props"] = since, obj{}
		for _, name := range strings.Fields("recv_cnt recv_oct send_cnt send_oct") {
			delete(o, name) // only a connection has them
		}
	}
	return o
}

// clientFields are the fields that a query can select, from EMQX's documents.
var clientFields = setOf(`client_attrs awaiting_rel_cnt awaiting_rel_max clean_start clientid connected
	connected_at created_at disconnected_at expiry_interval heap_size inflight_cnt inflight_max ip_address is_bridge
	is_expired keepalive mailbox_len mqueue_dropped mqueue_len mqueue_max node port proto_name proto_ver recv_cnt
	recv_msg recv_msg.dropped recv_msg.dropped.await_pubrel_timeout recv_msg.qos0 recv_msg.qos1 recv_msg.qos2
	recv_oct recv_pkt reductions send_cnt send_msg send_msg.dropped send_msg.dropped.expired
	send_msg.dropped.queue_full send_msg.dropped.too_large send_msg.qos0 send_msg.qos1 send_msg.qos2 send_oct
	send_pkt subscriptions_cnt subscriptions_max username mountpoint durable n_streams seqno_q1_comm seqno_q1_dup
	seqno_q1_next seqno_q2_comm seqno_q2_dup seqno_q2_rec seqno_q2_next`)

func setOf(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// matchesFilters applies the filters on groups and states, which hold for a whole span.
func (q *request) matchesFilters(first client) bool {
	v := q.URL.Query()
	switch v.Get("conn_state") {
	case "connected":
		if !first.connected {
			return false
		}
	case "disconnected", "idle":
		if first.connected {
			return false
		}
	}
	return (!v.Has("node") || v.Get("node") == first.node.name) &&
		(!v.Has("username") || slices.Contains(v["username"], first.g.Username)) &&
		strings.Contains(first.g.Username, v.Get("like_username")) &&
		(!v.Has("clean_start") || v.Get("clean_start") == strconv.FormatBool(!first.g.Persistent)) &&
		(!v.Has("ip_address") || v.Get("ip_address") == "127.0.0.1") &&
		(!v.Has("proto_ver") || v.Get("proto_ver") == "5")
}

// clients5 works on spans: only the clients of the page become objects.
func clients5(q *request) answer {
	p, bad := q.paging()
	if bad != nil {
		return *bad
	}
	v := q.URL.Query()
	if fields := v.Get("fields"); fields != "" && fields != "all" {
		for name := range strings.SplitSeq(fields, ",") {
			if !clientFields[name] {
				return invalid(fields, "all | array(clientid, username, …)", "fields") // words not recorded
			}
		}
	}
	like, only := v.Get("like_clientid"), v["clientid"]
	from, seen := (p.page-1)*p.limit, 0
	data := []any{}
	q.c.eachSpan(q.n.visible(q.now), func(first client, n int) bool {
		if !q.matchesFilters(first) {
			return true
		}
		if like == "" && only == nil { // the whole span counts
			for i := max(from-seen, 0); i < n && len(data) < p.limit; i++ {
				k := first
				k.i += i
				data = append(data, q.selectFields(k))
			}
			seen += n
			return true
		}
		for i := range n {
			k := first
			k.i += i
			id := k.id()
			if !strings.Contains(id, like) || only != nil && !slices.Contains(only, id) {
				continue
			}
			if seen >= from && len(data) < p.limit {
				data = append(data, q.selectFields(k))
			}
			seen++
		}
		return true
	})
	return asJSON(obj{"data": data, "meta": q.meta(p, seen)})
}

// selectFields returns the fields of a client that the query selects.
func (q *request) selectFields(k client) obj {
	o := q.client5(k)
	names := q.URL.Query().Get("fields")
	if names == "" || names == "all" {
		return o
	}
	list := strings.Split(names, ",")
	maps.DeleteFunc(o, func(name string, _ any) bool { return !slices.Contains(list, name) })
	return o
}

// ofClient answers a call about the client in the path.
func ofClient(do func(q *request, k client) answer) func(*request) answer {
	return func(q *request) answer {
		k, ok := q.c.lookup(q.n.visible(q.now), q.params["clientid"])
		if !ok {
			return fail5(http.StatusNotFound, "CLIENTID_NOT_FOUND", "Client ID not found")
		}
		return do(q, k)
	}
}

func kickClient5(q *request, k client) answer {
	q.c.kick(k, q.now)
	return empty(http.StatusNoContent)
}

func kickClients5(q *request) answer {
	in, bad := q.jsonBody()
	if bad != nil {
		return *bad
	}
	list, ok := in.([]any)
	if !ok {
		return bad5("Invalid json message received")
	}
	for _, id := range list {
		s, _ := id.(string)
		if k, ok := q.c.lookup(q.n.visible(q.now), s); ok {
			q.c.kick(k, q.now)
		}
	}
	return empty(http.StatusNoContent)
}

func subscription5(k client, topic string) obj {
	return obj{
		"clientid": k.id(), "node": k.node.name, "topic": topic, "qos": k.g.QoS, "nl": 0, "rap": 0, "rh": 0,
		"durable": false,
	}
}

func clientSubscriptions5(q *request, k client) answer {
	out := []obj{}
	for _, topic := range k.topics() {
		out = append(out, subscription5(k, topic))
	}
	return asJSON(out)
}

// subscriptions5 supports the filters node, clientid, topic and qos.
func subscriptions5(q *request) answer {
	p, bad := q.paging()
	if bad != nil {
		return *bad
	}
	v := q.URL.Query()
	from, seen := (p.page-1)*p.limit, 0
	data := []any{}
	q.c.eachSpan(q.n.visible(q.now), func(first client, n int) bool {
		per := len(first.g.Subscribe)
		if per == 0 || v.Has("node") && v.Get("node") != first.node.name || v.Has("qos") &&
			v.Get("qos") != strconv.Itoa(first.g.QoS) {
			return true
		}
		if seen+n*per <= from && !v.Has("clientid") && !v.Has("topic") {
			seen += n * per
			return true
		}
		for i := range n {
			k := first
			k.i += i
			if !v.Has("clientid") && !v.Has("topic") && len(data) >= p.limit {
				seen += (n - i) * per
				return true
			}
			for _, topic := range k.topics() {
				if v.Has("clientid") && v.Get("clientid") != k.id() || v.Has("topic") && v.Get("topic") != topic {
					continue
				}
				if seen >= from && len(data) < p.limit {
					data = append(data, subscription5(k, topic))
				}
				seen++
			}
		}
		return true
	})
	return asJSON(obj{"data": data, "meta": q.meta(p, seen)})
}

// routesOf lists the topic filters that have subscribers, by node.
func (q *request) routesOf() []obj {
	out := []obj{}
	seen := map[[2]string]bool{}
	q.c.eachSpan(q.n.visible(q.now), func(first client, n int) bool {
		for _, filter := range first.g.Subscribe {
			own := strings.Contains(filter, "%c")
			for i := range n {
				k := first
				k.i += i
				at := [2]string{first.node.name, strings.ReplaceAll(filter, "%c", k.id())}
				if !seen[at] {
					seen[at] = true
					out = append(out, obj{"node": at[0], "topic": at[1]})
				}
				if !own {
					break
				}
			}
		}
		return true
	})
	return out
}

func topics5(q *request) answer {
	v := q.URL.Query()
	rows := slices.DeleteFunc(q.routesOf(), func(o obj) bool {
		return v.Has("node") && v.Get("node") != o["node"] || v.Has("topic") && v.Get("topic") != o["topic"]
	})
	return paged(q, rows, func(o obj) any { return o })
}
