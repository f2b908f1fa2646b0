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

// evacuationBody is the body that starts an evacuation. The broker has defaults for missing
// fields.
type evacuationBody struct {
	ConnectionRate int      `json:"conn_evict_rate,omitempty"` // per second
	SessionRate    int      `json:"sess_evict_rate,omitempty"` // per second
	WaitTakeover   int64    `json:"wait_takeover,omitempty"`   // seconds
	To             []string `json:"migrate_to,omitempty"`
}

func evacuationBodyOf(o ecp.EvacuationOrder) evacuationBody {
	return evacuationBody{
		ConnectionRate: o.ConnectionRate, SessionRate: o.SessionRate, To: o.To,
		WaitTakeover: int64(math.Ceil(o.WaitTakeover.Seconds())),
	}
}

// StartEvacuation starts an evacuation. An evacuation of EMQX 4 does not wait for health
// checks, so WaitHealth has no effect.
func (b *broker) StartEvacuation(ctx context.Context, node string, o ecp.EvacuationOrder) error {
	if min(o.ConnectionRate, o.SessionRate) < 0 || min(o.WaitHealth, o.WaitTakeover) < 0 {
		return emqxhttp.Invalid("start evacuation", "order", "has a rate or a time below zero; 0 means the "+
			"broker's default")
	}
	return b.evacuate(ctx, node, "start", evacuationBodyOf(o), startedAlready,
		func(p ecp.EvacuationPhase) bool { return p != ecp.EvacuationNone })
}

// StopEvacuation stops an evacuation.
func (b *broker) StopEvacuation(ctx context.Context, node string) error {
	return b.evacuate(ctx, node, "stop", nil, evacuatedNot,
		func(p ecp.EvacuationPhase) bool { return p == ecp.EvacuationNone })
}

// evacuate starts or stops an evacuation. The message of a refusal is unreliable before
// 4.4.17. Then the call succeeds if the node is in the wanted phase.
func (b *broker) evacuate(ctx context.Context, node, verb string, body any, already []string,
	as func(ecp.EvacuationPhase) bool) error {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	if node == "" {
		return noNode(verb + " evacuation")
	}
	err := b.do(ctx, call{
		requires: evacuation, node: node, alreadyDone: already,
		Request: emqxhttp.Request{
			Method: http.MethodPost, Path: evacuationPath(node, verb), Body: body, Idempotent: true,
		},
	})
	if ecp.CodeOf(err) != ecp.CodeInvalid {
		return err
	}
	if p, askErr := b.evacuation(ctx, node); askErr == nil && as(p.Phase) {
		return nil
	}
	return err
}

// EvacuationProgress queries all evacuations, which every node knows.
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

// ownProgress returns the progress that the answering node knows without the others, if it
// is the node in question: whether it accepts clients, and how many it has.
func (b *broker) ownProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	self, err := b.self(ctx)
	if err == nil && self != node {
		err = errNotSelf
	}
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	a, err := b.client.Do(ctx, emqxhttp.Request{Path: availabilityPath, NoRetry: []int{http.StatusServiceUnavailable}})
	switch {
	case err != nil:
		return ecp.EvacuationProgress{}, err
	case a.OK():
		return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
	case a.Status != http.StatusServiceUnavailable:
		return ecp.EvacuationProgress{}, b.refused(a)
	}
	own, err := query(ctx, b, get(ofNode(node, statsOfAll.rest), always), decodeFigure[counters])
	if err == nil && own.err != "" {
		err = b.client.Fail(ecp.CodeUnavailable, "does not report its counters: "+b.client.Sanitize(own.err), nil)
	}
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	return ecp.EvacuationProgress{
		Phase: ecp.EvacuationUntold, Connections: firstCount(own.data.Live, own.data.Connections),
		Sessions: firstCount(own.data.Connections),
	}, nil
}

// progress queries the evacuations of the whole cluster.
func (b *broker) progress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	c := get(evacuationsPath, evacuation)
	c.noEnvelope = true
	all, err := ofAllMembers(ctx, b, func(ctx context.Context) (map[string]ecp.EvacuationProgress, error) {
		return query(ctx, b, c, emqxhttp.DecodeEvacuations)
	})
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	if p, ok := all[node]; ok {
		return p, nil
	}
	// The broker also knows nodes that are down.
	c = get(ofNode(node, ""), always)
	c.node = node
	own, err := query(ctx, b, c, decodeFigure[json.RawMessage])
	switch {
	case errors.Is(err, ecp.ErrNotFound):
		return ecp.EvacuationProgress{}, err
	case err == nil && own.err != "":
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "has no answer about "+
			b.client.Sanitize(node)+
			": "+b.client.Sanitize(own.err), nil)
	}
	if err := b.client.CallerGone(ctx); err != nil {
		return ecp.EvacuationProgress{}, err
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
}
