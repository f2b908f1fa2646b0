package k8sprovisioner

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// A kubeconfig whose token was changed is taken without a new Provisioner; one
// that cannot be used leaves the old one in use.
func TestKubeconfigIsReadAgain(t *testing.T) {
	server := func(good string) *httptest.Server {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+good {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		t.Cleanup(s.Close)
		return s
	}
	one, two := server("new"), server("moved")
	file, token := filepath.Join(t.TempDir(), "kubeconfig"), filepath.Join(t.TempDir(), "token")
	write := func(s *httptest.Server, user string) {
		ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
			Bytes: s.Certificate().Raw}))
		text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"t","user":"u"}}],
			"clusters":[{"name":"t","cluster":{"server":%q,"certificate-authority-data":%q}}],"users":[{"name":"u","user":%s}]}`, s.URL, ca, user)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	write(one, `{"token":"old"}`)
	p, err := New(Config{Kubeconfig: file})
	require.NoError(t, err)
	answers := func() error { return failure("probe", p.probe(t.Context())) }
	require.ErrorIs(t, answers(), ecp.ErrDenied)
	changes := func(want bool) {
		t.Helper()
		changed, err := p.ReloadKubeconfig(t.Context(), false)
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	changes(false)

	write(one, `{"token":"new"}`)
	changes(true)
	require.NoError(t, answers())
	changes(false)

	require.NoError(t, os.WriteFile(file, []byte(`{"kind":"Config","users":[{"name":"u","user":{"token":7}}]}`), 0o600))
	_, err = p.ReloadKubeconfig(t.Context(), false)
	require.ErrorContains(t, err, file)
	require.NoError(t, answers(), "the old one stays")

	require.NoError(t, os.WriteFile(token, []byte("moved"), 0o600))
	write(two, fmt.Sprintf(`{"tokenFile":%q}`, token))
	changes(true)
	require.NoError(t, answers(), "another server, a token from a file")
	require.NoError(t, os.WriteFile(token, []byte("other"), 0o600))
	changes(true)
}

// Insecure TLS is said.
func TestInsecureTLSIsSaid(t *testing.T) {
	c, err := ParseKubeconfig([]byte(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"t","user":"u"}}],
		"clusters":[{"name":"t","cluster":{"server":"https://127.0.0.1:1","insecure-skip-tls-verify":true}}],"users":[{"name":"u","user":{"token":"x"}}]}`))
	require.NoError(t, err)
	p, err := New(Config{REST: c})
	require.NoError(t, err)
	require.Equal(t, []string{insecureTLS}, p.Warnings())
}
