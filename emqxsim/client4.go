package emqxsim

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// paged4 shows a page of a list: _page counts from 1, _limit is at most 10,000. count is
// the length that the answer states.
func paged4[T any](c *call4, list []T, count int, show func(T) obj) answer {
	page, one := c.number("_page", 1)
	limit, two := c.number("_limit", longestPage4)
	switch {
	case !one || !two:
		return crashed4()
	case limit < 1:
		return badRequest4() // not recorded
	}
	// Page 0 and negative ones are the first page.
	from := min((max(page, 1)-1)*min(limit, longestPage4), len(list))
	to := min(from+min(limit, longestPage4), len(list))
	shown := []obj{}
	for _, one := range list[from:to] {
		shown = append(shown, show(one))
	}
	return asJSON(obj{
		"code": 0, "data": shown,
		"meta": obj{"page": page, "limit": limit, "count": count, "hasnext": to < len(list)},
	})
}

const longestPage4 = 10000

// number reads a number from the query and reports whether it is one.
func (c *call4) number(name string, otherwise int) (int, bool) {
	given := c.URL.Query().Get(name)
	if given == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(given)
	return n, err == nil
}

func clients4(c *call4) answer { return c.clients(c.running()) }

func nodeClients4(c *call4) answer {
	return c.onNode(func(m *Node) answer { return c.clients([]*Node{m}) })
}

// filters4 are the filters of a list of clients.
var filters4 = map[string]func(k client, want string) bool{
	"clientid":       func(k client, want string) bool { return k.id() == want },
	"_like_clientid": func(k client, want string) bool { return strings.Contains(k.id(), want) },
	"username":       func(k client, want string) bool { return k.g.Username == want },
	"_like_username": func(k client, want string) bool { return strings.Contains(k.g.Username, want) },
	"conn_state":     func(k client, want string) bool { return k.connected == (want == "connected") },
}

// clients lists a page of the clients on some nodes.
func (c *call4) clients(nodes []*Node) answer {
	query := c.URL.Query()
	filtered := false
	for name := range filters4 {
		filtered = filtered || query.Has(name)
	}
	list := []client{}
	c.c.eachSpan(nodes, func(first client, n int) bool {
		for i := range n {
			k := first
			k.i += i
			if fits4(k, query) {
				list = append(list, k)
			}
		}
		return true
	})
	count := len(list)
	if filtered {
		count = -1 // the broker does not count them then
	}
	return paged4(c, list, count, func(k client) obj { return showClient4(c, k) })
}

func fits4(k client, query url.Values) bool {
	for name, fits := range filters4 {
		if query.Has(name) && !fits(k, query.Get(name)) {
			return false
		}
	}
	return true
}

// client4 lists at most one client. An unknown client is no error.
func client4(c *call4) answer {
	list := []obj{}
	if k, ok := c.c.lookup(c.running(), c.params["clientid"]); ok {
		list = append(list, showClient4(c, k))
	}
	return data4(list)
}

func kickClient4(c *call4) answer {
	if k, ok := c.c.lookup(c.running(), c.params["clientid"]); ok {
		c.c.kick(k, c.now)
	}
	return done4()
}

// showClient4 shows a client in a list. The traffic of a single client is not simulated:
// its counters are those of a client that has just connected.
func showClient4(c *call4, k client) obj {
	since := k.node.started.Add(k.node.boot).Format(time.DateTime)
	o := obj{
		"clientid": k.id(), "username": "undefined", "node": k.node.name, "connected": k.connected, "zone": "external",
		"ip_address": "127.0.0.1", "port": 40000 + k.i%20000, "proto_name": "MQTT", "proto_ver": 4, "keepalive": 60,
		"clean_start": !k.g.Persistent, "expiry_interval": 0, "is_bridge": false, "mountpoint": "undefined",
		"connected_at": since, "created_at": since, "subscriptions_cnt": len(k.g.Subscribe),
		"max_inflight": 32, "max_mqueue": 1000, "max_awaiting_rel": 100, "max_subscriptions": 0,
		"recv_cnt": 1, "recv_pkt": 1, "recv_oct": 40, "send_cnt": 1, "send_pkt": 1, "send_oct": 4,
		"heap_size": 1598, "reductions": 3478,
	}
	for _, zero := range []string{
		"awaiting_rel", "inflight", "mailbox_len", "mqueue_dropped", "mqueue_len",
		"recv_msg", "recv_msg.dropped", "recv_msg.qos0", "recv_msg.qos1", "recv_msg.qos2",
		"send_msg", "send_msg.dropped", "send_msg.dropped.expired", "send_msg.dropped.queue_full",
		"send_msg.dropped.too_large", "send_msg.qos0", "send_msg.qos1", "send_msg.qos2",
	} {
		o[zero] = 0
	}
	if k.g.Username != "" {
		o["username"] = k.g.Username
	}
	if !k.connected {
		o["disconnected_at"], o["expiry_interval"] = since, 7200
	}
	return o
}
