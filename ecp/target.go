package ecp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Target is a Kubernetes cluster that hosted clusters are made on.
type Target struct {
	Name          string `json:"name"` // slug; what HostedSpec.Target names; never changes
	Description   string `json:"description"`
	KubeconfigSet bool   `json:"kubeconfigSet"` // false for one that the program itself was given
	BuiltIn       bool   `json:"builtIn"`       // of Config.Provisioners: cannot be changed here
	// Network is what clusters are made with that are made from now on.
	Network   TargetNetwork `json:"network,omitzero"`
	CreatedAt time.Time     `json:"createdAt,omitzero"`
	Revision  int64         `json:"revision"` // grows with every change; the ETag
}

// TargetInfo is a target with what is seen of it.
type TargetInfo struct {
	Target
	Health TargetHealth `json:"health"`
	// Clusters is how many name it; only counted for who may see all of them.
	Clusters int `json:"clusters"`
}

// TargetHealth says whether a target can be seen. It is looked up every few
// seconds while Run runs.
type TargetHealth struct {
	Reachable Truth     `json:"reachable"`
	Message   string    `json:"message,omitempty"` // why not
	Since     time.Time `json:"since,omitzero"`    // when Reachable last changed
	CheckedAt time.Time `json:"checkedAt,omitzero"`
	// Lease is the right to write there: one daemon has it at a time. nil = this
	// kind of platform has none, or the target is not up.
	Lease *Lease `json:"lease,omitempty"`
	// Warnings are what should be mended although the target works.
	Warnings []string `json:"warnings,omitempty"`
}

// TargetConfig is what a Provisioner for a target is made of.
type TargetConfig struct {
	Name       string
	Kubeconfig Secret
	Network    TargetNetwork
}

// ProvisionerFactory makes the Provisioner of a target that was added at run
// time. It checks the configuration and starts nothing, reaches nobody, and
// keeps no reference to ctx: a Watcher begins with Watch. What has resources
// of its own implements io.Closer, which is called after Watch has returned.
type ProvisionerFactory func(ctx context.Context, t TargetConfig) (Provisioner, error)

// Describe gives kind, key and index.
func (t Target) Describe() (Kind, string, Index) { return KindTarget, t.Name, Index{} }

// Copy gives t itself: it holds no reference.
func (t Target) Copy() Payload { return t }

// Targets lists the Kubernetes targets, by name, with their health.
// Kubeconfigs are not shown.
func (m *Manager) Targets(ctx context.Context) ([]TargetInfo, error) {
	all, err := m.targetShelf().list(ctx, m.Catalog)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(m.provisioners) {
		all = append(all, Target{Name: name, BuiltIn: true, Network: networkOf(m.provisioners[name]), Revision: 1})
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.Name, b.Name) })
	used, err := m.targetUses(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]TargetInfo, len(all))
	for i, t := range all {
		out[i] = TargetInfo{Target: t, Health: m.healthOf(t.Name), Clusters: used[t.Name]}
	}
	return out, nil
}

// healthOf is what was last seen of a target, and who may write to it.
func (m *Manager) healthOf(name string) TargetHealth {
	h := m.targets.health(name)
	p := m.provisioners[name]
	if p == nil {
		p = m.targets.get(name)
	}
	if l := m.strange(name, p); l != nil {
		h.Lease = l
	} else if f, ok := p.(Fencer); ok {
		l := f.Lease()
		h.Lease = &l
	}
	return h
}

// Target gives a Kubernetes target by its name.
func (m *Manager) Target(ctx context.Context, name string) (TargetInfo, error) {
	all, err := m.Targets(ctx)
	if err != nil {
		return TargetInfo{}, err
	}
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
	}
	return TargetInfo{}, explain("read Kubernetes target "+name, noSuch("Kubernetes target", name, ErrNotFound), "", "")
}

// targetUses counts the clusters of each target, for who may see all of them.
func (m *Manager) targetUses(ctx context.Context) (map[string]int, error) {
	if a, _ := ActorFrom(ctx); !a.May(RightAdmin, "") {
		return nil, nil
	}
	all, err := m.roster.all(ctx, m.store)
	if err != nil {
		return nil, explain("count clusters", err, "", "")
	}
	used := map[string]int{}
	for _, l := range all {
		used[l.target]++
	}
	return used, nil
}

// tryTarget makes a Provisioner of a configuration, and closes it again.
func (m *Manager) tryTarget(ctx context.Context, t TargetConfig) error {
	p, err := m.newProvisioner(ctx, t)
	if err != nil {
		return err
	}
	return closeProvisioner(p)
}

func closeProvisioner(p Provisioner) error {
	if c, ok := p.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// targetFor gives the Provisioner of the target that a new cluster names.
func (m *Manager) targetFor(tx Tx, wrong *problems, name string) (Provisioner, error) {
	if p := m.provisioners[name]; p != nil {
		return p, nil
	}
	_, _, err := Get[Target](tx, name)
	if errors.Is(err, ErrNotFound) {
		wrong.add("spec.target", "there is no Kubernetes target %q", name)
		return nil, nil //nolint:nilnil // what is wrong has been said
	}
	if err != nil {
		return nil, err
	}
	if p := m.targets.get(name); p != nil {
		return p, nil
	}
	return nil, fail(CodeUnavailable, "", fmt.Sprintf("the Kubernetes target %q is not up: %s", name, m.targets.health(name).Message))
}
