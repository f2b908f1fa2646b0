package emqxsim

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of resources. The resources of EMQX 4 are kept as connectors.
const (
	kindConnector = "connectors"
	kindAction    = "actions"
	kindSource    = "sources"
)

// The states of a resource on a node.
const (
	connected    = "connected"
	connecting   = "connecting"
	disconnected = "disconnected"
	inconsistent = "inconsistent" // of the cluster, if nodes differ
	stopped      = "stopped"      // of a connector that is disabled
)

// resource is a connector, an action or a source.
type resource struct {
	kind, typ, name   string
	enable            bool
	conf              map[string]any // its configuration as it is shown, without type, name and enable
	connector         *resource      // of an action or a source
	created, modified time.Time
	faults            map[string]connectorFault // of a connector, by node name; "" stands for every node
	matched, failed   map[*Node]*meter          // of an action
}

// connectorFault is what is wrong with a connector on a node.
type connectorFault struct{ status, reason string }

func (r *resource) id() string { return r.typ + ":" + r.name }

// unreachable reports whether the resource leads to a port of the node's own machine on
// which nothing listens. Then it is down from the beginning. Everything elsewhere answers
// until a fault is set.
func (r *resource) unreachable(n *Node) bool {
	for _, key := range []string{"url", "server", "servers", "bootstrap_hosts", "address"} {
		s, _ := r.conf[key].(string)
		scheme, rest, ok := strings.Cut(s, "://")
		if !ok {
			scheme, rest = "", s
		}
		authority, _, _ := strings.Cut(rest, "/")
		host, port, err := net.SplitHostPort(authority)
		if err != nil {
			host, port = authority, map[string]string{"http": "80", "https": "443"}[scheme]
		}
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			return !n.listensOn(port)
		}
	}
	return false
}

// listensOn reports whether anything accepts connections on a port of the node. A resource
// without a port uses the default port of its kind, on which nothing listens here.
func (n *Node) listensOn(port string) bool {
	return port == dashboardPort || n.c.major == 4 && port == strconv.Itoa(management) ||
		slices.ContainsFunc(n.db.listeners,
			func(l *listener) bool { return l.enable && strings.HasSuffix(l.bind, ":"+port) })
}

// status returns the state of the resource on a node and its reason.
func (r *resource) status(n *Node) (status, reason string) {
	if r.connector != nil {
		s, _ := r.connector.status(n)
		switch {
		case !r.enable:
			return disconnected, "Not connected. Reason: resource is disabled"
		case s == connected:
			return connected, ""
		case s == connecting:
			return connecting, "Resource not operational"
		}
		return disconnected, "Resource not operational"
	}
	f, ok := r.faults[n.name]
	if !ok {
		f, ok = r.faults[""]
	}
	switch {
	case !r.enable:
		return stopped, ""
	case ok:
		return f.status, f.reason
	case r.unreachable(n):
		return disconnected, "Connection refused"
	}
	return connected, ""
}

// overall returns the state over several nodes.
func (r *resource) overall(nodes []*Node) (status, reason string) {
	for i, n := range nodes {
		s, why := r.status(n)
		if i > 0 && s != status {
			return inconsistent, reason
		}
		status, reason = s, why
	}
	return status, reason
}

// alarmCause returns the alarm that the resource causes on a node, or nil.
func (r *resource) alarmCause(n *Node, major int) *alarmText {
	status, reason := r.status(n)
	if !r.enable || status == connected || r.connector != nil && !r.connector.enable {
		return nil
	}
	if major == 4 {
		return &alarmText{"resource down: " + r.name, map[string]any{"id": r.name, "type": r.typ}}
	}
	if r.connector != nil {
		reason = "#{error => not_added_yet,status => " + status + "}"
	}
	return &alarmText{"resource down: " + reason, map[string]any{
		"reason": "resource_down", "resource_id": r.alarmName(major),
	}}
}

// alarmName returns the name of the resource in alarms.
func (r *resource) alarmName(major int) string {
	if major == 4 {
		return "resource/" + r.name + "/down" // not recorded
	}
	if r.connector == nil {
		return "connector:" + r.id()
	}
	return strings.TrimSuffix(r.kind, "s") + ":" + r.id() + ":connector:" + r.connector.id()
}

func (d *database) resource(kind, id string) *resource {
	i := slices.IndexFunc(d.resources, func(r *resource) bool { return r.kind == kind && r.id() == id })
	if i < 0 {
		return nil
	}
	return d.resources[i]
}

// ofKind returns the resources of a kind, the oldest first.
func (d *database) ofKind(kind string) []*resource {
	return slices.DeleteFunc(slices.Clone(d.resources), func(r *resource) bool { return r.kind != kind })
}

// channels returns the names of the resources of a kind that use a connector.
func (d *database) channels(kind string, connector *resource) []string {
	out := []string{}
	for _, r := range d.ofKind(kind) {
		if r.connector == connector {
			out = append(out, r.name)
		}
	}
	return out
}

func (d *database) add(r *resource, t time.Time) {
	r.created, r.modified = t, t
	d.resources = append(d.resources, r)
}

func (d *database) remove(r *resource) {
	d.resources = slices.DeleteFunc(d.resources, func(o *resource) bool { return o == r })
}

// AddConnector adds a connector (on EMQX 4 a resource), which works until a fault is set.
// It panics if there is one of the same type and name.
func (c *Cluster) AddConnector(typ, name string, conf map[string]any) {
	c.change(func(t time.Time) {
		r := &resource{kind: kindConnector, typ: typ, name: name, enable: true, conf: maps.Clone(conf)}
		if c.db.resource(r.kind, r.id()) != nil {
			panic("emqxsim: there is a connector " + r.id())
		}
		c.db.add(r, t)
	})
}

// AddAction adds an action to an existing connector. It panics if there is no such
// connector, or if there is an action of the same type and name.
func (c *Cluster) AddAction(typ, name, connector string) {
	c.addChannel(kindAction, typ, name, connector)
}

// AddSource is like AddAction for a source.
func (c *Cluster) AddSource(typ, name, connector string) {
	c.addChannel(kindSource, typ, name, connector)
}

func (c *Cluster) addChannel(kind, typ, name, connector string) {
	c.change(func(t time.Time) {
		r := &resource{kind: kind, typ: typ, name: name, enable: true, connector: c.db.resource(kindConnector,
			typ+":"+connector)}
		if r.connector == nil || c.db.resource(kind, r.id()) != nil {
			panic("emqxsim: " + r.id() + " cannot be made with connector " + connector)
		}
		c.db.add(r, t)
	})
}

// SetConnectorFault breaks a connector ("type:name"; on EMQX 4 a resource) on a node, or on
// all nodes if node is empty, for a reason in the broker's words. Its actions and sources
// go down with it, and an alarm rises. An empty reason repairs it. A reason that begins
// with "connecting" makes it connecting instead of disconnected. It panics if there is no
// such connector.
func (c *Cluster) SetConnectorFault(id, node, reason string) {
	c.change(func(time.Time) {
		r := c.db.resource(kindConnector, id)
		if r == nil {
			panic("emqxsim: there is no connector " + id)
		}
		if r.faults == nil {
			r.faults = map[string]connectorFault{}
		}
		switch {
		case reason == "" && node == "":
			clear(r.faults)
		case reason == "":
			delete(r.faults, node)
		case strings.HasPrefix(reason, connecting):
			r.faults[node] = connectorFault{connecting, reason}
		default:
			r.faults[node] = connectorFault{disconnected, reason}
		}
	})
}
