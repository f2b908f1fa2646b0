package main_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// onKubernetes starts the daemon as it runs outside Kubernetes: a kubeconfig of
// the account that ships, brokers reached by port-forwards.
func onKubernetes(t *testing.T, kubeconfig, dataDir string, args ...string) *daemon {
	t.Helper()
	const token = "only-for-tests-0123456789abcdef"
	p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=" + token},
		append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dataDir, "--kubeconfig", kubeconfig},
			args...)...)
	return client(t, p, p.Line(t, readyLine), token)
}

// TestKubernetes is the main job on a real API server: clusters of both major
// versions are created, stopped, started and deleted over HTTP while the daemon
// is killed with SIGKILL in between.
func TestKubernetes(t *testing.T) {
	lab := labtest.Start(t)
	emqxpod.Start(t, lab)
	kubeconfig, dir := labtest.Shipped(t, lab), filepath.Join(t.TempDir(), "data")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := &killer{start: func() *daemon { return onKubernetes(t, kubeconfig, dir) },
		random: rand.New(rand.NewPCG(seed, 0))}
	k.d = k.start()
	kubectl := func(args ...string) string {
		out, err := lab.Kubectl(t.Context(), "", args...)
		require.NoError(t, err)
		return out
	}
	for _, image := range []string{"emqx-ee-4.4.24", "emqx-ee-5.8.9"} {
		body := fmt.Sprintf(
			`{"mode":"hosted","name":"killed","spec":{"image":%q,"nodes":3,"connections":1000,"network":{"type":"NodePort"}}}`, image)
		k.during(t, "POST", "/api/v1/clusters", body)
		id := k.only(t, "killed")
		path := "/api/v1/clusters/" + id
		c := k.d.reaches(t, id, "running")
		require.Len(t, c.Status.Nodes, 3)
		for _, n := range c.Status.Nodes {
			require.True(t, n.Member, "%+v", c)
			require.Equal(t, strings.TrimPrefix(image, "emqx-ee-"), n.Version)
		}
		require.Equal(t, pool{1000, 1}, k.d.pool(t))
		volumes := kubectl("get", "pvc", "-n", id, "-o", "jsonpath={.items[*].metadata.uid}")
		ports := kubectl("get", "service", "-n", id, "-o", "jsonpath={.items[*].spec.ports[*].nodePort}")
		require.Len(t, strings.Fields(volumes), 3)
		require.Len(t, strings.Fields(ports), 4)

		k.during(t, "POST", path+"/stop", "")
		k.d.reaches(t, id, "stopped")
		require.Empty(t, kubectl("get", "pods", "-n", id, "-o", "name"))

		k.during(t, "POST", path+"/start", "")
		k.d.reaches(t, id, "running")
		require.Equal(t, volumes, kubectl("get", "pvc", "-n", id, "-o", "jsonpath={.items[*].metadata.uid}"))
		require.Equal(t, ports, kubectl("get", "service", "-n", id, "-o",
			"jsonpath={.items[*].spec.ports[*].nodePort}"), "addresses once given stay")

		k.during(t, "DELETE", path, "")
		k.d.goes(t, id)
		require.Empty(t, kubectl("get", "namespace", id, "--ignore-not-found"))
		require.Equal(t, pool{}, k.d.pool(t))
	}
	olderDatabase(t, k, dir, kubectl)
	secondDaemon(t, k, kubeconfig, dir, kubectl)
}
