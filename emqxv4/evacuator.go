package emqxv4

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// order is the body that starts an evacuation. What is left out is the
// broker's default.
type order struct {
	ConnectionRate int      `json:"conn_evict_rate,omitempty"` // per second
	SessionRate    int      `json:"sess_evict_rate,omitempty"` // per second
	WaitTakeover   int64    `json:"wait_takeover,omitempty"`   // seconds
	To             []string `json:"migrate_to,omitempty"`
}

func orderOf(o ecp.EvacuationOrder) order {
	return order{
		ConnectionRate: o.ConnectionRate, SessionRate: o.SessionRate, To: o.To,
		WaitTakeover: int64(math.Ceil(o.WaitTakeover.Seconds())),
	}
}

// StartEvacuation begins. There is no wait for health checks in this major's
// evacuation; WaitHealth has no effect.
func (b *broker) StartEvacuation(ctx context.Context, node string, o ecp.EvacuationOrder) error {
	if min(o.ConnectionRate, o.SessionRate) < 0 || min(o.WaitHealth, o.WaitTakeover) < 0 {
		return invalid("start evacuation", "order", "has a rate or a time below zero; 0 takes the broker's default")
	}
	return b.evacuate(ctx, node, "start", orderOf(o), evacuatedAlready, func(p ecp.EvacuationPhase) bool { return p != ecp.EvacuationNone })
}

// StopEvacuation ends it.
func (b *broker) StopEvacuation(ctx context.Context, node string) error {
	return b.evacuate(ctx, node, "stop", nil, evacuatedNot, func(p ecp.EvacuationPhase) bool { return p == ecp.EvacuationNone })
}

// evacuate starts or stops. Before 4.4.17 the words of a refusal can be
// anything: what counts then is whether the node is as wanted.
func (b *broker) evacuate(ctx context.Context, node, verb string, body any, already []string, as func(ecp.EvacuationPhase) bool) error {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	if node == "" {
		return noNode(verb + " evacuation")
	}
	err := b.do(ctx, call{
		needs: evacuation, node: node, already: already,
		Request: emqxhttp.Request{Method: http.MethodPost, Path: evacuationPath(node, verb), Body: body, Again: true},
	})
	if ecp.CodeOf(err) != ecp.CodeInvalid {
		return err
	}
	if p, askErr := b.evacuation(ctx, node); askErr == nil && as(p.Phase) {
		return nil
	}
	return err
}

// EvacuationProgress asks for all evacuations, which any node knows.
func (b *broker) EvacuationProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	if node == "" {
		return ecp.EvacuationProgress{}, noNode("evacuation progress")
	}
	return b.evacuation(ctx, node)
}

func (b *broker) evacuation(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	return emqxhttp.Hedged(ctx, func(ctx context.Context) (ecp.EvacuationProgress, error) {
		return b.progress(ctx, node)
	}, func(ctx context.Context) (ecp.EvacuationProgress, error) { return b.ownProgress(ctx, node) })
}

var errNotSelf = errors.New("it is another node that was asked")

// ownProgress is what the node itself, where it is the one that was asked, says
// without the others: whether it takes clients, and how many it has.
func (b *broker) ownProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	self, err := b.self(ctx)
	if err == nil && self != node {
		err = errNotSelf
	}
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	a, err := b.client.Do(ctx, emqxhttp.Request{Path: availabilityPath, Answers: []int{http.StatusServiceUnavailable}})
	switch {
	case err != nil:
		return ecp.EvacuationProgress{}, err
	case a.OK():
		return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
	case a.Status != http.StatusServiceUnavailable:
		return ecp.EvacuationProgress{}, b.refused(a)
	}
	own, err := ask(ctx, b, get(ofNode(node, statsOfAll.rest), always), decodeFigure[counters])
	if err == nil && own.err != "" {
		err = b.client.Fail(ecp.CodeUnavailable, "does not tell its counters: "+b.client.Say(own.err), nil)
	}
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	return ecp.EvacuationProgress{
		Phase: ecp.EvacuationUntold, Connections: firstCount(own.data.Live, own.data.Connections), Sessions: firstCount(own.data.Connections),
	}, nil
}

// progress looks into what is under way in the whole cluster.
func (b *broker) progress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	c := get(evacuationsPath, evacuation)
	c.bare = true
	all, err := ofAll(ctx, b, func(ctx context.Context) (map[string]ecp.EvacuationProgress, error) {
		return ask(ctx, b, c, decodeEvacuations)
	})
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	if p, ok := all[node]; ok {
		return p, nil
	}
	// Whether there is such a node is known of those that are away, too.
	c = get(ofNode(node, ""), always)
	c.node = node
	own, err := ask(ctx, b, c, decodeFigure[json.RawMessage])
	switch {
	case errors.Is(err, ecp.ErrNotFound):
		return ecp.EvacuationProgress{}, err
	case err == nil && own.err != "":
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "says nothing of "+b.client.Say(node)+": "+b.client.Say(own.err), nil)
	}
	if err := b.client.Ended(ctx); err != nil {
		return ecp.EvacuationProgress{}, err
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
}

// phases are the broker's words for the domain's. waiting_health_check is
// EMQX 5's; 4.4.24 may have it too, where it notes a wait for health checks.
var phases = map[string]ecp.EvacuationPhase{
	"waiting_health_check": ecp.EvacuationWaiting,
	"evicting_conns":       ecp.EvacuationCutting,
	"waiting_takeover":     ecp.EvacuationTakeover,
	"evicting_sessions":    ecp.EvacuationMoving,
	"prohibiting":          ecp.EvacuationProhibited,
}

// decodeEvacuations reads global_status, which has no envelope, by node. What
// is left on a node has to be told: to take it for nothing would end it with
// its clients.
func decodeEvacuations(body []byte) (map[string]ecp.EvacuationProgress, error) {
	var status struct {
		Evacuations *[]struct {
			Node  string `json:"node"`
			State string `json:"state"`
			Stats struct {
				InitialConnections emqxhttp.Count `json:"initial_connected"`
				Connections        exactly        `json:"current_connected"`
				InitialSessions    emqxhttp.Count `json:"initial_sessions"`
				Sessions           exactly        `json:"current_sessions"`
			} `json:"stats"`
		} `json:"evacuations"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, err
	}
	if status.Evacuations == nil {
		return nil, errors.New("it has no list of evacuations")
	}
	all := map[string]ecp.EvacuationProgress{}
	for _, e := range *status.Evacuations {
		if e.Node == "" {
			return nil, errors.New("an evacuation names no node")
		}
		p := ecp.EvacuationProgress{
			Phase:              phases[e.State],
			InitialConnections: e.Stats.InitialConnections.Int(), Connections: e.Stats.Connections.n,
			InitialSessions: e.Stats.InitialSessions.Int(), Sessions: e.Stats.Sessions.n,
		}
		if p.Phase == "" {
			p.Phase = ecp.EvacuationOther
		}
		if p.Phase == ecp.EvacuationProhibited && (!e.Stats.Connections.told || !e.Stats.Sessions.told) {
			return nil, errors.New("it does not say how many clients and sessions are left")
		}
		all[e.Node] = p
	}
	return all, nil
}

// exactly is a count that is told or not: it is never taken for 0.
type exactly struct {
	n    int
	told bool
}

// UnmarshalJSON never fails.
func (e *exactly) UnmarshalJSON(b []byte) error {
	var n json.Number // takes strings, too
	_ = json.Unmarshal(b, &n)
	i, err := n.Int64()
	e.told = err == nil && i >= 0 && i <= math.MaxInt32
	if e.told {
		e.n = int(i)
	}
	return nil
}
