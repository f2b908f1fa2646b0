package k8sprovisioner

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A namespace that merely lost our label is not somebody else's.
func TestOursWithoutALabel(t *testing.T) {
	made := map[string]string{annotationName: "a", annotationProject: "default/default"}
	for name, c := range map[string]struct {
		labels, annotations map[string]string
		ours                bool
	}{
		"the label is off":         {map[string]string{"app.kubernetes.io/managed-by": "openecp"}, made, true},
		"all labels are off":       {nil, made, true},
		"the label of another":     {map[string]string{labelCluster: "emqx-00000001"}, made, false},
		"somebody else's":          {nil, nil, false},
		"half of what we write":    {nil, map[string]string{annotationName: "a"}, false},
		"named by somebody's tool": {map[string]string{"app.kubernetes.io/managed-by": "helm"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.ours, ours(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: c.labels,
				Annotations: c.annotations}}))
		})
	}
	f := clusterObjects{id: testID, unlabeled: true,
		unlabeledClaims: map[int]*corev1.PersistentVolumeClaim{1: {ObjectMeta: metav1.ObjectMeta{Name: "data-x-1"}}}}
	require.Equal(t, []string{
		"the namespace emqx-1a2b3c4d has lost its label, and nothing is written in it until it is back: kubectl " +
			"label namespace emqx-1a2b3c4d openecp.io/cluster=emqx-1a2b3c4d",
		"the claim data-x-1 has lost its label; its data is there: kubectl label pvc -n emqx-1a2b3c4d data-x-1 " +
			"openecp.io/cluster=emqx-1a2b3c4d",
	}, f.labelObstacles())
}
