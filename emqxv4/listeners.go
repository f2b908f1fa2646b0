package emqxv4

import (
	"context"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

var listenersOfAll = nodeQuery{path: listenersPath, rest: "/listeners", key: "listeners"}

// listener is a listener as a node lists it. Stopped listeners are not listed.
type listener struct {
	// E.g. "mqtt:tcp:external"; listeners for WebSocket have none.
	Identifier  emqxhttp.Text  `json:"identifier"`
	Protocol    emqxhttp.Text  `json:"protocol"` // e.g. "mqtt:tcp", "mqtt:ws:8083", "http:management"
	Bind        emqxhttp.Text  `json:"listen_on"`
	Limit       emqxhttp.Count `json:"max_conns"`
	Connections emqxhttp.Count `json:"current_conns"`
}

func (l listener) id() string {
	if l.Identifier != "" {
		return string(l.Identifier)
	}
	return string(l.Protocol)
}

// protocol returns the protocol, which may be unknown to ecp. It returns false for a
// listener that is not for clients.
func (l listener) protocol() (ecp.Protocol, bool) {
	family, kind, _ := strings.Cut(string(l.Protocol), ":")
	kind, _, _ = strings.Cut(kind, ":")
	p, known := emqxhttp.Protocol(kind)
	switch {
	case family == "http", family == "https", family == "":
		return "", false
	case family == "mqtt" && known:
		return p, true
	}
	return ecp.Protocol(strings.ToLower(string(l.Protocol))), true
}

// Listeners queries every node.
func (b *broker) Listeners(ctx context.Context) ([]ecp.BrokerListener, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	nodes, err := queryNodes[[]listener](ctx, b, listenersOfAll)
	if err != nil {
		return nil, err
	}
	return listenersOf(nodes), nil
}

// listenersOf merges the entries of one listener on several nodes. A node that answered
// without it does not run it any more.
func listenersOf(nodes []nodeFigures[[]listener]) []ecp.BrokerListener {
	byID := map[string]*ecp.BrokerListener{}
	answered := 0
	var without []ecp.ListenerNode
	for _, f := range nodes {
		if f.unanswered { // it may be running there; a node that is down has no listeners
			without = append(without, ecp.ListenerNode{Node: f.node, Error: f.err})
		}
		if f.err != "" {
			continue
		}
		answered++
		for _, l := range f.data {
			protocol, ok := l.protocol()
			if !ok {
				continue
			}
			one := byID[l.id()]
			if one == nil {
				one = &ecp.BrokerListener{ID: l.id(), Protocol: protocol, Bind: string(l.Bind), Enabled: true}
				byID[l.id()] = one
			}
			one.Connections += l.Connections.Int()
			// A second socket of the same name.
			if n := len(one.Nodes); n > 0 && one.Nodes[n-1].Node == f.node {
				one.Nodes[n-1].Connections += l.Connections.Int()
				continue
			}
			one.Nodes = append(one.Nodes, ecp.ListenerNode{
				Node: f.node, Running: true, Connections: l.Connections.Int(), Limit: l.Limit.Limit(),
			})
		}
	}
	out := make([]ecp.BrokerListener, 0, len(byID))
	for _, one := range byID {
		one.Running, one.Limit = ecp.True, one.LimitOfAll()
		if len(one.Nodes) < answered || len(without) > 0 {
			one.Running = ecp.Unknown
		}
		one.Nodes = append(one.Nodes, without...)
		slices.SortFunc(one.Nodes, func(x, y ecp.ListenerNode) int { return strings.Compare(x.Node, y.Node) })
		out = append(out, *one)
	}
	slices.SortFunc(out, func(x, y ecp.BrokerListener) int { return strings.Compare(x.ID, y.ID) })
	return out
}

// SetListenerLimit returns an error that names the setting: 4.4 has no call that changes a
// listener.
func (b *broker) SetListenerLimit(ctx context.Context, id string, limit int) error {
	if limit < 0 || id == "" {
		return emqxhttp.Invalid("set listener limit", "limit", "is below zero, or of no listener; 0 is no limit")
	}
	setting, variable := settingOf(id, "max_connections")
	return b.manualError(ctx, "EMQX 4 cannot change a listener at run time; set "+setting+
		" in its configuration file, or "+variable+" in its environment, and restart the nodes")
}

// StartListener returns an error that names the command: 4.4 has no such call. Its command
// line can restart a stopped listener for WebSocket, but answers "not_found" for others.
func (b *broker) StartListener(ctx context.Context, id string) error {
	if id == "" || strings.HasPrefix(id, "mqtt:ws") {
		return b.listenerByHand(ctx, id, "restart")
	}
	return b.manualError(ctx, "EMQX 4 has no call for that, nor a command that starts listener "+b.client.Sanitize(id)+
		" once it is stopped; restart EMQX on each node on which it is")
}

// StopListener returns an error that names the command: 4.4 has no such call.
func (b *broker) StopListener(ctx context.Context, id string) error {
	return b.listenerByHand(ctx, id, "stop")
}

func (b *broker) listenerByHand(ctx context.Context, id, verb string) error {
	if id == "" {
		return emqxhttp.Invalid(verb+" listener", "id", "is empty; give the id of a listener, e.g. mqtt:tcp:external")
	}
	return b.manualError(ctx, "EMQX 4 has no call for that; run `emqx_ctl listeners "+verb+" "+id+"` on each node")
}

// settingOf returns the name of a listener's setting in the configuration file and in the
// environment. The identifier "mqtt:tcp:external" stands for listener.tcp.external.
// Listeners for WebSocket only state their port, so their name is unknown.
func settingOf(id, what string) (setting, variable string) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(id, "mqtt:"), ":")
	if strings.Trim(name, "0123456789") == "" {
		name = "<name>"
	}
	setting = "listener." + kind + "." + name + "." + what
	return setting, "EMQX_" + strings.ToUpper(strings.ReplaceAll(setting, ".", "__"))
}
