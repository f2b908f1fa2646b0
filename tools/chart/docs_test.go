package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// TestDocumented runs the commands of docs/kubernetes.md, one block after the other, with the
// real helm and kubectl. What needs an image or a container's own programs stands in blocks
// without a language, and is not run.
func TestDocumented(t *testing.T) {
	lab := labtest.Own(t)
	page, err := os.ReadFile("../../docs/kubernetes.md")
	require.NoError(t, err)
	here := t.TempDir()
	programs := filepath.Join(here, "bin")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", programs+"/",
		"helm.sh/helm/v3/cmd/helm").CombinedOutput()
	require.NoError(t, err, "%s", out)
	kubectl := lab.KubectlCommand(t.Context())
	require.NoError(t, os.WriteFile(filepath.Join(programs, "kubectl"),
		[]byte("#!/bin/sh\nexec '"+strings.Join(kubectl.Args, "' '")+"' \"$@\"\n"), 0o755))
	deploy, err := filepath.Abs("../../deploy")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(deploy, filepath.Join(here, "deploy")))

	authority, err := os.ReadFile(lab.CAFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(here, "ca.crt"), authority, 0o600)) // the reader's own

	blocks := strings.Split(string(page), "\n```sh\n")[1:]
	require.Greater(t, len(blocks), 10)
	for _, block := range blocks {
		script, _, whole := strings.Cut(block, "\n```")
		require.True(t, whole, block)
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = here
		cmd.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + here, "KUBECONFIG=" + lab.Kubeconfig,
			"DATABASE_PASSWORD=of the reader"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", script, out)
		t.Logf("%s\n%s", script, out)
	}
	for object, want := range map[string]string{
		"get statefulset,pvc,secret -n openecp-system -o name": "persistentvolumeclaim/data-ecpd-0\nsecret/ecpd-keys\n",
		"get clusterrole openecp-ecpd -o name":                 "clusterrole.rbac.authorization.k8s.io/openecp-ecpd\n",
	} {
		out, err := lab.Kubectl(t.Context(), "", strings.Fields(object)...)
		require.NoError(t, err)
		require.Equal(t, want, out)
	}
}
