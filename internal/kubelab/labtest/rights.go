package labtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/internal/kubelab"
)

// account is the service account of deploy/kubernetes.
const account = "system:serviceaccount:openecp-system:ecpd"

// granted keeps the labs of the test binary that have the rights.
var granted struct {
	mu  sync.Mutex
	lab map[*kubelab.Lab]string // guarded by mu; the kubeconfig for it
}

// Shipped applies the rights and the admission policy of deploy/kubernetes, once for
// each lab, and returns the path of a kubeconfig of their account.
func Shipped(t testing.TB, lab *kubelab.Lab) string {
	t.Helper()
	granted.mu.Lock()
	defer granted.mu.Unlock()
	if kubeconfig := granted.lab[lab]; kubeconfig != "" {
		return kubeconfig
	}
	root := moduleRoot(t)
	for _, file := range []string{"rights.yaml", "admission.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "kubernetes", file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lab.Kubectl(t.Context(), string(text), "apply", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig, err := lab.User(account, "system:serviceaccounts", "system:serviceaccounts:openecp-system")
	if err != nil {
		t.Fatal(err)
	}
	// The API server enforces a policy a moment after it was created.
	Eventually(t, 2*time.Minute, "the admission policy is in force", func(ctx context.Context) (bool, string) {
		out, err := lab.Kubectl(ctx, "",
			"--kubeconfig="+kubeconfig, "create", "namespace", "not-a-cluster", "--dry-run=server")
		if err == nil {
			return false, out
		}
		return strings.Contains(err.Error(), "ecpd may write only"), err.Error()
	})
	if granted.lab == nil {
		granted.lab = map[*kubelab.Lab]string{}
	}
	granted.lab[lab] = kubeconfig
	return kubeconfig
}

// moduleRoot returns the folder of go.mod above the package that is tested. The names of
// source files do not tell it where a build trims them.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the folder of the test")
	return ""
}
