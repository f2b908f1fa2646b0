package ecp

import (
	"context"
	"fmt"
)

func (c *Catalog) targetShelf() *shelf[Target] {
	return &shelf[Target]{
		kind: KindTarget, what: "Kubernetes target", id: "name", read: RightCatalog, secret: "kubeconfig",
		key: func(t Target) string { return t.Name }, rev: func(t *Target) *int64 { return &t.Revision },
		set: func(t *Target, set bool) { t.KubeconfigSet = set },
		check: func(p *problems, t *Target) {
			validateSlug(p, "name", t.Name)
			validateDescription(p, t.Description)
			if !t.KubeconfigSet {
				p.add("kubeconfig", "is missing")
			}
			for _, f := range t.Network.Wrong() {
				p.add("network."+f.Field, "%s", f.Message)
			}
		},
		learn: func(_ *problems, t *Target, _ Secret) { t.KubeconfigSet = true },
		prepare: func(w *work, old, t *Target) error {
			t.BuiltIn = false
			if old != nil {
				t.CreatedAt, t.KubeconfigSet = old.CreatedAt, old.KubeconfigSet
				return keepsNetwork(w.Tx, *old, *t)
			}
			if c.builtInTarget(t.Name) {
				return &Error{Code: CodeExists, Message: "the program itself has a target of that name"}
			}
			t.CreatedAt = w.now
			return deleteIfThere(w.Tx, KindPlatform, t.Name) // of an earlier target of the name
		},
		uses: func(tx Tx, t Target) ([]use, error) {
			u, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Target == t.Name })
			return []use{u}, err
		},
	}
}

// CreateTarget adds a Kubernetes target; its kubeconfig is stored encrypted.
// Run begins to work with it at once.
func (c *Catalog) CreateTarget(ctx context.Context, t Target, kubeconfig Secret) (Target, error) {
	if err := c.tryTarget(ctx, "create Kubernetes target", t, kubeconfig); err != nil {
		return Target{}, err
	}
	t, err := c.targetShelf().create(ctx, c, t, kubeconfig)
	c.targetsChanged()
	return t, err
}

// UpdateTarget replaces a Kubernetes target; its revision is the one that was
// read, 0 = whatever. kubeconfig nil = it stays.
func (c *Catalog) UpdateTarget(ctx context.Context, t Target, kubeconfig *Secret) (Target, error) {
	op := "update Kubernetes target " + t.Name
	if err := c.refuseBuiltIn(ctx, op, t.Name); err != nil {
		return Target{}, err
	}
	if kubeconfig != nil && *kubeconfig == "" {
		return Target{}, &Error{Code: CodeInvalid, Op: op, Message: "the request is not valid", Fields: []FieldError{{"kubeconfig", "is empty; it can be replaced, not taken away"}}}
	}
	if kubeconfig != nil {
		if err := c.tryTarget(ctx, op, t, *kubeconfig); err != nil {
			return Target{}, err
		}
	}
	t, err := c.targetShelf().update(ctx, c, t, kubeconfig)
	c.targetsChanged()
	return t, err
}

// DeleteTarget removes a Kubernetes target that no cluster names.
func (c *Catalog) DeleteTarget(ctx context.Context, name string, ifRevision int64) error {
	if err := c.refuseBuiltIn(ctx, "delete Kubernetes target "+name, name); err != nil {
		return err
	}
	err := c.targetShelf().delete(ctx, c, name, ifRevision)
	c.targetsChanged()
	return err
}

// refuseBuiltIn refuses to change a target that the program was given.
func (c *Catalog) refuseBuiltIn(ctx context.Context, op, name string) error {
	if !c.builtInTarget(name) {
		return nil
	}
	if _, err := authorize(ctx, op, RightAdmin, ""); err != nil {
		return err
	}
	return fail(CodeUnsupported, op, "the program itself was given this target; it is changed where that is configured")
}

// tryTarget refuses a kubeconfig that no Provisioner can be made of. It is
// asked before the transaction, and reaches nobody.
func (c *Catalog) tryTarget(ctx context.Context, op string, t Target, kubeconfig Secret) error {
	a, ok := ActorFrom(ctx)
	if !ok || !a.May(RightAdmin, "") || kubeconfig == "" || len(kubeconfig) > MaxSecret || len(t.Network.Wrong()) > 0 {
		return nil // refused in the transaction
	}
	if c.hooks.TryTarget == nil {
		return fail(CodeUnsupported, op, "this program cannot add Kubernetes targets: it was given no Config.NewProvisioner")
	}
	if err := c.hooks.TryTarget(ctx, TargetConfig{Name: t.Name, Kubeconfig: kubeconfig, Network: t.Network}); err != nil {
		return &Error{Code: CodeInvalid, Op: op, Message: "the request is not valid", Fields: []FieldError{{"kubeconfig", "cannot be used: " + MessageOf(err)}}, Cause: err}
	}
	return nil
}

func (c *Catalog) builtInTarget(name string) bool {
	return c.hooks.BuiltIn != nil && c.hooks.BuiltIn(name)
}

func (c *Catalog) targetsChanged() {
	if c.hooks.TargetsChanged != nil {
		c.hooks.TargetsChanged()
	}
}

// keepsNetwork refuses to change what the nodes of clusters are named and reach one
// another by: EMQX has stored these names, and the clusters would not take part in
// the change.
func keepsNetwork(tx Tx, old, t Target) error {
	fields := t.Network.movedFrom(old.Network)
	if fields == "" {
		return nil
	}
	clusters, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Target == t.Name })
	if err != nil || clusters.count == 0 {
		return err
	}
	return &Error{
		Code: CodeConflict, Message: fmt.Sprintf("%s of the network cannot change while there are clusters on the target: their nodes keep the names and addresses that EMQX has stored; add another target, or delete these clusters first", fields),
	}
}
