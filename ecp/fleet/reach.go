package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// Endpoint gives the way to the management API of one of a cluster's nodes, by
// its EMQX name; "" = any that is ready. Whoever holds it can do what the
// broker's administrator can. right is what the actor must hold over the
// cluster's project: [ecp.RightWrite], unless the caller passes on nothing but reads
// it has vetted. Unavailable where no node can be reached now; not found where
// there is no cluster, or none that the actor may know of.
func (m *Manager) Endpoint(ctx context.Context, right ecp.Right, id ecp.ID, node string) (ecp.Endpoint, error) {
	return m.reach(ctx, right, id, node, m.endpoint)
}

// way leads to a node of a cluster; node "" = any.
type way func(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error)

// reach gives the way to a node for an actor.
func (m *Manager) reach(ctx context.Context, right ecp.Right, id ecp.ID, node string, way way) (ecp.Endpoint, error) {
	op := "reach cluster " + string(id)
	rec, err := m.readable(ctx, op, right, id)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	e, err := way(ctx, rec, node)
	if node == "" && errors.Is(err, ecp.ErrNotFound) { // the cluster is there, as a record
		err = ecp.NewError(ecp.CodeUnavailable, "", "nothing of the cluster runs")
	}
	if err != nil {
		return ecp.Endpoint{}, ecp.WrapError(op, err, "", "")
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
// what the broker made of it. It wants [ecp.RightWrite]; a refusal for want of it is
// in the audit, too.
func (m *Manager) EndpointForCall(ctx context.Context, id ecp.ID, call BrokerCall) (ecp.Endpoint, error) {
	return m.letThrough(ctx, ecp.RightWrite, id, "call broker", call, m.endpoint)
}

// letThrough gives the way to any node that is ready, and says so in the audit.
func (m *Manager) letThrough(ctx context.Context, right ecp.Right, id ecp.ID, action string, what any, way way) (ecp.Endpoint, error) {
	op := action + " of cluster " + string(id)
	e, unreachable := m.reach(ctx, right, id, "", way)
	err := change.Do(ctx, m.Writer, change.Request{Op: op, Action: action, Kind: ecp.KindCluster, Key: string(id)}, func(w *change.Tx) error {
		rec, _, err := loadTx(w.Tx, id)
		if errors.Is(err, ecp.ErrNotFound) {
			return noCluster("", id, nil)
		}
		if err != nil {
			return err
		}
		w.Asked.Scope = rec.Project
		if err := w.Permit(right, rec.Project); errors.Is(err, ecp.ErrNotFound) {
			return noCluster("", id, ecp.ErrRefused)
		} else if err != nil {
			return err
		}
		if unreachable != nil {
			return unreachable
		}
		w.Note(string(id), rec.Project, nil, what)
		return nil
	})
	if err != nil {
		return ecp.Endpoint{}, err
	}
	return e, nil
}

// readable loads a cluster over whose project the actor holds a right. Who may
// not even read it is told that there is none.
func (m *Manager) readable(ctx context.Context, op string, right ecp.Right, id ecp.ID) (ecp.ClusterRecord, error) {
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return ecp.ClusterRecord{}, err
	}
	rec, _, err := m.load(ctx, id)
	if err == nil {
		err = actor.Permit(op, right, rec.Project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.ClusterRecord{}, noCluster(op, id, nil)
	}
	if err != nil {
		return ecp.ClusterRecord{}, ecp.WrapError(op, err, "", "")
	}
	return rec, nil
}

// endpoint gives the way to a node, by whatever leads to clusters of its mode.
func (m *Manager) endpoint(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	if rec.Mode == ecp.Adopted {
		return m.throughLink(ctx, rec, node)
	}
	p, err := m.provisioner(rec)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	access, ok := p.(ecp.Accessor)
	if !ok {
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnsupported, "", fmt.Sprintf("the platform of the target %q offers no way to EMQX' management API", rec.Spec.Hosted.Target))
	}
	return access.Endpoint(ctx, rec.ID, node)
}
