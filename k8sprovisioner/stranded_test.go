package k8sprovisioner

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// Only what can be used on named machines alone counts as being on them.
func TestPinnedTo(t *testing.T) {
	in := func(key string, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
	}
	term := func(all ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: all}
	}
	notIn := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn,
		Values: []string{"a"}}
	for name, c := range map[string]struct {
		terms []corev1.NodeSelectorTerm
		want  []string
	}{
		"anywhere":     {},
		"one machine":  {[]corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "a"))}, []string{"a"}},
		"two machines": {[]corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "a", "b"))}, []string{"a", "b"}},
		"and a zone": {[]corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "a"), in("zone", "z"))},
			[]string{"a"}},
		"a zone":          {[]corev1.NodeSelectorTerm{term(in(corev1.LabelTopologyZone, "z"))}, nil},
		"not one machine": {[]corev1.NodeSelectorTerm{term(notIn)}, nil},
		"or a zone": {[]corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "a")),
			term(in(corev1.LabelTopologyZone, "z"))}, nil},
	} {
		v := new(corev1.PersistentVolume)
		if c.terms != nil {
			v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: c.terms}}
		}
		require.Equal(t, c.want, pinnedTo(v), name)
	}
}

// TestGiveUpVolume: whether the machine has gone is asked again right before, whatever was known; the very claim and
// pod are deleted.
func TestGiveUpVolume(t *testing.T) {
	name := names{testID, major5}
	for back, want := range map[bool][]string{
		true:  nil,
		false: {"DELETE " + name.claimOf(0) + " the very one", "POST eviction the very one"},
	} {
		var wrote []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			switch path.Base(r.URL.Path) {
			case "volume":
				fmt.Fprint(w, `{"kind":"PersistentVolume","apiVersion":"v1","spec":{"nodeAffinity":{"required":{
					"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In",
					"values":["m"]}]}]}}}}`)
			case "nodes":
				fmt.Fprint(w, `{"kind":"NodeList","apiVersion":"v1","items":`+map[bool]string{
					true: `[{"metadata":{"name":"m"}}]`, false: `[]`}[back]+`}`)
			default:
				what := fmt.Sprint(r.Method, " ", path.Base(r.URL.Path))
				if bytes.Contains(body, []byte("very-uid")) && bytes.Contains(body, []byte("very-version")) {
					what += " the very one"
				}
				wrote = append(wrote, what)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
			}
		}))
		defer server.Close()
		g := newGlimpse(t, 1)
		p, err := New(Config{REST: &rest.Config{Host: server.URL}})
		require.NoError(t, err)
		g.p = p
		c := g.claim(0, "very-uid")
		c.ResourceVersion, c.Spec.VolumeName = "very-version", "volume"
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name, pod.UID, pod.ResourceVersion = c.Namespace, name.pod(0), "very-uid", "very-version"
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable}}
		p.strands["volume"] = strand{checkedAt: time.Now(), reason: "it was gone a moment ago"}
		p.volumes(g.f)
		require.NoError(t, p.giveUpVolume(t.Context(), g.f, 0, pod, c))
		require.Equal(t, want, wrote, "the machine is back: %v", back)
		require.Equal(t, []bool{!back}, going(p.volumes(g.f)))

		scheduled := pod.DeepCopy()
		scheduled.Spec.NodeName = "m"
		other := c.DeepCopy()
		other.Name = name.claimOf(1)
		require.NoError(t, p.giveUpVolume(t.Context(), g.f, 0, scheduled, c))
		require.NoError(t, p.giveUpVolume(t.Context(), g.f, 0, pod, other))
		require.Equal(t, want, wrote)
	}
}
