package emqxv5

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// StartEvacuation sends what is not zero in o; the broker has defaults for the
// rest.
func (b *broker) StartEvacuation(ctx context.Context, node string, o ecp.EvacuationOrder) error {
	body, err := orderOf(node, o)
	if err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.do(ctx, emqxhttp.Request{Method: http.MethodPost, Path: evacuationPath(node, "start"), Body: body, Again: true})
}

// StopEvacuation ends what is under way.
func (b *broker) StopEvacuation(ctx context.Context, node string) error {
	if err := checkNode("stop evacuation", node); err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.do(ctx, emqxhttp.Request{Method: http.MethodPost, Path: evacuationPath(node, "stop"), Again: true})
}

// EvacuationProgress asks what is under way in the whole cluster. A node that
// is not in it is looked for among the members.
func (b *broker) EvacuationProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	if err := checkNode("watch evacuation", node); err != nil {
		return ecp.EvacuationProgress{}, err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (ecp.EvacuationProgress, error) {
		return b.progress(ctx, node)
	}, func(ctx context.Context) (ecp.EvacuationProgress, error) { return b.ownProgress(ctx, node) })
}

// progress looks into what is under way in the whole cluster, which nobody tells
// while a member hangs.
func (b *broker) progress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	all, err := ofAll(ctx, b, func(ctx context.Context) (map[string]ecp.EvacuationProgress, error) {
		return ask(ctx, b, emqxhttp.Request{Path: globalPath}, decodeEvacuations)
	})
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	if p, ok := all[node]; ok {
		return p, nil
	}
	d, err := b.members(ctx)
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	at := slices.IndexFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == node })
	switch {
	case at < 0:
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeNotFound, "has no member "+b.client.Say(node)+"; Describe has the names", nil)
	case d.Nodes[at].Status != ecp.NodeRunning:
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "says nothing of "+b.client.Say(node)+", which is "+string(d.Nodes[at].Status)+
			"; an evacuation outlives a restart and goes on when the node is back", nil)
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
}

var errNotSelf = errors.New("it is another node that was asked")

// ownProgress is what the node itself, where it is the one that was asked, says
// without the others: whether it takes clients, and how many it has.
func (b *broker) ownProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	self, err := b.self(ctx)
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	if self != node {
		return ecp.EvacuationProgress{}, errNotSelf
	}
	takes, _ := b.takesClients(ctx)
	d, err := ask(ctx, b, emqxhttp.Request{Path: nodePath(node), Most: mostOfOne}, decodeNode)
	switch {
	case err != nil:
		return ecp.EvacuationProgress{}, err
	case takes == ecp.True:
		return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
	case takes != ecp.False:
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "does not say whether it takes clients", nil)
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationUntold, Connections: d.Nodes[0].Connections, Sessions: d.Nodes[0].Sessions}, nil
}

// order is the body that starts an evacuation. Times are in seconds.
type order struct {
	ConnectionRate int      `json:"conn_evict_rate,omitempty"`
	SessionRate    int      `json:"sess_evict_rate,omitempty"`
	WaitHealth     int64    `json:"wait_health_check,omitempty"`
	WaitTakeover   int64    `json:"wait_takeover,omitempty"`
	To             []string `json:"migrate_to,omitempty"`
}

// orderOf checks what is asked for.
func orderOf(node string, o ecp.EvacuationOrder) (order, error) {
	const op = "start evacuation"
	if err := checkNode(op, node); err != nil {
		return order{}, err
	}
	for _, f := range []struct {
		field string
		value int64
	}{{"connectionRate", int64(o.ConnectionRate)}, {"sessionRate", int64(o.SessionRate)}, {"waitHealth", int64(o.WaitHealth)}, {"waitTakeover", int64(o.WaitTakeover)}} {
		if f.value < 0 {
			return order{}, invalid(op, f.field, "must not be negative; 0 takes the broker's default")
		}
	}
	if slices.Contains(o.To, node) {
		return order{}, invalid(op, "to", "must not name the node that is evacuated")
	}
	return order{o.ConnectionRate, o.SessionRate, seconds(o.WaitHealth), seconds(o.WaitTakeover), o.To}, nil
}

// seconds rounds up, so that no wait becomes the broker's default.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}

// phases are the states of an evacuation. Those of a rebalance are spelled
// differently in part and are read, too.
var phases = map[string]ecp.EvacuationPhase{
	"waiting_health_check": ecp.EvacuationWaiting,
	"wait_health_check":    ecp.EvacuationWaiting,
	"evicting_conns":       ecp.EvacuationCutting,
	"waiting_takeover":     ecp.EvacuationTakeover,
	"wait_takeover":        ecp.EvacuationTakeover,
	"evicting_sessions":    ecp.EvacuationMoving,
	"prohibiting":          ecp.EvacuationProhibited,
}

var errNothingLeft = errors.New("it does not say how many clients and sessions are left")

// left is a count that is told or not: one that is not is never taken for none,
// which would end the node with its clients.
type left struct {
	emqxhttp.Count
	told bool
}

// UnmarshalJSON never fails.
func (l *left) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 31)
	l.Count, l.told = emqxhttp.Count(n), err == nil
	return nil
}

// decodeEvacuations reads /load_rebalance/global_status: the evacuations that
// are under way, by node.
func decodeEvacuations(body []byte) (map[string]ecp.EvacuationProgress, error) {
	var s struct {
		Evacuations *[]struct {
			Node  string         `json:"node"`
			State emqxhttp.Words `json:"state"`
			Stats struct {
				InitialConnections emqxhttp.Count `json:"initial_connected"`
				Connections        left           `json:"current_connected"`
				InitialSessions    emqxhttp.Count `json:"initial_sessions"`
				Sessions           left           `json:"current_sessions"`
			} `json:"stats"`
		} `json:"evacuations"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, err
	}
	if s.Evacuations == nil {
		return nil, errNotIt
	}
	all := map[string]ecp.EvacuationProgress{}
	for _, e := range *s.Evacuations {
		if e.Node == "" {
			return nil, errNoNode
		}
		phase, ok := phases[string(e.State)]
		if !ok {
			phase = ecp.EvacuationOther
		}
		if phase == ecp.EvacuationProhibited && (!e.Stats.Connections.told || !e.Stats.Sessions.told) {
			return nil, errNothingLeft
		}
		all[e.Node] = ecp.EvacuationProgress{
			Phase: phase, InitialConnections: e.Stats.InitialConnections.Int(), Connections: e.Stats.Connections.Int(),
			InitialSessions: e.Stats.InitialSessions.Int(), Sessions: e.Stats.Sessions.Int(),
		}
	}
	return all, nil
}
