package observed

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Provisioner returns the one a cluster is made by.
func (m *Clusters) Provisioner(rec ecp.ClusterRecord) (ecp.Provisioner, error) {
	target := rec.Spec.Hosted.Target
	if p := m.Provisioners[target]; p != nil {
		return p, nil
	}
	if p := m.Added(target); p != nil {
		return p, nil
	}
	return nil, ecp.NewError(ecp.CodeUnavailable, "reach the platform",
		fmt.Sprintf("the Kubernetes target %q is not configured, or not up", target))
}

// AdapterFor returns the adapter for an EMQX version; nil if there is none.
func (m *Clusters) AdapterFor(version string) ecp.Adapter {
	v, ok := ecp.ParseVersion(version)
	if !ok {
		return nil
	}
	return m.adapterOf(v.Major)
}

// adapterOf is AdapterFor a major version.
func (m *Clusters) adapterOf(major int) ecp.Adapter {
	if a := m.Adapters[major]; a != nil || major < 5 {
		return a
	}
	return m.Adapters[5]
}

// way leads to a node of a cluster; node empty means any.
type way func(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error)

// Reach returns the way to a node for an actor.
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

// ReachAudited returns the way to any node that is ready, and says so in the audit.
func (m *Clusters) ReachAudited(ctx context.Context, right ecp.Right, id ecp.ID, action string, what any,
	way way) (ecp.Endpoint, error) {
	op := action + " of cluster " + string(id)
	e, unreachable := m.Reach(ctx, right, id, "", way)
	err := change.Do(ctx, m.Changes, change.Request{Op: op, Action: action, Kind: ecp.KindCluster, Key: string(id)},
		func(w *change.Tx) error {
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

// Endpoint returns the way to a node, by whatever leads to clusters of its mode.
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
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnsupported, "",
			fmt.Sprintf("the platform of the target %q offers no way to EMQX' management API", rec.Spec.Hosted.Target))
	}
	return access.Endpoint(ctx, rec.ID, node)
}
