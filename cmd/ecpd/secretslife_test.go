package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecretsOutliveARestart: a secret that was stored over the API is in no
// file as it is, is encrypted anew with another newest key, and never comes back
// over the API.
func TestSecretsOutliveARestart(t *testing.T) {
	t.Parallel()
	const hush = "hush-4711"
	dir := t.TempDir()
	keys := filepath.Join(t.TempDir(), "keys")
	start := func(content string) *daemon {
		require.NoError(t, os.WriteFile(keys, []byte(content), 0o600))
		return dev(t, dir, "--secrets-key-file", keys)
	}
	const older = "a:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	const newer = "b:MDEzMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

	d := start(older)
	d.call(t, http.MethodPost, "/api/v1/registries",
		`{"name":"ours","host":"registry.example.com","user":"u","password":"`+hush+`"}`, nil, http.StatusCreated)
	code, _ := d.Terminate(t)
	require.Zero(t, code)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			require.NotContains(t, string(b), hush, name)
		}
	}

	d = start(newer + "\n" + older)
	d.Logs(t, "secrets encrypted with the newest key")
	a := d.call(t, http.MethodGet, "/api/v1/registries/ours", "", nil, http.StatusOK)
	require.NotContains(t, string(a.body), hush)
	code, _ = d.Terminate(t)
	require.Zero(t, code)

	d = start(newer)
	d.call(t, http.MethodPost, "/api/v1/kubernetes-targets",
		`{"name":"far","kubeconfig":"any text will do for a simulated one"}`, nil, http.StatusCreated)
	code, _ = d.Terminate(t)
	require.Zero(t, code)
	require.NotContains(t, d.Stderr.String(), "could not all be encrypted")
	require.NotContains(t, d.Stderr.String(), hush)
}
