package k8sprovisioner

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// sized gives a claim that asks for some room and has some.
func sized(asks, has string, conditions ...corev1.PersistentVolumeClaimCondition) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: string(testID), UID: "uid",
		ResourceVersion: "7"}}
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(asks)}
	c.Status.Phase, c.Status.Conditions = corev1.ClaimBound, conditions
	c.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(has)}
	return c
}

func told(kind corev1.PersistentVolumeClaimConditionType, message string) corev1.PersistentVolumeClaimCondition {
	return corev1.PersistentVolumeClaimCondition{Type: kind, Status: corev1.ConditionTrue, Message: message}
}

// Why a volume is smaller than wanted is told as far as the claim tells it.
func TestPendingVolumes(t *testing.T) {
	const has = "it has 10Gi of 20Gi: "
	for name, c := range map[string]struct {
		claim  *corev1.PersistentVolumeClaim
		last   growth
		mayNot bool
		want   string
	}{
		"as wanted":          {claim: sized("20Gi", "20Gi")},
		"larger than wanted": {claim: sized("10Gi", "30Gi")},
		"not asked yet":      {claim: sized("10Gi", "10Gi"), want: has + "more is about to be asked for"},
		"no right": {claim: sized("10Gi", "10Gi"), mayNot: true, want: has +
			"the account has no right to patch persistentvolumeclaims; see deploy/kubernetes/rights.yaml"},
		"refused": {claim: sized("10Gi", "10Gi"), last: growth{to: "20Gi", why: "Kubernetes says: no"},
			want: has + "Kubernetes says: no"},
		"refused, of another": {claim: sized("10Gi", "10Gi"), last: growth{to: "15Gi", why: "Kubernetes says: no"},
			want: has + "more is about to be asked for"},
		"not begun": {claim: sized("20Gi", "10Gi"), want: has +
			"more has been asked for, and the storage driver has not begun"},
		"resizing": {claim: sized("20Gi", "10Gi", told(corev1.PersistentVolumeClaimResizing, "")),
			want: has + "it is being made larger"},
		"the file system waits": {
			claim: sized("20Gi", "10Gi", told(corev1.PersistentVolumeClaimResizing, ""),
				told(corev1.PersistentVolumeClaimFileSystemResizePending, "Waiting for user to (re-)start a pod")),
			want: has + "the volume is larger, and its file system is when its node has been started again " +
				"(restart does that, unless Kubernetes does it while the node runs): Waiting for user to (re-)start " +
				"a pod",
		},
		"the driver cannot": {
			claim: sized("20Gi", "10Gi", told(corev1.PersistentVolumeClaimResizing, ""),
				told(corev1.PersistentVolumeClaimControllerResizeError, "quota of disks exceeded")),
			want: has + "the storage driver cannot make it larger: quota of disks exceeded",
		},
	} {
		require.Equal(t, c.want, c.last.pending(c.claim, resource.MustParse("20Gi"), !c.mayNot), name)
	}
	going := sized("10Gi", "10Gi")
	going.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	require.Empty(t, growth{}.pending(going, resource.MustParse("20Gi"), true))
	require.Empty(t, growth{}.pending(sized("10Gi", "10Gi"), resource.Quantity{}, true), "nothing was applied yet")
}

// answering is an API server that gives one answer, and takes requests down.
func answering(t *testing.T, status int, answer string) (c *rest.Config, asked func() []string) {
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, r.Method+" "+path.Base(r.URL.Path)+" "+string(body))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}, func() []string { return requests }
}

const neverGrows = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,
	"message":"persistentvolumeclaims \"x\" is forbidden: the storageclass must support resize"}`

// growsIn lets the claims of a cluster grow, of which some are there already.
func growsIn(t *testing.T, c *rest.Config) (g *glimpse, grow func() error) {
	g = newGlimpse(t, 3)
	p, err := New(Config{REST: c})
	require.NoError(t, err)
	g.p = p
	for i, has := range []string{"10Gi", "20Gi", "10Gi"} {
		claim := sized(has, has)
		claim.Name = names{testID, major5}.claimOf(i)
		claim.UID = types.UID("uid-of-" + claim.Name)
		require.NoError(t, g.f.informers.caches[kindClaim].Add(claim))
	}
	g.expect(2)
	d := desired("5.8.9")
	d.Replicas, d.Spec.Nodes, d.Size.Storage.Size = 2, 2, "20Gi"
	in, err := newInput(d, testConfig())
	require.NoError(t, err)
	return g, func() error { return p.growClaims(t.Context(), g.f, in) }
}

// Only the very claim that is too small and is meant to be there asks for more,
// once, although the watch is behind.
func TestGrowAsksOnce(t *testing.T) {
	c, asked := answering(t, http.StatusOK, `{"kind":"PersistentVolumeClaim","apiVersion":"v1"}`)
	g, grow := growsIn(t, c)
	for range 3 {
		require.NoError(t, grow())
		drift, _ := g.p.drift(g.f)
		require.Empty(t, drift)
	}
	name := names{testID, major5}.claimOf(0)
	require.Equal(t, []string{"PATCH " + name + ` {"metadata":{"resourceVersion":"7","uid":"uid-of-` + name +
		`"},"spec":{"resources":{"requests":{"storage":"20Gi"}}}}`}, asked())
}

// A claim that cannot grow is told, rests, and holds up nothing.
func TestGrowRefused(t *testing.T) {
	c, asked := answering(t, http.StatusForbidden, neverGrows)
	g, grow := growsIn(t, c)
	for range 3 {
		require.NoError(t, grow())
	}
	require.Len(t, asked(), 1)
	v := g.p.volumes(g.f)
	require.Equal(t, "10Gi", v[0].Capacity)
	require.Contains(t, v[0].Pending, "the storageclass must support resize")
	require.Empty(t, v[1].Pending)
	require.Empty(t, v[2].Pending, "it is not meant to be there")
	require.False(t, g.p.memos[testID].growthAttempts["uid-of-data-"+types.UID(testID)+"-emqx-0"].paused(
		resource.MustParse("20Gi"), time.Now().Add(growRetry)))
}

// Under older rights nothing is asked for, and what is missing is told.
func TestGrowWithoutTheRight(t *testing.T) {
	c, asked := answering(t, http.StatusOK, `{}`)
	g, grow := growsIn(t, c)
	g.p.rights.missing = []*right{patchClaims, getClasses}
	require.NoError(t, grow())
	require.Empty(t, asked())
	drift, _ := g.p.drift(g.f)
	require.Empty(t, drift)
	require.Contains(t, g.p.volumes(g.f)[0].Pending, "no right to patch persistentvolumeclaims")

	d := desired("5.8.9")
	d.Spec.Storage = "fast"
	in, err := newInput(d, testConfig())
	require.NoError(t, err)
	missed := append(g.p.checkClass(t.Context(), clusterObjects{informers: g.f.informers, id: testID}, in),
		g.p.dryRunAll(t.Context(), g.f, input{Desired: d, want: resource.MustParse("20Gi")}, nil)...)
	require.Len(t, missed, 2)
	for i, word := range []string{"get storageclasses", "patch persistentvolumeclaims"} {
		require.Nil(t, ecp.RefusalOf(missed[i].err), "it refuses nothing")
		require.Contains(t, ecp.MessageOf(missed[i].err), word)
	}
	require.Empty(t, asked())
}

// The forced end of a pod is of the very pod in the version that was seen: one
// that has changed is looked at again first.
func TestReleaseOfTheVeryPod(t *testing.T) {
	answer := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`
	c, asked := answering(t, http.StatusConflict, answer)
	p, err := New(Config{REST: c})
	require.NoError(t, err)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: string(testID), Name: "x", UID: "uid",
		ResourceVersion: "7"}}
	require.NoError(t, p.forceDelete(t.Context(), testID, pod))
	pod.ResourceVersion = "8"
	require.NoError(t, p.forceDelete(t.Context(), testID, pod))
	require.Len(t, asked(), 2, "it is tried again")
	for i, version := range []string{"7", "8"} {
		body, found := strings.CutPrefix(asked()[i], "DELETE x k8s\x00")
		require.True(t, found, asked()[i])
		var sent runtime.Unknown
		require.NoError(t, sent.Unmarshal([]byte(body)))
		var o metav1.DeleteOptions
		require.NoError(t, o.Unmarshal(sent.Raw))
		require.Equal(t, version, *o.Preconditions.ResourceVersion)
		require.EqualValues(t, "uid", *o.Preconditions.UID)
		require.Zero(t, *o.GracePeriodSeconds)
	}
}
