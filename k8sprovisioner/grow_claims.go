package k8sprovisioner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Volumes grow claim by claim, because the claim templates of a StatefulSet can never be
// changed. A later node gets a claim of the first size, which grows after it was bound.
// No claim shrinks: Kubernetes accepts no smaller request than the one before.

// growRetry is the pause after Kubernetes has refused to let a claim grow. Its class or
// a quota may have changed by then.
const growRetry = time.Minute

// growth is the last attempt to let a claim grow. The zero value means none.
type growth struct {
	to  string // the quantity that was requested
	at  time.Time
	why string // refusal of Kubernetes; empty if it was accepted
}

// paused reports whether no request is made at the moment, because the last one was
// refused not long ago, or the watch does not show its result yet.
func (g growth) paused(want resource.Quantity, now time.Time) bool {
	pause := growRetry
	if g.why == "" {
		pause = writeCacheLife
	}
	return g.to == want.String() && now.Sub(g.at) < pause
}

// undersized returns the bound claims of ordinals below a number that request less than
// want, in order of their ordinals.
func (f clusterObjects) undersized(want resource.Quantity, below int) []*corev1.PersistentVolumeClaim {
	var out []*corev1.PersistentVolumeClaim
	claims := f.claims()
	for _, i := range slices.Sorted(maps.Keys(claims)) {
		if c := claims[i]; i < below && c.DeletionTimestamp == nil && c.Status.Phase == corev1.ClaimBound &&
			requestedSize(c).Cmp(want) < 0 {
			out = append(out, c)
		}
	}
	return out
}

func requestedSize(c *corev1.PersistentVolumeClaim) *resource.Quantity {
	q := c.Spec.Resources.Requests[corev1.ResourceStorage]
	return &q
}

// claimsToGrow returns the undersized claims that are not paused.
func (p *Provisioner) claimsToGrow(f clusterObjects, want resource.Quantity,
	below int) []*corev1.PersistentVolumeClaim {
	if want.IsZero() || p.rights.lacks(patchClaims) {
		return nil
	}
	thin := f.undersized(want, below)
	p.withMemo(f.id, func(m *memo) {
		now := time.Now()
		thin = slices.DeleteFunc(thin, func(c *corev1.PersistentVolumeClaim) bool {
			return m.growthAttempts[c.UID].paused(want, now)
		})
	})
	return thin
}

// growClaims requests the wanted size. A refusal of Kubernetes holds up nothing: it is
// shown with the volume, and the request is made again later.
func (p *Provisioner) growClaims(ctx context.Context, f clusterObjects, in input) error {
	p.withMemo(f.id, func(m *memo) { m.want = in.want })
	for _, c := range p.claimsToGrow(f, in.want, claimCount(in.Desired)) {
		err := p.sendWrite(ctx, growRequest(p, c, in.want), nil)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it is looked at again
			continue
		case err != nil && !errors.As(err, new(apierrors.APIStatus)):
			return err
		}
		g := growth{to: in.want.String(), at: time.Now()}
		if err != nil {
			g.why = ecp.MessageOf(failure("", err))
		}
		p.withMemo(f.id, func(m *memo) { m.growthAttempts[c.UID] = g })
	}
	return nil
}

// growRequest returns the request that lets the claim of this UID and version grow.
func growRequest(p *Provisioner, c *corev1.PersistentVolumeClaim, to resource.Quantity) *rest.Request {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": c.UID, "resourceVersion": c.ResourceVersion},
		"spec":     map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": to.String()}}},
	})
	if err != nil {
		panic(err) // texts always encode
	}
	return core(p.client).Patch(types.MergePatchType).Namespace(c.Namespace).Resource("persistentvolumeclaims").
		Name(c.Name).
		VersionedParams(&metav1.PatchOptions{FieldManager: fieldManager}, parameterCodec).Body(body)
}

// capacity returns the size of a claim's volume, or an empty string if there is none yet.
func capacity(c *corev1.PersistentVolumeClaim) string {
	q, ok := c.Status.Capacity[corev1.ResourceStorage]
	if !ok {
		return ""
	}
	return q.String()
}

// pending returns the reason why the volume of a claim is smaller than wanted, or an
// empty string if it is not.
func (g growth) pending(c *corev1.PersistentVolumeClaim, want resource.Quantity, mayAsk bool) string {
	has := c.Status.Capacity[corev1.ResourceStorage]
	if want.IsZero() || c.Status.Phase != corev1.ClaimBound || c.DeletionTimestamp != nil || has.Cmp(want) >= 0 {
		return ""
	}
	return fmt.Sprintf("it has %s of %s: %s", has.String(), want.String(), g.waitingFor(c, want, mayAsk))
}

func (g growth) waitingFor(c *corev1.PersistentVolumeClaim, want resource.Quantity, mayAsk bool) string {
	switch {
	case requestedSize(c).Cmp(want) >= 0:
		return resizeProgress(c)
	case g.to == want.String() && g.why != "":
		return g.why
	case !mayAsk:
		return "the account has no right to patch persistentvolumeclaims; see deploy/kubernetes/rights.yaml"
	}
	return "more is about to be asked for"
}

// resizeConditions are the conditions of a claim that show how far its growth is, the
// most informative one first.
var resizeConditions = []struct {
	kind corev1.PersistentVolumeClaimConditionType
	says string
}{
	{corev1.PersistentVolumeClaimControllerResizeError, "the storage driver cannot make it larger"},
	{corev1.PersistentVolumeClaimNodeResizeError, "its file system cannot be made larger"},
	{corev1.PersistentVolumeClaimFileSystemResizePending,
		"the volume is larger, and its file system is when its node has been started again (restart does that, " +
			"unless Kubernetes does it while the node runs)"},
	{corev1.PersistentVolumeClaimResizing, "it is being made larger"},
}

// resizeProgress returns how far the requested growth of a claim is.
func resizeProgress(c *corev1.PersistentVolumeClaim) string {
	for _, r := range resizeConditions {
		for _, is := range c.Status.Conditions {
			if is.Type == r.kind && is.Status == corev1.ConditionTrue {
				return prefixed(r.says, is.Message)
			}
		}
	}
	return "more has been asked for, and the storage driver has not begun"
}
