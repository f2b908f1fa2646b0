package emqxv5

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// StartEvacuation starts an evacuation. The broker has defaults for the zero fields of o.
func (b *broker) StartEvacuation(ctx context.Context, node string, o ecp.EvacuationOrder) error {
	body, err := evacuationBodyOf(node, o)
	if err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.do(ctx, emqxhttp.Request{
		Method: http.MethodPost, Path: evacuationPath(node, "start"), Body: body, Idempotent: true,
	})
}

// StopEvacuation stops an evacuation.
func (b *broker) StopEvacuation(ctx context.Context, node string) error {
	if err := checkNode("stop evacuation", node); err != nil {
		return err
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.do(ctx, emqxhttp.Request{Method: http.MethodPost, Path: evacuationPath(node, "stop"), Idempotent: true})
}

// EvacuationProgress queries the evacuations of the whole cluster. If the node is not among
// them, it queries the members.
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

// progress queries the evacuations of the whole cluster, which the broker cannot answer
// while a member hangs.
func (b *broker) progress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	all, err := ofAllMembers(ctx, b, func(ctx context.Context) (map[string]ecp.EvacuationProgress, error) {
		return query(ctx, b, emqxhttp.Request{Path: globalPath}, emqxhttp.DecodeEvacuations)
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
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeNotFound, "has no member "+b.client.Sanitize(node)+
			"; Describe has the names", nil)
	case d.Nodes[at].Status != ecp.NodeRunning:
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "has no answer about "+
			b.client.Sanitize(node)+
			", which is "+string(d.Nodes[at].Status)+
			"; an evacuation survives a restart and continues when the node is back", nil)
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
}

var errNotSelf = errors.New("it is another node that was asked")

// ownProgress returns the progress that the answering node knows without the others, if it
// is the node in question: whether it accepts clients, and how many it has.
func (b *broker) ownProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	self, err := b.self(ctx)
	if err != nil {
		return ecp.EvacuationProgress{}, err
	}
	if self != node {
		return ecp.EvacuationProgress{}, errNotSelf
	}
	takes, _ := b.acceptsClients(ctx)
	d, err := query(ctx, b, emqxhttp.Request{Path: nodePath(node), MaxAnswer: maxOneNode}, decodeNode)
	switch {
	case err != nil:
		return ecp.EvacuationProgress{}, err
	case takes == ecp.True:
		return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
	case takes != ecp.False:
		return ecp.EvacuationProgress{}, b.client.Fail(ecp.CodeUnavailable, "does not say whether it accepts clients",
			nil)
	}
	return ecp.EvacuationProgress{
		Phase: ecp.EvacuationUntold, Connections: d.Nodes[0].Connections, Sessions: d.Nodes[0].Sessions,
	}, nil
}

// evacuationBody is the body that starts an evacuation. Times are in seconds.
type evacuationBody struct {
	ConnectionRate int      `json:"conn_evict_rate,omitempty"`
	SessionRate    int      `json:"sess_evict_rate,omitempty"`
	WaitHealth     int64    `json:"wait_health_check,omitempty"`
	WaitTakeover   int64    `json:"wait_takeover,omitempty"`
	To             []string `json:"migrate_to,omitempty"`
}

// evacuationBodyOf checks the order.
func evacuationBodyOf(node string, o ecp.EvacuationOrder) (evacuationBody, error) {
	const op = "start evacuation"
	if err := checkNode(op, node); err != nil {
		return evacuationBody{}, err
	}
	for _, f := range []struct {
		field string
		value int64
	}{{"connectionRate", int64(o.ConnectionRate)}, {"sessionRate", int64(o.SessionRate)},
		{"waitHealth", int64(o.WaitHealth)}, {"waitTakeover", int64(o.WaitTakeover)}} {
		if f.value < 0 {
			return evacuationBody{}, emqxhttp.Invalid(op, f.field, "must not be negative; 0 means the broker's default")
		}
	}
	if slices.Contains(o.To, node) {
		return evacuationBody{}, emqxhttp.Invalid(op, "to", "must not name the node that is evacuated")
	}
	return evacuationBody{o.ConnectionRate, o.SessionRate, seconds(o.WaitHealth), seconds(o.WaitTakeover), o.To}, nil
}

// seconds rounds up, so that a short wait does not become the broker's default.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
