package main_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// A real API server takes the guide's manifest, also in a namespace that allows
// nothing but what is most restricted, and has nothing to remark on.
func TestAgentManifest(t *testing.T) {
	lab := labtest.Start(t)
	namespace := labtest.Namespace(t, lab, "pod-security.kubernetes.io/enforce", "restricted",
		"pod-security.kubernetes.io/warn", "restricted")
	guide, err := adopt.NewGuide(adopt.GuideRequest{
		URL: "https://ecp.example.com:8443", CASHA256: strings.Repeat("a", 64),
		Token: "0123456789abcdef0123456789abcdef", ExpiresAt: time.Now().Add(time.Hour),
		Method: adopt.MethodKubernetes, Cluster: "emqx-01234567",
		Checksums: map[string]string{"amd64": strings.Repeat("1", 64), "arm64": strings.Repeat("2", 64)},
	})
	require.NoError(t, err)
	apply := func(how ...string) string {
		cmd := lab.KubectlCommand(t.Context(), append([]string{"apply", "-n", namespace, "-f", "-"}, how...)...)
		cmd.Stdin = strings.NewReader(guide.Manifest)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	require.Equal(t, `serviceaccount/emqxee-agent-emqx-01234567 created (server dry run)
secret/emqxee-agent-emqx-01234567 created (server dry run)
statefulset.apps/emqxee-agent-emqx-01234567 created (server dry run)
`, apply("--dry-run=server", "--validate=strict"), "no warning stands before it")

	// What it makes is admitted, too.
	apply()
	labtest.Eventually(t, time.Minute, "the agent's pod", func(ctx context.Context) (bool, string) {
		out, err := lab.Kubectl(ctx, "", "get", "pods,events", "-n", namespace, "-o", "name")
		return err == nil && strings.Contains(out, "pod/emqxee-agent-emqx-01234567-0"), out
	})
}

// A real API server takes the base of the daemon as kubectl builds it, and has nothing to
// remark on.
func TestBaseManifest(t *testing.T) {
	lab := labtest.Start(t)
	cmd := lab.KubectlCommand(t.Context(), "kustomize", "../../deploy/kubernetes")
	built, err := cmd.Output()
	require.NoError(t, err)
	labtest.Shipped(t, lab) // makes the namespace, which a dry run does not
	cmd = lab.KubectlCommand(t.Context(), "apply", "-f", "-", "--dry-run=server", "--validate=strict")
	cmd.Stdin = strings.NewReader(string(built))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "Warning")
	for _, want := range []string{"configmap/ecpd-", "statefulset.apps/ecpd created", "service/ecpd created",
		"networkpolicy.networking.k8s.io/ecpd created",
		"validatingadmissionpolicy.admissionregistration.k8s.io/openecp-ecpd "} {
		require.Contains(t, string(out), want)
	}
}
