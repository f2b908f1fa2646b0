package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

func (c *Catalog) targets() *Entries[ecp.Target] {
	return &Entries[ecp.Target]{
		c: c, try: c.mayChangeTarget,
		changed: func(context.Context, string, *ecp.Secret, error) {
			if c.hooks.TargetsChanged != nil {
				c.hooks.TargetsChanged()
			}
		},
		kind: ecp.KindTarget, what: "Kubernetes target", id: "name", read: ecp.RightCatalog, secret: "kubeconfig",
		key: func(t ecp.Target) string { return t.Name }, rev: func(t *ecp.Target) *int64 { return &t.Revision },
		set: func(t *ecp.Target, set bool) { t.KubeconfigSet = set },
		check: func(p *fault.Fields, t *ecp.Target) {
			validateSlug(p, "name", t.Name)
			validate.Description(p, t.Description)
			if !t.KubeconfigSet {
				p.Add("kubeconfig", "is missing")
			}
			for _, f := range t.Network.Wrong() {
				p.Add("network."+f.Field, "%s", f.Message)
			}
		},
		learn: func(_ *fault.Fields, t *ecp.Target, _ ecp.Secret) { t.KubeconfigSet = true },
		prepare: func(w *change.Tx, old, t *ecp.Target) error {
			t.BuiltIn = false
			if old != nil {
				t.CreatedAt, t.KubeconfigSet = old.CreatedAt, old.KubeconfigSet
				return keepsNetwork(w.Tx, *old, *t)
			}
			if c.builtInTarget(t.Name) {
				return &ecp.Error{Code: ecp.CodeExists, Message: "the program itself has a target of that name"}
			}
			t.CreatedAt = w.Now
			return w.Remove(ecp.KindPlatform, t.Name) // of an earlier target of the name
		},
		uses: func(tx ecp.Tx, t ecp.Target) ([]change.Use, error) {
			u, err := ClustersThat(tx,
				func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Target == t.Name })
			return []change.Use{u}, err
		},
	}
}

// mayChangeTarget refuses to change a target that the program was given, and a
// kubeconfig that no Provisioner can be made of.
func (c *Catalog) mayChangeTarget(
	ctx context.Context, verb, name string, t ecp.Target, kubeconfig *ecp.Secret,
) (undo func(), err error) {
	op := verb + " Kubernetes target"
	if verb != "create" {
		op += " " + name
		err = c.refuseBuiltIn(ctx, op, name)
	}
	if err != nil || kubeconfig == nil {
		return func() {}, err
	}
	if verb == "update" && *kubeconfig == "" {
		return nil, &ecp.Error{
			Code: ecp.CodeInvalid, Op: op, Message: "the request is not valid",
			Fields: []ecp.FieldError{{Field: "kubeconfig", Message: "is empty; it can be replaced, not taken away"}},
		}
	}
	return func() {}, c.tryTarget(ctx, op, t, *kubeconfig)
}

// refuseBuiltIn refuses to change a target that the program was given.
func (c *Catalog) refuseBuiltIn(ctx context.Context, op, name string) error {
	if !c.builtInTarget(name) {
		return nil
	}
	if _, err := ecp.Authorize(ctx, op, ecp.RightAdmin, ""); err != nil {
		return err
	}
	return ecp.NewError(ecp.CodeUnsupported, op,
		"the program itself was given this target; it is changed where that is configured")
}

// tryTarget refuses a kubeconfig that no Provisioner can be made of. It is
// asked before the transaction, and reaches nobody.
func (c *Catalog) tryTarget(ctx context.Context, op string, t ecp.Target, kubeconfig ecp.Secret) error {
	a, ok := ecp.ActorFrom(ctx)
	wellFormed := kubeconfig != "" && len(kubeconfig) <= MaxSecret && len(t.Network.Wrong()) == 0
	if !ok || !a.May(ecp.RightAdmin, "") || !wellFormed {
		return nil // refused in the transaction
	}
	if c.hooks.TryTarget == nil {
		return ecp.NewError(ecp.CodeUnsupported, op,
			"this program cannot add Kubernetes targets: it was given no Config.NewProvisioner")
	}
	if err := c.hooks.TryTarget(ctx,
		ecp.TargetConfig{Name: t.Name, Kubeconfig: kubeconfig, Network: t.Network}); err != nil {
		return &ecp.Error{
			Code:    ecp.CodeInvalid,
			Op:      op,
			Message: "the request is not valid",
			Fields:  []ecp.FieldError{{Field: "kubeconfig", Message: "cannot be used: " + ecp.MessageOf(err)}},
			Cause:   err,
		}
	}
	return nil
}

func (c *Catalog) builtInTarget(name string) bool {
	return c.hooks.BuiltIn != nil && c.hooks.BuiltIn(name)
}

// keepsNetwork refuses to change what the nodes of clusters are named and reach one
// another by: EMQX has stored these names, and the clusters would not take part in
// the change.
func keepsNetwork(tx ecp.Tx, old, t ecp.Target) error {
	fields := movedFrom(t.Network, old.Network)
	if fields == "" {
		return nil
	}
	clusters, err := ClustersThat(tx,
		func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Target == t.Name })
	if err != nil || clusters.Count == 0 {
		return err
	}
	return &ecp.Error{
		Code: ecp.CodeConflict,
		Message: fmt.Sprintf("%s of the network cannot change while there are clusters on the target: their nodes "+
			"keep the names and addresses that EMQX has stored; add another target, or delete these clusters first",
			fields),
	}
}

// movedFrom names the fields that make up the names and the way of nodes and that
// differ from those of another network; empty means none.
func movedFrom(n ecp.TargetNetwork, old ecp.TargetNetwork) string {
	var fields []string
	if n.WithDefaults().ClusterDomain != old.WithDefaults().ClusterDomain {
		fields = append(fields, "clusterDomain")
	}
	if n.IPFamily != old.IPFamily {
		fields = append(fields, "ipFamily")
	}
	return strings.Join(fields, " and ")
}
