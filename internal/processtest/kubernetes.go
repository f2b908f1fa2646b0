package processtest

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// Kubernetes is as much of an API server as a daemon asks for at its start: it says which
// Kubernetes it is, and refuses everything else.
type Kubernetes struct {
	server *httptest.Server
	uid    atomic.Value // of the namespace kube-system, a string
}

// NewKubernetes starts one with a uid. Its caller closes it.
func NewKubernetes(uid string) *Kubernetes {
	k := &Kubernetes{}
	k.Become(uid)
	k.server = httptest.NewTLSServer(http.HandlerFunc(k.answer))
	return k
}

// Become makes it another Kubernetes at the same address. With an empty uid it does not say
// which one it is.
func (k *Kubernetes) Become(uid string) { k.uid.Store(uid) }

// Close ends it.
func (k *Kubernetes) Close() { k.server.Close() }

// Kubeconfig returns a file that leads to it.
func (k *Kubernetes) Kubeconfig() []byte {
	ca := base64.StdEncoding.EncodeToString(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.server.Certificate().Raw}))
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c",
		"contexts":[{"name":"c","context":{"cluster":"t","user":"u"}}],"users":[{"name":"u","user":{"token":"x"}}],
		"clusters":[{"name":"t","cluster":{"server":%q,"certificate-authority-data":%q}}]}`, k.server.URL, ca)
}

func (k *Kubernetes) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	uid, _ := k.uid.Load().(string)
	switch {
	case r.URL.Path != "/api/v1/namespaces/kube-system":
		refuse(w, http.StatusForbidden, "Forbidden")
	case uid == "":
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	default:
		fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":%q}}`, uid)
	}
}

// refuse answers as API servers do.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"not here"}`,
		reason, status)
}
