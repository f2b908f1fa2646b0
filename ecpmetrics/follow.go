package ecpmetrics

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Run reads the fleet and follows its changes until ctx ends, which is the only
// way it returns. A store that does not answer is asked again, with growing
// pauses, and the fleet is left out of the metrics meanwhile. Operations that
// end then are not counted.
func (m *Metrics) Run(ctx context.Context) {
	ctx = ecp.WithActor(ctx, ecp.System)
	var pause time.Duration
	for {
		err := m.follow(ctx, func() { pause = 0 })
		m.fleet.lose()
		if ctx.Err() != nil {
			return
		}
		pause = longer(pause, m.retry)
		m.failed.Add(1)
		m.log.WarnContext(ctx, "metrics do not follow the fleet; it is read again", "error", err, "pause", pause)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// follow reads the fleet once and then its changes; what changes while it is
// read comes again afterwards and is right in the end.
func (m *Metrics) follow(ctx context.Context, works func()) error {
	at, err := m.manager.Position(ctx)
	if err != nil {
		return err
	}
	clusters, operations, err := m.read(ctx)
	if err != nil {
		return err
	}
	m.fleet.replace(clusters, operations)
	works()
	for c, err := range m.manager.Watch(ctx, at) {
		if err != nil {
			return err
		}
		m.fleet.apply(c)
	}
	return errors.New("the store's changes have come to an end")
}

// read lists every cluster, and the operations under way on them.
func (m *Metrics) read(ctx context.Context) (map[string]place, map[string]work, error) {
	clusters, operations := map[string]place{}, map[string]work{}
	cursor := ""
	for {
		page, err := m.manager.Clusters(ctx, ecp.ListOptions{Cursor: cursor, Limit: ecp.MaxListLimit})
		if err != nil {
			return nil, nil, err
		}
		for _, c := range page.Items {
			clusters[string(c.ID)] = placeOf(c.ClusterRecord)
			if c.Status.Operation == "" {
				continue
			}
			o, err := m.manager.Operation(ctx, c.Status.Operation)
			if ecp.CodeOf(err) == ecp.CodeNotFound {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if !o.Phase.Final() {
				operations[string(o.ID)] = work{o.Kind, o.Phase}
			}
		}
		if cursor = page.Next; cursor == "" {
			return clusters, operations, nil
		}
	}
}
