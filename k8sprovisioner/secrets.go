package k8sprovisioner

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// secretRef is what the ConfigMap contains of a Secret, since Secrets are neither listed
// nor watched. The Secret is an owner of the ConfigMap, and the garbage collector removes
// its UID from there after the Secret was deleted.
type secretRef struct{ uid, hash string }

// secretRefs are the references to the Secrets of secretRows, by suffix.
type secretRefs map[string]secretRef

// secretRef returns the reference to a Secret. It is zero if there is no such Secret.
func (f clusterObjects) secretRef(r secretRow) secretRef {
	c, ok := f.informers.get(kindConfigMap, string(f.id), configName(f.id)).(*corev1.ConfigMap)
	if !ok || c.DeletionTimestamp != nil {
		return secretRef{}
	}
	for _, o := range c.OwnerReferences {
		if o.Kind == kindSecret && o.Name == r.name(f.id) {
			return secretRef{uid: string(o.UID), hash: c.Annotations[r.annotation]}
		}
	}
	return secretRef{}
}

// applySecrets writes the Secrets whose hash differs from the reference, deletes those
// that are neither wanted nor used, and sets the references for rendering.
//
// A change that somebody makes inside a Secret is not seen here. The next generation
// undoes it, since all Secrets are written for a new generation.
func (p *Provisioner) applySecrets(ctx context.Context, f clusterObjects, in *input) error {
	in.secretRefs = secretRefs{}
	if settingsRow.wanted(*in) {
		key, err := p.hashKey(ctx, f)
		if err != nil {
			return err
		}
		in.settings = settingsVersion(*in, key)
	}
	var leftover []secretRow
	for _, r := range secretRows {
		t, err := p.reconcileSecret(ctx, f, *in, r)
		if err != nil {
			return failure("apply cluster "+string(f.id)+": "+kindSecret+" "+r.name(f.id), err)
		}
		if t.uid != "" {
			in.secretRefs[r.suffix] = t
			if !r.wanted(*in) {
				leftover = append(leftover, r)
			}
		}
	}
	p.withMemo(f.id, func(m *memo) { m.unwantedSecrets = leftover })
	return nil
}

// reconcileSecret writes or deletes one Secret if needed, and returns the reference to it.
func (p *Provisioner) reconcileSecret(ctx context.Context, f clusterObjects, in input, r secretRow) (secretRef, error) {
	t := f.secretRef(r)
	if !r.wanted(in) {
		if t.uid == "" || f.usesSecret(r) {
			return t, nil
		}
		return p.removeSecret(ctx, f, r, t)
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
	made, err := p.writeSecret(ctx, f, o, t.uid != "")
	if err != nil {
		return t, err
	}
	return secretRef{uid: string(made.UID), hash: o.hash()}, nil
}

// writeSecret writes a Secret. As in converge, the write succeeds only for the UID and
// version that were read, or if there is still no such Secret. It is read where one is
// expected, and after a conflict.
func (p *Provisioner) writeSecret(ctx context.Context, f clusterObjects, o object,
	expected bool) (*corev1.Secret, error) {
	var was *corev1.Secret
	for try := 1; ; try++ {
		if expected || try > 1 {
			var err error
			if was, err = p.readSecret(ctx, f, o.name); err != nil {
				return nil, err
			}
		}
		made := new(corev1.Secret)
		r := applying(core(p.client), "secrets", f.secretToWrite(o, was)).Namespace(string(f.id))
		err := p.sendWrite(ctx, r, made)
		if err == nil {
			return made, nil
		}
		if !apierrors.IsConflict(err) || try == convergeTries {
			return nil, err
		}
	}
}

// secretToWrite returns the Secret to send in the place of the one that was read, which is
// nil if there is none.
func (f clusterObjects) secretToWrite(o object, was *corev1.Secret) object {
	if was == nil {
		return o.stamped(f.permit.epochStamp(), nil).onlyNew()
	}
	if o.name == settingsRow.name(f.id) {
		o = f.keepSettings(o, was)
	}
	return o.stamped(f.permit.epochStamp(), was)
}

// readSecret reads a Secret that is about to be written. It returns nil if there is none.
func (p *Provisioner) readSecret(ctx context.Context, f clusterObjects, name string) (*corev1.Secret, error) {
	o, err := p.read(ctx, core(p.client), "secrets", string(f.id), name, new(corev1.Secret))
	if err != nil || o == nil {
		return nil, err
	}
	s, _ := o.(*corev1.Secret)
	return s, f.permit.checkEpoch("write "+kindSecret+" "+name, s)
}

// usesSecret reports whether a pod uses a Secret, or the pod template does.
func (f clusterObjects) usesSecret(r secretRow) bool {
	specs := []corev1.PodSpec{}
	for _, f := range f.eachRole() {
		if f.workload != nil && (f.role == ecp.RoleCore || replicas(f) > 0) {
			specs = append(specs, f.workload.Spec.Template.Spec)
		}
		for _, pod := range f.pods() {
			specs = append(specs, pod.Spec)
		}
	}
	return slices.ContainsFunc(specs, func(s corev1.PodSpec) bool {
		return slices.Contains(s.ImagePullSecrets, corev1.LocalObjectReference{Name: r.name(f.id)}) ||
			slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool {
				return v.Secret != nil &&
					v.Secret.SecretName == r.name(f.id)
			}) ||
			len(secretKeys(s, r.name(f.id))) > 0
	})
}

// unusedSecrets names the Secrets that are not wanted, and that no pod uses any more.
func (p *Provisioner) unusedSecrets(f clusterObjects) []string {
	var rows []secretRow
	p.withMemo(f.id, func(m *memo) { rows = m.unwantedSecrets })
	var out []string
	for _, r := range rows {
		if f.secretRef(r).uid != "" && !f.usesSecret(r) {
			out = append(out, kindSecret+" "+r.name(f.id))
		}
	}
	return out
}

// removeSecret deletes the Secret of a reference, as it was read. It returns the reference
// to what is left.
func (p *Provisioner) removeSecret(ctx context.Context, f clusterObjects, r secretRow, t secretRef) (secretRef, error) {
	s, err := p.readSecret(ctx, f, r.name(f.id))
	if err != nil {
		return t, err
	}
	if s == nil || string(s.UID) != t.uid { // somebody was faster
		return secretRef{}, nil
	}
	err = p.sendWrite(ctx, core(p.client).Delete().Namespace(s.Namespace).Resource("secrets").Name(s.Name).
		Body(only(s)), nil)
	switch {
	case apierrors.IsConflict(err): // it has changed since: it is looked at again
		return t, nil
	case err != nil && !apierrors.IsNotFound(err):
		return t, err
	}
	return secretRef{}, nil
}

// hashKey is the key of the hashes of Secrets. It is the cookie, which never changes, and
// which everybody who may read Secrets can read anyway.
type hashKey struct {
	secretUID string // UID of the Secret it was read from
	key       []byte
}

func hashKeyOf(auth *corev1.Secret) hashKey { return hashKey{string(auth.UID), auth.Data[keyCookie]} }

// hashKey returns the key. It reads each auth Secret once.
func (p *Provisioner) hashKey(ctx context.Context, f clusterObjects) ([]byte, error) {
	var k hashKey
	p.withMemo(f.id, func(m *memo) { k = m.hashKey })
	if k.secretUID == f.auth && len(k.key) > 0 {
		return k.key, nil
	}
	s, err := p.readAuthSecret(ctx, f.id)
	if err != nil {
		return nil, err
	}
	if s == nil || len(s.Data[keyCookie]) == 0 {
		return nil, loss("read the cookie", ecp.ReasonSecretLost, "secret "+authName(f.id))
	}
	k = hashKeyOf(s)
	p.withMemo(f.id, func(m *memo) { m.hashKey = k })
	return k.key, nil
}
