package k8sprovisioner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// resizeSupport is what is known of the API server's subresource for resizing pods.
type resizeSupport struct {
	known    bool
	obstacle string // why pods cannot be resized; empty if they can
}

// checkResize finds out whether the API server resizes pods, again from time to time while
// it does not say.
func (p *Provisioner) checkResize(ctx context.Context) {
	for {
		list := new(metav1.APIResourceList)
		err := p.send(ctx, core(p.client).Get().AbsPath("/api/v1").
			SetHeader("Accept", "application/json"), list)
		if ctx.Err() != nil {
			return
		}
		support := resizeSupport{known: true}
		has := slices.ContainsFunc(list.APIResources,
			func(r metav1.APIResource) bool { return r.Name == "pods/resize" })
		switch {
		case err != nil:
			support.obstacle = "whether Kubernetes resizes pods could not be found out: " +
				ecp.MessageOf(failure("", err))
		case !has:
			support.obstacle = "this Kubernetes does not resize pods, which it does since 1.33"
		}
		p.mu.Lock()
		p.resizeSupport = support
		p.mu.Unlock()
		if err == nil || !sleep(ctx, rightsRecheck, nil) {
			return
		}
	}
}

// annotationResized marks a pod whose CPU or memory have been changed while it ran. It is in
// our own caches only: the managed fields, which say so, are too large to be kept.
const annotationResized = "openecp.io/resized"

// markResized sets the mark on a pod that has its managed fields.
func markResized(pod *corev1.Pod) {
	if !slices.ContainsFunc(pod.ManagedFields,
		func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "resize" }) {
		return
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[annotationResized] = "true"
}

// sameButResources reports whether two revisions of the StatefulSet make pods that differ
// in nothing but CPU and memory of EMQX. A revision never changes, and is read once. Where
// one cannot be read, or is not there, they are taken for different.
func (p *Provisioner) sameButResources(ctx context.Context, f clusterObjects, a, b string) (bool, error) {
	if p.rights.lacks(getRevisions) {
		return false, nil
	}
	var hashes [2]string
	for i, name := range []string{a, b} {
		p.withMemo(f.id, func(m *memo) { hashes[i] = m.revisions[name] })
		if hashes[i] != "" {
			continue
		}
		r := new(appsv1.ControllerRevision)
		err := p.send(ctx, apps(p.client).Get().Namespace(string(f.id)).Resource("controllerrevisions").Name(name), r)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			return false, nil
		case err != nil:
			return false, failure("read revision "+name, err)
		}
		if hashes[i], err = hashWithoutResources(r.Data.Raw); err != nil {
			return false, failure("read revision "+name, err)
		}
		p.withMemo(f.id, func(m *memo) { m.revisions[name] = hashes[i] })
	}
	return hashes[0] == hashes[1], nil
}

// hashWithoutResources identifies what a revision makes pods from, but for CPU and memory
// of EMQX.
func hashWithoutResources(revision []byte) (string, error) {
	var tree map[string]any
	if err := json.Unmarshal(revision, &tree); err != nil {
		return "", fmt.Errorf("decode a revision: %w", err)
	}
	at := any(tree)
	for _, key := range []string{"spec", "template", "spec", "containers"} {
		at = field(at, key)
	}
	list, _ := at.([]any)
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["name"] == container {
			resources, _ := m["resources"].(map[string]any)
			for _, kind := range []string{"requests", "limits"} {
				amounts, _ := resources[kind].(map[string]any)
				delete(amounts, string(corev1.ResourceCPU))
				delete(amounts, string(corev1.ResourceMemory))
				if len(amounts) == 0 {
					delete(resources, kind)
				}
			}
		}
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return "", fmt.Errorf("encode a revision: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
