package emqxsim

import (
	"net"
	"strings"
)

// listeners4 lists the listeners of every node that runs.
func listeners4(c *call4) answer {
	return data4(c.each(func(m *Node) obj { return obj{"node": m.name, "listeners": c.listeners(m)} }))
}

func nodeListeners4(c *call4) answer {
	return c.onNode(func(m *Node) answer { return data4(c.listeners(m)) })
}

// listeners returns the listeners of a node as the broker lists them: those for MQTT over
// TCP and TLS with an identifier, those of HTTP, and those for WebSockets with their port
// instead.
func (c *call4) listeners(m *Node) []obj {
	raw, sockets := []obj{}, []obj{}
	for _, l := range c.db.listeners {
		if !l.running(m) {
			continue // it is not listed until it is started
		}
		o := obj{
			"listen_on": l.bind, "acceptors": l.acceptors, "max_conns": l.limit(m),
			// The reasons for closed connections are not counted.
			"current_conns": c.c.through(l.id, m), "shutdown_count": []any{},
		}
		protocol := l.protocol()
		if strings.HasPrefix(protocol, "mqtt:ws") {
			_, port, _ := net.SplitHostPort(l.bind)
			o["protocol"] = protocol + ":" + port
			sockets = append(sockets, o)
			continue
		}
		o["protocol"], o["identifier"] = protocol, l.id
		raw = append(raw, o)
	}
	raw = append(raw, http4("http:dashboard", "0.0.0.0:18083", 4), http4("http:management", "0.0.0.0:8081", 2))
	return append(raw, sockets...)
}

func http4(protocol, bind string, acceptors int) obj {
	return obj{
		"protocol": protocol, "listen_on": bind, "acceptors": acceptors, "max_conns": 512, "current_conns": 0,
		"shutdown_count": []any{},
	}
}

// restartListener4 disconnects the clients of a listener on every node.
func restartListener4(c *call4) answer { return c.restartListener(c.running(), done4()) }

func restartNodeListener4(c *call4) answer {
	return c.onNode(func(m *Node) answer {
		return c.restartListener([]*Node{m},
			data4(charlist4("Listener restarted.")))
	})
}

// charlist4 encodes a text as a list of numbers, as the broker does with one of its own
// texts. That text is not recorded.
func charlist4(s string) []int {
	out := []int{}
	for _, r := range s {
		out = append(out, int(r))
	}
	return out
}

// restartListener restarts a listener. The text for an unknown listener is not recorded. A
// stopped listener for MQTT over TCP is not started by it; according to the broker's source
// one for WebSockets is.
func (c *call4) restartListener(nodes []*Node, done answer) answer {
	l := c.db.listener(c.params["identifier"])
	if l == nil {
		return message4("not_found")
	}
	for _, n := range nodes {
		if !l.running(n) && !strings.HasPrefix(l.protocol(), "mqtt:ws") {
			return message4("Failed to restart " + l.id + ": not_found")
		}
	}
	c.c.closeListener(l, nodes, c.now)
	c.c.startListener(l, nodes)
	return done
}
