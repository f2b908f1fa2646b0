package main_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kubernetesNamed is as much of an API server as a start asks for: it says which
// Kubernetes it is, and refuses everything else. It returns a kubeconfig of it.
func kubernetesNamed(t *testing.T, uid string) (kubeconfig string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/v1/namespaces/kube-system" {
			fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":%q}}`, uid)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w,
			`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"not here"}`)
	}))
	t.Cleanup(s.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	ca := base64.StdEncoding.EncodeToString(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	require.NoError(t, os.WriteFile(kubeconfig, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c",
		"contexts":[{"name":"c","context":{"cluster":"t","user":"u"}}],"users":[{"name":"u","user":{"token":"x"}}],
		"clusters":[{"name":"t","cluster":{"server":%q,"certificate-authority-data":%q}}]}`, s.URL, ca), 0o600))
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
