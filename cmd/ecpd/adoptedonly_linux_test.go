package main_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAdoptedClustersNeedNoKubernetes: whoever only adopts clusters has none. Where
// hosted ones are recorded, a daemon without it would take them for lost.
func TestAdoptedClustersNeedNoKubernetes(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount/token"); err == nil {
		t.Skip("this is a pod with a service account: here there is a Kubernetes")
	}
	data, token := filepath.Join(t.TempDir(), "data"), "0123456789abcdef0123456789abcdef"
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--cluster-agent",
		"https://ecp.example.com"}
	begin := func(more ...string) *daemon {
		p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=" + token}, append(args, more...)...)
		return client(t, p, p.Line(t, readyLine), token)
	}
	hosted := `{"mode":"hosted","name":"made","spec":{"image":"emqx-ee-5.8.9","nodes":1,"size":"1C1G","connections":100}}`

	d := begin()
	d.Logs(t, "no Kubernetes: clusters are adopted")
	d.call(t, "GET", "/readyz", "", nil, 200)
	d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"found"}`, nil, 201)
	answer := d.call(t, "POST", "/api/v1/clusters", hosted, nil, 422)
	assert.Contains(t, string(answer.body), `there is no Kubernetes target \"default`)
	d.Terminate(t)

	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(nowhere), 0o600))
	d = begin("--kubeconfig", kubeconfig)
	d.call(t, "POST", "/api/v1/clusters", hosted, nil, 202)
	d.Terminate(t)
	p := launch(t, t.TempDir(), nil, args...)
	require.Equal(t, 1, p.Wait(t, 20*time.Second))
	assert.Contains(t, p.Stderr.String(), "the database has 1 hosted clusters on the target default: no Kubernetes")
}
