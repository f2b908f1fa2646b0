package k8sprovisioner

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openecp/openecp/ecp"
)

// trace is what the ConfigMap tells of a Secret that is neither listed nor
// watched: the Secret is one of its owners, so that the garbage collector takes
// its UID off the ConfigMap when it has gone.
type trace struct{ uid, hash string }

// traces are those of secretRows, by suffix.
type traces map[string]trace

// traceOf reads the trace of a Secret; zero = it is not there.
func (f found) traceOf(r secretRow) trace {
	c, ok := f.sight.get(kindConfigMap, string(f.id), configName(f.id)).(*corev1.ConfigMap)
	if !ok || c.DeletionTimestamp != nil {
		return trace{}
	}
	for _, o := range c.OwnerReferences {
		if o.Kind == kindSecret && o.Name == r.name(f.id) {
			return trace{uid: string(o.UID), hash: c.Annotations[r.annotation]}
		}
	}
	return trace{}
}

// giveSecrets writes the Secrets that differ from what their traces tell,
// removes those that nobody wants or uses, and notes the traces of the others.
//
// What somebody changes in a Secret by hand leaves no trace: it is undone with
// the next generation, for which all are written.
func (p *Provisioner) giveSecrets(ctx context.Context, f found, in *input) error {
	in.traces = traces{}
	if settingsRow.wanted(*in) {
		key, err := p.hashKey(ctx, f)
		if err != nil {
			return err
		}
		in.settings = settingsVersion(*in, key)
	}
	var leftover []secretRow
	for _, r := range secretRows {
		t, err := p.giveSecret(ctx, f, *in, r)
		if err != nil {
			return failure("apply cluster "+string(f.id)+": "+kindSecret+" "+r.name(f.id), err)
		}
		if t.uid != "" {
			in.traces[r.suffix] = t
			if !r.wanted(*in) {
				leftover = append(leftover, r)
			}
		}
	}
	p.remember(f.id, func(m *memo) { m.leftover = leftover })
	return nil
}

// giveSecret does it for one Secret and gives its trace; zero = it is not there.
func (p *Provisioner) giveSecret(ctx context.Context, f found, in input, r secretRow) (trace, error) {
	t := f.traceOf(r)
	if !r.wanted(in) {
		if t.uid == "" || f.uses(r) {
			return t, nil
		}
		return trace{}, p.removeSecret(ctx, f.id, r, t.uid)
	}
	key, err := p.hashKey(ctx, f)
	if err != nil {
		return t, err
	}
	o, err := r.render(in, key)
	if err != nil {
		return t, err
	}
	if t.uid != "" && t.hash == o.hash() && f.generation() == in.Generation {
		return t, nil
	}
	if r.suffix == settingsRow.suffix {
		if err := p.keepSettings(ctx, f, o); err != nil {
			return t, err
		}
	}
	made := new(corev1.Secret)
	var seen metav1.Object
	if t.uid != "" {
		seen = &metav1.ObjectMeta{UID: uid(t.uid)}
	}
	o = o.stamped(f.pass.stamp(), seen)
	if err := p.sendWrite(ctx, applying(core(p.client), "secrets", o).Namespace(string(f.id)), made); err != nil {
		return t, err
	}
	return trace{uid: string(made.UID), hash: o.hash()}, nil
}

// uses says whether a pod, or one that may come, needs a Secret.
func (f found) uses(r secretRow) bool {
	specs := []corev1.PodSpec{}
	if f.workload != nil {
		specs = append(specs, f.workload.Spec.Template.Spec)
	}
	for _, pod := range f.pods() {
		specs = append(specs, pod.Spec)
	}
	return slices.ContainsFunc(specs, func(s corev1.PodSpec) bool {
		return slices.Contains(s.ImagePullSecrets, corev1.LocalObjectReference{Name: r.name(f.id)}) ||
			slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == r.name(f.id) }) ||
			len(secretKeys(s, r.name(f.id))) > 0
	})
}

// leftovers names the Secrets that nobody wants and, by now, uses.
func (p *Provisioner) leftovers(f found) []string {
	var rows []secretRow
	p.remember(f.id, func(m *memo) { rows = m.leftover })
	var out []string
	for _, r := range rows {
		if f.traceOf(r).uid != "" && !f.uses(r) {
			out = append(out, kindSecret+" "+r.name(f.id))
		}
	}
	return out
}

// removeSecret deletes the very Secret that was seen.
func (p *Provisioner) removeSecret(ctx context.Context, id ecp.ID, r secretRow, seen string) error {
	is := uid(seen)
	err := p.sendWrite(ctx, core(p.client).Delete().Namespace(string(id)).Resource("secrets").Name(r.name(id)).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &is}}), nil)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // somebody was faster
		return nil
	}
	return err
}

// hashKey is what the hashes of Secrets are keyed with: the cookie, which
// never changes and which whoever may read Secrets knows anyway.
type hashKey struct {
	auth string // UID of the Secret it was read from
	key  []byte
}

func hashKeyOf(auth *corev1.Secret) hashKey { return hashKey{string(auth.UID), auth.Data[keyCookie]} }

// hashKey reads the key once for each auth Secret.
func (p *Provisioner) hashKey(ctx context.Context, f found) ([]byte, error) {
	var k hashKey
	p.remember(f.id, func(m *memo) { k = m.hashKey })
	if k.auth == f.auth && len(k.key) > 0 {
		return k.key, nil
	}
	s, err := p.readAuth(ctx, f.id)
	if err != nil {
		return nil, err
	}
	if s == nil || len(s.Data[keyCookie]) == 0 {
		return nil, loss("read the cookie", ecp.ReasonSecretLost, "secret "+authName(f.id))
	}
	k = hashKeyOf(s)
	p.remember(f.id, func(m *memo) { m.hashKey = k })
	return k.key, nil
}
