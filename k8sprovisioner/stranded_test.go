package k8sprovisioner

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
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
