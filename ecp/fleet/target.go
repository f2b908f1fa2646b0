package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Targets lists the Kubernetes targets, by name, with their health.
// Kubeconfigs are not shown.
func (m *Manager) Targets(ctx context.Context) ([]ecp.TargetInfo, error) {
	all, err := m.Catalog.Targets.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.observed.Provisioners)) {
		all = append(all,
			ecp.Target{Name: name, BuiltIn: true, Network: networkOf(m.observed.Provisioners[name]), Revision: 1})
	}
	slices.SortFunc(all, func(a, b ecp.Target) int { return strings.Compare(a.Name, b.Name) })
	used, err := m.targetUses(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]ecp.TargetInfo, len(all))
	for i, t := range all {
		out[i] = ecp.TargetInfo{Target: t, Health: m.healthOf(t.Name), Clusters: used[t.Name]}
	}
	return out, nil
}

// healthOf is what was last seen of a target, and who may write to it.
func (m *Manager) healthOf(name string) ecp.TargetHealth {
	h := m.targets.Health(name)
	p := m.observed.Provisioners[name]
	if p == nil {
		p = m.targets.Get(name)
	}
	if l := m.strange(name, p); l != nil {
		h.Lease = l
	} else if f, ok := p.(ecp.Fencer); ok {
		l := f.Lease()
		h.Lease = &l
	}
	return h
}

// Target returns a Kubernetes target by its name.
func (m *Manager) Target(ctx context.Context, name string) (ecp.TargetInfo, error) {
	all, err := m.Targets(ctx)
	if err != nil {
		return ecp.TargetInfo{}, err
	}
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
	}
	return ecp.TargetInfo{}, fault.Wrap("read Kubernetes target "+name,
		fault.NotFound("Kubernetes target", name, ecp.ErrNotFound))
}

// targetUses counts the clusters of each target, for who may see all of them.
func (m *Manager) targetUses(ctx context.Context) (map[string]int, error) {
	if a, _ := ecp.ActorFrom(ctx); !a.May(ecp.RightAdmin, "") {
		return nil, nil
	}
	all, err := m.observed.All(ctx)
	if err != nil {
		return nil, fault.Wrap("count clusters", err)
	}
	used := map[string]int{}
	for _, l := range all {
		used[l.Target]++
	}
	return used, nil
}

// tryTarget makes a Provisioner of a configuration, and closes it again.
func (m *Manager) tryTarget(ctx context.Context, t ecp.TargetConfig) error {
	p, err := m.newProvisioner(ctx, t)
	if err != nil {
		return err
	}
	return closeProvisioner(p)
}

func closeProvisioner(p ecp.Provisioner) error {
	if c, ok := p.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// targetFor returns the Provisioner of the target that a new cluster names.
func (m *Manager) targetFor(tx ecp.Tx, wrong *fault.Fields, name string) (ecp.Provisioner, error) {
	if p := m.observed.Provisioners[name]; p != nil {
		return p, nil
	}
	_, _, err := ecp.Get[ecp.Target](tx, name)
	if errors.Is(err, ecp.ErrNotFound) {
		wrong.Add("spec.target", "there is no Kubernetes target %q", name)
		return nil, nil //nolint:nilnil // what is wrong has been said
	}
	if err != nil {
		return nil, err
	}
	if p := m.targets.Get(name); p != nil {
		return p, nil
	}
	return nil, ecp.NewError(ecp.CodeUnavailable, "",
		fmt.Sprintf("the Kubernetes target %q is not up: %s", name, m.targets.Health(name).Message))
}

// networkOf returns what a Provisioner says of its target's network.
func networkOf(p ecp.Provisioner) ecp.TargetNetwork {
	if t, ok := p.(ecp.NetworkTeller); ok {
		return t.Network()
	}
	return ecp.TargetNetwork{}
}

// wrongFamily says why a version of EMQX cannot run on a target; empty means that
// it can.
func wrongFamily(version string, n ecp.TargetNetwork) string {
	if v, ok := ecp.ParseVersion(version); ok && v.Major == 4 && n.IPFamily == ecp.IPv6 {
		return "EMQX 4 reaches its other nodes over IPv4 only, and nodes on this Kubernetes target talk to one " +
			"another over IPv6; take EMQX 5.6 or later, or a target with IPv4"
	}
	return ""
}
