package k8sprovisioner_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/k8sprovisioner"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: there
contexts: [{name: there, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443"}}]
users: [{name: u, user: {token: hush-4711}}]
`

func TestParseKubeconfig(t *testing.T) {
	c, err := k8sprovisioner.ParseKubeconfig([]byte(kubeconfig))
	require.NoError(t, err)
	require.Equal(t, "https://10.0.0.1:6443", c.Host)
	require.Equal(t, "hush-4711", c.BearerToken)

	user := func(s string) string {
		return strings.Replace(kubeconfig, "token: hush-4711", "token: hush-4711, "+s, 1)
	}
	cluster := func(s string) string {
		return strings.Replace(kubeconfig, `server: "https://10.0.0.1:6443"`, s, 1)
	}
	for name, k := range map[string]struct{ text, says string }{
		"a program": {user("exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh}"),
			"exec"},
		"an old plugin":        {user("auth-provider: {name: gcp}"), "auth-provider"},
		"a token's file":       {user("tokenFile: /etc/shadow"), "tokenFile"},
		"a certificate's file": {user("client-certificate: /etc/x"), "client-certificate"},
		"a key's file":         {user("client-key: /etc/x"), "client-key"},
		"an authority's file": {cluster(`server: "https://h", certificate-authority: /etc/x`),
			"certificate-authority"},
		"no encryption": {cluster(`server: "http://10.0.0.1"`), "https://"},
		"no context": {strings.Replace(kubeconfig, "current-context: there", "current-context: elsewhere",
			1), "current-context"},
		"no YAML":               {"token: hush-4711: x", "not well-formed"},
		"another kind of thing": {"apiVersion: v1\nkind: Secret\ndata: {x: hush-4711}", ""},
		"nothing":               {"", ""},
	} {
		_, err := k8sprovisioner.ParseKubeconfig([]byte(k.text))
		require.ErrorContains(t, err, k.says, name)
		require.NotContains(t, err.Error(), "hush", name)
	}
}
