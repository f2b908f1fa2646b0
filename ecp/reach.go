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
	op := "reach cluster " + string(id)
	rec, err := m.readable(ctx, op, right, id)
	if err != nil {
		return Endpoint{}, err
	}
	e, err := m.endpoint(ctx, rec, node)
	if err != nil {
		return Endpoint{}, explain(op, err, "", "")
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
		if m.link == nil {
			return Endpoint{}, fail(CodeUnavailable, "", "no agent of the cluster is connected")
		}
		return m.link.Endpoint(ctx, rec.ID, node)
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
