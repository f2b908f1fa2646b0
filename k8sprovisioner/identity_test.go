package k8sprovisioner

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// kubeSystem is an API server that has a namespace kube-system with a uid, or, ""
// = does not let anybody read it, and nothing else.
func kubeSystem(t *testing.T, uid types.UID) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var body any = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden}
		if uid != "" && r.URL.Path == "/api/v1/namespaces/kube-system" {
			body = corev1.Namespace{TypeMeta: metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"},
				ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: uid}}
		} else {
			w.WriteHeader(http.StatusForbidden)
		}
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// A Kubernetes is known by the uid of kube-system, and a kubeconfig that leads to
// another one is not taken while the Provisioner works.
func TestIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	leads := func(s *httptest.Server, token string) {
		ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
			Bytes: s.Certificate().Raw}))
		text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"t","user":"u"}}],
			"clusters":[{"name":"t","cluster":{"server":%q,"certificate-authority-data":%q}}],"users":[{"name":"u","user":{"token":%q}}]}`, s.URL, ca, token)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	closed := kubeSystem(t, "")
	leads(closed, "a")
	p, err := New(Config{Kubeconfig: file})
	require.NoError(t, err)
	_, err = p.Identity(t.Context())
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	require.ErrorContains(t, err, "get namespaces")
	require.True(t, p.forbidden(t.Context(), getKubeSystem), "and it is named among the rights that are missing")

	one := kubeSystem(t, "uid-one")
	leads(one, "a")
	_, err = p.ReloadKubeconfig(t.Context(), false)
	require.NoError(t, err)
	uid, err := p.Identity(t.Context())
	require.NoError(t, err)
	require.Equal(t, "uid-one", uid)
	require.False(t, p.forbidden(t.Context(), getKubeSystem))

	leads(kubeSystem(t, "uid-two"), "a")
	for _, force := range []bool{false, true} {
		_, err = p.ReloadKubeconfig(t.Context(), force)
		require.ErrorContains(t, err, "another Kubernetes (uid-two) than the one in use (uid-one)")
	}
	uid, err = p.Identity(t.Context())
	require.NoError(t, err)
	require.Equal(t, "uid-one", uid, "the one in use stays")

	leads(kubeSystem(t, "uid-one"), "b") // another address and token of the same
	changed, err := p.ReloadKubeconfig(t.Context(), false)
	require.NoError(t, err)
	require.True(t, changed)

	one.Close()
	leads(one, "c")
	_, err = p.ReloadKubeconfig(t.Context(), false)
	require.NoError(t, err, "one that does not answer may be the right one")
	_, err = p.Identity(t.Context())
	require.ErrorIs(t, err, ecp.ErrUnavailable)
}
