package k8sprovisioner

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// TestDeployREADME runs what deploy/kubernetes/README.md tells people to run,
// and works with the kubeconfig that comes of it.
func TestDeployREADME(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "deploy", "kubernetes", "README.md"))
	require.NoError(t, err)
	script := []string{"set -euo pipefail"}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		script = append(script, block[1])
	}
	require.Len(t, script, 3)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(dir, "deploy")))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.Join(script, "\n"))
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "KUBECONFIG=" + lab.Kubeconfig, "PATH=" +
		filepath.Dir(lab.KubectlCommand(t.Context()).Path) + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	c, err := LoadREST(filepath.Join(dir, "ecpd.kubeconfig"))
	require.NoError(t, err)
	p := watched(t, Config{REST: c, Reach: PortForward}, nil)
	found, err := p.Observe(t.Context(), ecptest.NewID())
	require.NoError(t, err)
	require.Equal(t, ecp.Observation{Replicas: -1}, found)
}
