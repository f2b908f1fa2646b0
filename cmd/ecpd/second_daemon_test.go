package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// secondDaemon starts a daemon on a copy of the first one's directory, on the
// same Kubernetes: it waits, says who holds the target, and takes over when that
// one is killed. Pods are made once.
func secondDaemon(t *testing.T, k *killer, kubeconfig, dir string, kubectl func(args ...string) string) {
	t.Helper()
	id := k.d.create(t, "fenced", 2)
	k.d.reaches(t, id, "running")
	code, _ := k.d.Terminate(t)
	require.Zero(t, code)
	twin := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(twin, os.DirFS(dir)))
	k.d = k.start()
	holds := func(who string) string {
		return kubectl("get", "lease", "openecp", "-n", "openecp-system", "-o", "jsonpath={.spec."+who+"}")
	}
	processtest.Eventually(t, time.Minute, func() (bool, string) { h := holds("holderIdentity"); return h != "", h })
	pods := func() string { return kubectl("get", "pods", "-n", id, "-o", "jsonpath={.items[*].metadata.uid}") }
	workload := func() string {
		return kubectl("get", "sts", "-n", id, "-o", "jsonpath={.items[*].metadata.generation}")
	}
	before, generation := pods(), workload()

	two := onKubernetes(t, kubeconfig, twin)
	two.call(t, "PATCH", "/api/v1/clusters/"+id, `{"spec":{"nodes":3,"network":{"type":"NodePort"}}}`, nil, 202)
	host, err := os.Hostname()
	require.NoError(t, err)
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		a, err := two.try("GET", "/readyz", "")
		return err == nil && a.status == 503, string(a.body)
	})
	for _, path := range []string{"/readyz", "/api/v1/clusters/" + id + "/explain"} {
		processtest.Eventually(t, time.Minute, func() (bool, string) {
			a, err := two.try("GET", path, "")
			text := string(a.body)
			return err == nil && strings.Contains(text, "on host "+host), text
		})
	}
	k.d.call(t, "GET", "/readyz", "", nil, 200)
	require.Equal(t, before, pods())
	require.Equal(t, generation, workload(), "the second one has written nothing")

	k.d.Kill()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		c := two.cluster(t, id)
		return c.Status.State == "running" && c.Status.ReadyNodes == 3, c.Status.State + ": " + c.Status.Message
	})
	after := pods()
	for _, uid := range strings.Fields(before) {
		require.Contains(t, after, uid, "the nodes that were there are there")
	}
}
