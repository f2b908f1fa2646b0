package k8sprovisioner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Every way in which an API server can fail to answer is told apart, as it
// happens on real connections.
func TestWhyTheAPIServerDoesNotAnswer(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer old" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(
				[]byte(
					`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`))
		}
	})
	secure := httptest.NewUnstartedServer(answer)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(answer)
	t.Cleanup(plain.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	// of a service that is not in use any more; a port that was free may be taken by now
	const closed = "https://127.0.0.1:1"
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })

	for name, c := range map[string]struct {
		rest rest.Config
		says string
		code ecp.Code
	}{
		"another authority": {rest.Config{Host: secure.URL}, "signed by an authority", ecp.CodeUnavailable},
		"another name": {rest.Config{Host: secure.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca,
			ServerName: "other.test"}}, "not for the name other.test", ecp.CodeUnavailable},
		"no TLS": {rest.Config{Host: strings.Replace(plain.URL, "http:", "https:", 1)},
			"does not speak TLS", ecp.CodeUnavailable},
		"no such name": {rest.Config{Host: "https://nowhere.invalid"},
			"the name nowhere.invalid of the Kubernetes API is not found", ecp.CodeUnavailable},
		"nothing listens": {rest.Config{Host: closed}, "refuses connections", ecp.CodeUnavailable},
		"nobody answers": {rest.Config{Host: "https://" + silent.Addr().String(), Timeout: 100 * time.Millisecond},
			"did not answer in time", ecp.CodeUnavailable},
		"a proxy refuses": {rest.Config{Host: secure.URL, Proxy: http.ProxyURL(mustURL(t, proxy.URL))},
			"the proxy in front", ecp.CodeUnavailable},
		"a proxy is away": {rest.Config{Host: secure.URL, Proxy: http.ProxyURL(mustURL(t,
			strings.Replace(closed, "https:", "http:", 1)))}, "the proxy in front", ecp.CodeUnavailable},
		"credentials rotted": {rest.Config{Host: secure.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca},
			BearerToken: "old"}, "the credentials are not accepted", ecp.CodeDenied},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := kubernetes.NewForConfig(&c.rest)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = failure("probe", client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error())
			require.Contains(t, ecp.MessageOf(err), c.says, "%v", err)
			require.Equal(t, c.code, ecp.CodeOf(err))
			require.NotContains(t, ecp.MessageOf(err), "if a right is missing")
		})
	}
	past := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}
	require.Contains(t, transportMessage(past), "has expired")
	require.Equal(t, "it was given up", transportMessage(context.Canceled))
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
