package observed

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// way leads to a node of a cluster; node "" = any.
type way func(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error)

// Reach gives the way to a node for an actor.
func (m *Clusters) Reach(ctx context.Context, right ecp.Right, id ecp.ID, node string, way way) (ecp.Endpoint, error) {
	op := "reach cluster " + string(id)
	rec, err := m.LoadReadable(ctx, op, right, id)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	e, err := way(ctx, rec, node)
	if node == "" && errors.Is(err, ecp.ErrNotFound) { // the cluster is there, as a record
		err = ecp.NewError(ecp.CodeUnavailable, "", "nothing of the cluster runs")
	}
	if err != nil {
		return ecp.Endpoint{}, fault.Wrap(op, err)
	}
	return e, nil
}

// ReachAudited gives the way to any node that is ready, and says so in the audit.
func (m *Clusters) ReachAudited(ctx context.Context, right ecp.Right, id ecp.ID, action string, what any, way way) (ecp.Endpoint, error) {
	op := action + " of cluster " + string(id)
	e, unreachable := m.Reach(ctx, right, id, "", way)
	err := change.Do(ctx, m.Changes, change.Request{Op: op, Action: action, Kind: ecp.KindCluster, Key: string(id)}, func(w *change.Tx) error {
		rec, _, err := LoadTx(w.Tx, id)
		if errors.Is(err, ecp.ErrNotFound) {
			return NoCluster("", id, nil)
		}
		if err != nil {
			return err
		}
		w.Asked.Scope = rec.Project
		if err := w.Permit(right, rec.Project); errors.Is(err, ecp.ErrNotFound) {
			return NoCluster("", id, ecp.ErrNoRight)
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

// LoadReadable loads a cluster over whose project the actor holds a right. Who may
// not even read it is told that there is none.
func (m *Clusters) LoadReadable(ctx context.Context, op string, right ecp.Right, id ecp.ID) (ecp.ClusterRecord, error) {
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return ecp.ClusterRecord{}, err
	}
	rec, _, err := m.Load(ctx, id)
	if err == nil {
		err = actor.Permit(op, right, rec.Project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.ClusterRecord{}, NoCluster(op, id, nil)
	}
	if err != nil {
		return ecp.ClusterRecord{}, fault.Wrap(op, err)
	}
	return rec, nil
}

// Endpoint gives the way to a node, by whatever leads to clusters of its mode.
func (m *Clusters) Endpoint(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	if rec.Mode == ecp.Adopted {
		return m.throughLink(ctx, rec, node)
	}
	p, err := m.Provisioner(rec)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	access, ok := p.(ecp.Accessor)
	if !ok {
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnsupported, "", fmt.Sprintf("the platform of the target %q offers no way to EMQX' management API", rec.Spec.Hosted.Target))
	}
	return access.Endpoint(ctx, rec.ID, node)
}
