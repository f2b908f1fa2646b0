package ecp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// aboutClients lets do speak to EMQX about the clients of a node: through others,
// and where none of them can tell, because a member hangs, to the node itself.
func (m *Manager) aboutClients(ctx context.Context, p Provisioner, v view, node string, do func(context.Context, Evacuator) error) error {
	err := m.withEvacuator(ctx, p, v, node, do)
	i := slices.IndexFunc(v.look.Found.Nodes, func(n NodeObservation) bool { return n.Name == node && !n.Going && !n.Broken })
	if i < 0 || !errors.Is(err, ErrUnavailable) {
		return err
	}
	v.ready = v.look.Found.Nodes[i : i+1]
	if m.withEvacuator(ctx, p, v, "", do) != nil {
		return err
	}
	return nil
}

// waitsUnseen says that an evacuation whose phase nobody tells may be waiting
// for load balancers still: an empty node takes clients then.
func waitsUnseen(l Leaving, at EvacuationProgress, now time.Time, notice time.Duration) bool {
	return at.Phase == EvacuationUntold && (l.Begun.IsZero() || now.Before(l.Begun.Add(notice+askPatience)))
}

// nodeNames are the EMQX names of the nodes that are there.
func (v view) nodeNames() []string {
	var names []string
	for _, n := range v.look.Found.Nodes {
		names = append(names, n.Name)
	}
	return names
}
