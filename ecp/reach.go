package ecp

import (
	"context"
	"errors"
	"fmt"
)

// Endpoint gives the way to the management API of one of a cluster's nodes, by
// its EMQX name; "" = any that is ready. Whoever holds it can do what the
// broker's administrator can. right is what the actor must hold over the
// cluster's project: [RightWrite], unless the caller passes on nothing but reads
// it has vetted. Unavailable where no node can be reached now; not found where
// there is no cluster, or none that the actor may know of.
func (m *Manager) Endpoint(ctx context.Context, right Right, id ID, node string) (Endpoint, error) {
	return m.reach(ctx, right, id, node, m.endpoint)
}

// way leads to a node of a cluster; node "" = any.
type way func(ctx context.Context, rec ClusterRecord, node string) (Endpoint, error)

// reach gives the way to a node for an actor.
func (m *Manager) reach(ctx context.Context, right Right, id ID, node string, way way) (Endpoint, error) {
	op := "reach cluster " + string(id)
	rec, err := m.readable(ctx, op, right, id)
	if err != nil {
		return Endpoint{}, err
	}
	e, err := way(ctx, rec, node)
	if node == "" && errors.Is(err, ErrNotFound) { // the cluster is there, as a record
		err = fail(CodeUnavailable, "", "nothing of the cluster runs")
	}
	if err != nil {
		return Endpoint{}, explain(op, err, "", "")
	}
	return e, nil
}

// BrokerCall is one call to a broker's management API, as the audit keeps it.
type BrokerCall struct {
	Method string `json:"method"`
	// Path is as it was sent, escapes and all, without the query: what stands
	// there may be secret.
	Path string `json:"path"`
}

// EndpointForCall gives the way to a cluster's broker for one call that may
// change something there, and writes into the audit who makes it: the entry is
// stored before the way is given, and says that the call was let through, not
// what the broker made of it. It wants [RightWrite]; a refusal for want of it is
// in the audit, too.
func (m *Manager) EndpointForCall(ctx context.Context, id ID, call BrokerCall) (Endpoint, error) {
	return m.letThrough(ctx, RightWrite, id, "call broker", call, m.endpoint)
}

// letThrough gives the way to any node that is ready, and says so in the audit.
func (m *Manager) letThrough(ctx context.Context, right Right, id ID, action string, what any, way way) (Endpoint, error) {
	op := action + " of cluster " + string(id)
	e, unreachable := m.reach(ctx, right, id, "", way)
	err := do(ctx, m.Writer, request{op: op, action: action, kind: KindCluster, key: string(id)}, func(w *work) error {
		rec, _, err := loadTx(w.Tx, id)
		if errors.Is(err, ErrNotFound) {
			return noCluster("", id, nil)
		}
		if err != nil {
			return err
		}
		w.asked.scope = rec.Project
		if err := w.permit(right, rec.Project); errors.Is(err, ErrNotFound) {
			return noCluster("", id, errRefused)
		} else if err != nil {
			return err
		}
		if unreachable != nil {
			return unreachable
		}
		w.note(string(id), rec.Project, nil, what)
		return nil
	})
	if err != nil {
		return Endpoint{}, err
	}
	return e, nil
}

// readable loads a cluster over whose project the actor holds a right. Who may
// not even read it is told that there is none.
func (m *Manager) readable(ctx context.Context, op string, right Right, id ID) (ClusterRecord, error) {
	actor, err := authorize(ctx, op, RightRead, "")
	if err != nil {
		return ClusterRecord{}, err
	}
	rec, _, err := m.load(ctx, id)
	if err == nil {
		err = actor.permit(op, right, rec.Project)
	}
	if errors.Is(err, ErrNotFound) {
		return ClusterRecord{}, noCluster(op, id, nil)
	}
	if err != nil {
		return ClusterRecord{}, explain(op, err, "", "")
	}
	return rec, nil
}

// endpoint gives the way to a node, by whatever leads to clusters of its mode.
func (m *Manager) endpoint(ctx context.Context, rec ClusterRecord, node string) (Endpoint, error) {
	if rec.Mode == Adopted {
		return m.throughLink(ctx, rec, node)
	}
	p, err := m.provisioner(rec)
	if err != nil {
		return Endpoint{}, err
	}
	access, ok := p.(Accessor)
	if !ok {
		return Endpoint{}, fail(CodeUnsupported, "", fmt.Sprintf("the platform of the target %q offers no way to EMQX' management API", rec.Spec.Hosted.Target))
	}
	return access.Endpoint(ctx, rec.ID, node)
}
