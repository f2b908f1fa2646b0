package main_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// kubernetesNamed starts a Kubernetes that only says which one it is, and returns a kubeconfig
// of it.
func kubernetesNamed(t *testing.T, uid string) (kubeconfig string) {
	t.Helper()
	k := processtest.NewKubernetes(uid)
	t.Cleanup(k.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, k.Kubeconfig(), 0o600))
	return kubeconfig
}

// TestAnotherPlatform starts the daemon on a database whose clusters are on
// Kubernetes: with another Kubernetes and with --dev it is refused, until somebody
// says that the other Kubernetes is the one from now on. A database of simulated
// clusters is refused without --dev.
func TestAnotherPlatform(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	one, two := kubernetesNamed(t, "uid-one"), kubernetesNamed(t, "uid-two")
	d := onKubernetes(t, one, dir)
	d.create(t, "of the first", 1)
	code, _ := d.Terminate(t)
	require.Zero(t, code)

	refused := func(says []string, args ...string) {
		t.Helper()
		text := refuses(t, 1, nil, append([]string{"--data-dir", dir}, args...)...)
		for _, s := range says {
			assert.Contains(t, text, s)
		}
	}
	refused([]string{"holds clusters on Kubernetes", "give another --data-dir"}, "--dev")
	refused([]string{"(uid-two)", "(uid-one, known since", "--kubernetes-identity", "docs/operations.md"},
		"--kubeconfig", two)
	refused([]string{"--kubernetes-identity", "uid-two"}, "--kubeconfig", two, "--kubernetes-identity", "uid-three")
	d = onKubernetes(t, one, dir)
	require.Len(t, d.clusters(t), 1, "nothing has changed")
	_, _ = d.Terminate(t)

	d = onKubernetes(t, two, dir, "--kubernetes-identity", "uid-two")
	require.Len(t, d.clusters(t), 1)
	_, _ = d.Terminate(t)
	d = onKubernetes(t, two, dir)
	d.call(t, "POST", "/api/v1/kubernetes-targets/default/identity", `{"identity":"uid-one"}`, nil, 422)
	d.call(t, "POST", "/api/v1/kubernetes-targets/default/identity", `{"identity":"uid-two"}`, nil, 200)
	_, _ = d.Terminate(t)

	dir = filepath.Join(t.TempDir(), "simulated")
	s := dev(t, dir)
	_, _ = s.Terminate(t)
	began := time.Now()
	refused([]string{"holds simulated clusters", "give another --data-dir"}, "--kubeconfig", one)
	assert.Less(t, time.Since(began), 20*time.Second)
}
