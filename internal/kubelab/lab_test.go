package kubelab_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab/labtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(labtest.M(m)) }

func TestKubectlSeesNodesAndDefaultStorage(t *testing.T) {
	lab := labtest.Start(t)
	out, err := lab.Kubectl(t.Context(), "", "get", "nodes,storageclasses")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"node-0 ", "node-1 ", "node-2 ", "standard (default)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
