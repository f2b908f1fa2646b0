package emqxv5

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Listeners lists the listeners with their state on each running node.
func (b *broker) Listeners(ctx context.Context) ([]ecp.BrokerListener, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.listeners(ctx)
}

func (b *broker) listeners(ctx context.Context) ([]ecp.BrokerListener, error) {
	return ofAllMembers(ctx, b, func(ctx context.Context) ([]ecp.BrokerListener, error) {
		return query(ctx, b, emqxhttp.Request{Path: listenersPath}, decodeListeners)
	})
}

// SetListenerLimit sends the setting with the listener's id and type, which EMQX requires;
// EMQX merges it into the present settings. It does not send a limit that is already set,
// since any change of a ws or wss listener suspends the listener for a moment.
func (b *broker) SetListenerLimit(ctx context.Context, id string, limit int) error {
	kind, err := checkListener("limit listener", id)
	switch {
	case err != nil:
		return err
	case limit < 0:
		return emqxhttp.Invalid("limit listener", "limit", "must not be negative; 0 means no limit")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	now, err := query(ctx, b, emqxhttp.Request{Path: listenerPath(id)}, decodeListenerLimit)
	if err != nil {
		return err
	}
	if now == limit {
		if without, err := b.nodesWithoutLimit(ctx, id, limit); err != nil || len(without) == 0 {
			return err
		}
	}
	body := map[string]any{"id": id, "type": kind, "max_connections": limit}
	if limit == 0 {
		body["max_connections"] = "infinity"
	}
	set, err := query(ctx, b, emqxhttp.Request{Method: http.MethodPut, Path: listenerPath(id), Body: body},
		decodeListenerLimit)
	switch {
	case err != nil && ecp.CodeOf(err) != ecp.CodeUnavailable:
		return err
	case err == nil && set != limit:
		return b.client.Fail(ecp.CodeUnavailable, "took the limit of listener "+b.client.Sanitize(id)+
			" and has another one; call again", nil)
	}
	return b.verifyLimit(ctx, id, limit, err)
}

// verifyLimit checks that a changed limit is in force on all nodes. failed is the error of
// the change, which may have been made nevertheless, perhaps by some nodes only.
func (b *broker) verifyLimit(ctx context.Context, id string, limit int, failed error) error {
	without, err := b.nodesWithoutLimit(ctx, id, limit)
	switch {
	case err != nil:
		return cmp.Or(failed, err)
	case len(without) == 0:
		return nil
	}
	says := "the limit of listener " + b.client.Sanitize(id) + " is not in force on " +
		b.client.Sanitize(strings.Join(without, ", ")) +
		", where the change failed or is late; call again, and restart EMQX there if that does not help"
	return b.client.Fail(ecp.CodeUnavailable, says, failed)
}

// nodesWithoutLimit returns the nodes on which a listener has another limit. The setting
// itself is that of the answering node: each node applies a change by itself, and a failure
// on one shows nowhere else.
func (b *broker) nodesWithoutLimit(ctx context.Context, id string, limit int) ([]string, error) {
	all, err := b.listeners(ctx)
	if err != nil {
		return nil, err
	}
	i := indexOf(all, id)
	if i < 0 {
		return nil, b.client.Fail(ecp.CodeUnavailable, "has a listener "+b.client.Sanitize(id)+
			" and does not list it; call again", nil)
	}
	return all[i].Without(limit), nil
}

// StartListener enables a listener on all nodes. It leaves one that is running alone, since
// EMQX would restart it and disconnect its clients.
func (b *broker) StartListener(ctx context.Context, id string) error {
	return b.switchListener(ctx, id, "start", ecp.True)
}

// StopListener disables a listener on all nodes.
func (b *broker) StopListener(ctx context.Context, id string) error {
	return b.switchListener(ctx, id, "stop", ecp.False)
}

func (b *broker) switchListener(ctx context.Context, id, what string, wanted ecp.ConditionStatus) error {
	if _, err := checkListener(what+" listener", id); err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all, err := b.listeners(ctx)
	if err != nil {
		return err
	}
	i := indexOf(all, id)
	if i >= 0 && all[i].Enabled == (wanted == ecp.True) && len(nodesNotIn(all[i], wanted)) == 0 {
		return nil
	}
	err = b.do(ctx, emqxhttp.Request{Method: http.MethodPost, Path: listenerPath(id) + "/" + what, Idempotent: true})
	if err != nil && ecp.CodeOf(err) != ecp.CodeUnavailable {
		return err
	}
	return b.verifySwitched(ctx, id, what, wanted, err)
}

// verifySwitched checks that a listener was started or stopped on all nodes: each node does
// that by itself, and a failure on one shows nowhere else. failed is the error of the
// change, which may have been made nevertheless, perhaps by some nodes only.
func (b *broker) verifySwitched(ctx context.Context, id, what string, wanted ecp.ConditionStatus, failed error) error {
	all, err := b.listeners(ctx)
	if err != nil {
		return cmp.Or(failed, err)
	}
	i := indexOf(all, id)
	if i < 0 {
		return cmp.Or(failed, b.client.Fail(ecp.CodeUnavailable, "has a listener "+b.client.Sanitize(id)+
			" and does not list it; call again", nil))
	}
	nodes := nodesNotIn(all[i], wanted)
	if len(nodes) == 0 {
		return nil
	}
	is := map[ecp.ConditionStatus]string{ecp.True: "does not run", ecp.False: "still runs"}[wanted]
	says := "the listener " + b.client.Sanitize(id) + " " + is + " on " + b.client.Sanitize(strings.Join(nodes, ", ")) +
		", where the " + what +
		" failed or is late; call again, and look into EMQX's log there if that does not help"
	return b.client.Fail(ecp.CodeUnavailable, says, failed)
}

// nodesNotIn returns the nodes on which a listener is not in the wanted state. Without a
// list of nodes the overall state counts.
func nodesNotIn(l ecp.BrokerListener, wanted ecp.ConditionStatus) []string {
	var names []string
	for _, n := range l.Nodes {
		if n.Running != (wanted == ecp.True) {
			names = append(names, n.Node)
		}
	}
	if len(l.Nodes) == 0 && l.Running != wanted {
		return []string{"some nodes"}
	}
	return names
}

func indexOf(all []ecp.BrokerListener, id string) int {
	return slices.IndexFunc(all, func(l ecp.BrokerListener) bool { return l.ID == id })
}

// checkListener returns the type in an id.
func checkListener(op, id string) (kind string, err error) {
	kind, name, _ := strings.Cut(id, ":")
	if kind == "" || name == "" {
		return "", emqxhttp.Invalid(op, "id", `must be an id as in Listeners, e.g. "tcp:default"`)
	}
	return kind, nil
}

// listener is an entry of /listeners. Its status is that of all nodes, with the sum of
// their limits. No limit is written as "infinity".
type listener struct {
	ID     string           `json:"id"`
	Type   emqxhttp.Text    `json:"type"`
	Bind   emqxhttp.Message `json:"bind"`
	Enable any              `json:"enable"`
	Status listenerStatus   `json:"status"`
	Nodes  []struct {
		Node   emqxhttp.Text  `json:"node"`
		Status listenerStatus `json:"status"`
	} `json:"node_status"`
}

type listenerStatus struct {
	Running     any            `json:"running"` // true, false, "inconsistent"
	Connections emqxhttp.Count `json:"current_connections"`
	Limit       emqxhttp.Count `json:"max_connections"`
}

// running returns the state over all nodes.
func (s listenerStatus) running() ecp.ConditionStatus {
	switch s.Running {
	case true, "true":
		return ecp.True
	case false, "false":
		return ecp.False
	}
	return ecp.Unknown
}

// decodeListeners reads /listeners, a bare array.
func decodeListeners(body []byte) ([]ecp.BrokerListener, error) {
	entries, _, err := emqxhttp.DecodePage[listener](body)
	if err != nil {
		return nil, err
	}
	all := []ecp.BrokerListener{}
	for _, e := range entries {
		if e.ID == "" {
			return nil, errNoID
		}
		all = append(all, e.listener())
	}
	slices.SortFunc(all, func(a, b ecp.BrokerListener) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func (e listener) listener() ecp.BrokerListener {
	protocol, known := emqxhttp.Protocol(string(e.Type))
	if !known {
		protocol = ecp.Protocol(e.Type)
	}
	l := ecp.BrokerListener{
		ID: e.ID, Protocol: protocol, Bind: string(e.Bind), Enabled: e.Enable != false && e.Enable != "false",
		Running: e.Status.running(), Connections: e.Status.Connections.Int(), Limit: e.Status.Limit.Limit(),
	}
	for _, n := range e.Nodes {
		l.Nodes = append(l.Nodes, ecp.ListenerNode{
			Node: string(n.Node), Running: n.Status.running() == ecp.True, Connections: n.Status.Connections.Int(),
			Limit: n.Status.Limit.Limit(),
		})
	}
	if len(l.Nodes) > 0 {
		slices.SortFunc(l.Nodes, func(a, b ecp.ListenerNode) int { return strings.Compare(a.Node, b.Node) })
		l.Limit = l.LimitOfAll()
	}
	return l
}

// decodeListenerLimit reads the limit of one listener from its settings.
func decodeListenerLimit(body []byte) (int, error) {
	var l struct {
		Limit *emqxhttp.Count `json:"max_connections"`
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return 0, err
	}
	if l.Limit == nil {
		return 0, errNotIt
	}
	return l.Limit.Limit(), nil
}
