package podsim

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// resize does what a storage driver and the kubelet do: it gives a selected claim
// that requests more than it has the requested capacity at once.
func (s *Sim) resize(ctx context.Context, o any) {
	claim, ok := o.(*corev1.PersistentVolumeClaim)
	if !ok || claim.DeletionTimestamp != nil || claim.Status.Phase != corev1.ClaimBound {
		return
	}
	asked, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if asked.Cmp(has) <= 0 {
		return
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": claim.UID},
		"status":   map[string]any{"capacity": corev1.ResourceList{corev1.ResourceStorage: asked}},
	})
	if err != nil {
		s.log.Error("encode a claim's status", "error", err)
		return
	}
	s.running.Go(func() { // the events of other objects come from this goroutine
		_, err := s.client.CoreV1().PersistentVolumeClaims(claim.Namespace).
			Patch(ctx, claim.Name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
		if err != nil && ctx.Err() == nil {
			s.log.Warn("resize a volume", "claim", claim.Namespace+"/"+claim.Name, "error", err)
		}
	})
}
