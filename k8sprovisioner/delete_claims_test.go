package k8sprovisioner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// glimpse is what the watches of a Provisioner have brought, put there by hand.
type glimpse struct {
	*testing.T
	p *Provisioner
	f clusterObjects
}

// newGlimpse shows a StatefulSet of EMQX 5 that asks for some pods.
func newGlimpse(t *testing.T, replicas int32) *glimpse {
	p, err := New(Config{REST: &rest.Config{Host: "http://127.0.0.1:1"}})
	require.NoError(t, err)
	w := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: string(testID), Name: string(testID) + "-emqx", Annotations: map[string]string{},
	}}
	w.Spec.Replicas = &replicas
	return &glimpse{t, p, clusterObjects{informers: p.newInformers(func(ecp.ID) {}), id: testID, workload: w}}
}

func (g *glimpse) pod(i int) {
	n := names{testID, major5}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: string(testID), Name: n.pod(i)}}
	pod.Spec.NodeName = "somewhere"
	pod.Spec.Volumes = []corev1.Volume{{Name: claim, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: n.claimOf(i)},
	}}}
	require.NoError(g, g.f.informers.caches[kindPod].Add(pod))
}

func (g *glimpse) claim(i int, uid string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: string(testID), Name: names{testID, major5}.claimOf(i), UID: types.UID(uid),
	}}
	c.Status.Phase = corev1.ClaimBound
	require.NoError(g, g.f.informers.caches[kindClaim].Add(c))
	return c
}

func (g *glimpse) expect(below int) { g.p.withMemo(testID, func(m *memo) { m.expect(below) }) }

func TestLostClaim(t *testing.T) {
	for name, c := range map[string]struct {
		is    func(g *glimpse)
		below int
		lost  int // ordinal; -1 = none
	}{
		"all are there": {func(g *glimpse) { g.claim(0, "a"); g.pod(0) }, 1, -1},
		"new":           {func(*glimpse) {}, 3, -1},
		"of a pod":      {func(g *glimpse) { g.pod(0) }, 1, 0},
		"another now":   {func(g *glimpse) { g.claim(0, "a"); g.p.volumes(g.f); g.claim(0, "b") }, 1, 0},
		"while stopped": {func(g *glimpse) { g.stopped("2"); g.claim(0, "a") }, 2, 1},
		// Of nodes that have left, or are about to.
		"of a pod that goes":      {func(g *glimpse) { g.claim(0, "a"); g.pod(1) }, 1, -1},
		"of fewer, while stopped": {func(g *glimpse) { g.stopped("2"); g.claim(0, "a") }, 1, -1},
		"left behind": {func(g *glimpse) {
			g.claim(0, "a")
			c := g.claim(1, "b")
			g.p.volumes(g.f)
			g.expect(1)
			g.p.volumes(g.f)
			g.gone(c)
		}, 2, -1},
		"dropped": {func(g *glimpse) {
			g.claim(0, "a")
			c := g.claim(1, "b")
			g.drop(c,
				1)
			g.p.volumes(g.f)
			g.gone(c)
		}, 2, -1},
	} {
		t.Run(name, func(t *testing.T) {
			g, want := newGlimpse(t, 3), ""
			c.is(g)
			if c.lost >= 0 {
				want = names{testID, major5}.claimOf(c.lost)
			}
			require.Equal(t, want, g.p.lostClaim(g.f, c.below))
		})
	}
}

// TestTakeOver: what another owner of the cluster has deleted, and has let come again, is no
// loss; what goes while this one owns it is.
func TestTakeOver(t *testing.T) {
	g := newGlimpse(t, 3)
	as := func(epoch int64) context.Context { return ecp.WithOwnership(t.Context(), 7, epoch, nil) }
	g.p.takeOver(as(1), testID)
	g.claim(0, "a")
	g.p.volumes(g.f)
	g.claim(0, "b")
	for range 2 {
		g.p.takeOver(as(3), testID)
		require.Empty(t, g.p.lostClaim(g.f, 1))
		g.p.volumes(g.f)
	}
	g.p.takeOver(t.Context(), testID) // who only looks takes nothing over
	g.claim(0, "c")
	g.p.takeOver(as(3), testID)
	require.Equal(t, names{testID, major5}.claimOf(0), g.p.lostClaim(g.f, 1))
}

func (g *glimpse) stopped(volumes string) {
	g.f.workload.Spec.Replicas = new(int32)
	g.f.workload.Annotations[annotationVolumes] = volumes
}

func (g *glimpse) gone(c *corev1.PersistentVolumeClaim) {
	require.NoError(g, g.f.informers.caches[kindClaim].Delete(c))
}

// drop notes that the deletion of a claim was asked for.
func (g *glimpse) drop(c *corev1.PersistentVolumeClaim, ordinal int) {
	g.p.withMemo(testID, func(m *memo) { m.deletedClaims[ordinal] = string(c.UID) })
}

// TestDropAsksOnce: the very claim is deleted, once, although the watch is
// behind, and no other.
func TestDropAsksOnce(t *testing.T) {
	g := newGlimpse(t, 1)
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprint(r.Method, " ", path.Base(r.URL.Path), " ",
			bytes.Contains(body, []byte("uid-of-1"))))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	}))
	defer server.Close()
	p, err := New(Config{REST: &rest.Config{Host: server.URL}})
	require.NoError(t, err)
	g.p = p
	g.pod(0)
	g.pod(2)
	for i, uid := range []string{"uid-of-0", "uid-of-1", "uid-of-2"} {
		g.claim(i, uid)
	}
	require.NoError(t, g.f.informers.caches[kindStatefulSet].Add(g.f.workload))
	for range 3 {
		require.NoError(t, p.deleteClaims(t.Context(), g.f,
			ecp.Desired{ID: testID, Replicas: 1, Drop: []int{0, 1, 1, 2, 3}}))
	}
	require.Equal(t, []string{"DELETE data-" + string(testID) + "-emqx-1 true"}, asked)
	require.Equal(t, []bool{false, true, false}, going(p.volumes(g.f)))
}

// TestDroppedShowsAtOnce: a watch that is behind shows the claim as it was.
func TestDroppedShowsAtOnce(t *testing.T) {
	g := newGlimpse(t, 1)
	g.claim(0, "a")
	c := g.claim(1, "b")
	require.Equal(t, []bool{false, false}, going(g.p.volumes(g.f)))
	g.drop(c, 1)
	require.Equal(t, []bool{false, true}, going(g.p.volumes(g.f)))
	g.claim(1, "another")
	require.Equal(t, []bool{false, false}, going(g.p.volumes(g.f)))
}

func going(volumes []ecp.VolumeObservation) (out []bool) {
	for _, v := range volumes {
		out = append(out, v.Terminating)
	}
	return out
}

// TestOutdated: a pod is outdated when Kubernetes says what the newest revision
// is, and not before.
func TestOutdated(t *testing.T) {
	g := newGlimpse(t, 1)
	g.pod(0)
	g.p.rights.missing = []*right{getRevisions} // so that revisions are not compared
	outdated := func() bool {
		nodes, _ := g.p.nodes(t.Context(), g.f)
		return nodes[0].Outdated
	}
	w := g.f.workload
	w.Generation, w.Status.ObservedGeneration, w.Status.UpdateRevision = 2, 1, "of before"
	require.False(t, outdated())
	w.Status.ObservedGeneration = 2
	require.True(t, outdated())
	w.Status.UpdateRevision = ""
	require.False(t, outdated(), "the pod has that revision")
	g.f.workload = nil
	require.False(t, outdated())
}
