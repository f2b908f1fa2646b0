package chart

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/yaml"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

// startLab starts the control plane with the namespace of the chart, which lets in what is
// most restricted only, and with the kind of the Prometheus operator.
func startLab(t *testing.T) *kubelab.Lab {
	t.Helper()
	lab := labtest.Start(t)
	_, err := lab.Kubectl(t.Context(), `
apiVersion: v1
kind: Namespace
metadata:
  name: openecp-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, plural: servicemonitors}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [selector, endpoints]
            properties:
              selector: {type: object, properties: {matchLabels: {type: object, additionalProperties: {type: string}}}}
              endpoints:
                type: array
                items: {type: object, properties: {port: {type: string}, interval: {type: string}}}
`, "apply", "-f", "-")
	require.NoError(t, err)
	labtest.Eventually(t, time.Minute, "ServiceMonitors are known", func(ctx context.Context) (bool, string) {
		out, err := lab.Kubectl(ctx, "", "get", "servicemonitors", "-A")
		return err == nil, out
	})
	return lab
}

// accepted has the API server look at objects without making them, and wants no remark.
func accepted(t *testing.T, lab *kubelab.Lab, objects []Object) {
	t.Helper()
	text, err := Text(objects)
	require.NoError(t, err)
	cmd := lab.KubectlCommand(t.Context(), "apply", "--dry-run=server", "--validate=strict", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "Warning")
	require.Len(t, strings.Split(strings.TrimSpace(string(out)), "\n"), len(objects), "%s", out)
}

// TestAccepted: a real API server takes everything that is rendered.
func TestAccepted(t *testing.T) {
	lab := startLab(t)
	for name, values := range allSets() {
		t.Run(name, func(t *testing.T) { accepted(t, lab, render(t, values)) })
	}
	t.Run("base", func(t *testing.T) {
		objects, err := BuildBase(Base)
		require.NoError(t, err)
		accepted(t, lab, objects)
	})
	t.Run("refused", func(t *testing.T) { // or the others would show nothing
		objects := render(t, "")
		set := find(t, objects, "StatefulSet/ecpd")
		at(t, set, "spec").(map[string]any)["replicaz"] = 2
		text, err := Text(objects)
		require.NoError(t, err)
		_, err = lab.Kubectl(t.Context(), text, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		require.ErrorContains(t, err, "replicaz")
	})
}

// helm is Helm with the administrator's kubeconfig.
type helm struct {
	t   *testing.T
	lab *kubelab.Lab
	cfg *action.Configuration
}

func newHelm(t *testing.T, lab *kubelab.Lab) *helm {
	t.Helper()
	namespace := Namespace
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &lab.Kubeconfig, &namespace
	h := &helm{t: t, lab: lab, cfg: new(action.Configuration)}
	require.NoError(t, h.cfg.Init(flags, Namespace, "secret", t.Logf))
	return h
}

func (h *helm) values(text string) (values map[string]any) {
	h.t.Helper()
	require.NoError(h.t, yaml.Unmarshal([]byte(text), &values))
	return values
}

func (h *helm) install(values string) *release.Release {
	h.t.Helper()
	c, err := Load()
	require.NoError(h.t, err)
	install := action.NewInstall(h.cfg)
	install.ReleaseName, install.Namespace = "ecpd", Namespace
	r, err := install.RunWithContext(h.t.Context(), c, h.values(values))
	require.NoError(h.t, err)
	return r
}

// upgrade is `helm upgrade` to a chart of another version.
func (h *helm) upgrade(version, values string) error {
	h.t.Helper()
	c, err := Load()
	require.NoError(h.t, err)
	c.Metadata.Version, c.Metadata.AppVersion = version, version
	upgrade := action.NewUpgrade(h.cfg)
	upgrade.Namespace = Namespace
	_, err = upgrade.RunWithContext(h.t.Context(), "ecpd", c, h.values(values))
	return err
}

func (h *helm) uninstall() {
	h.t.Helper()
	_, err := action.NewUninstall(h.cfg).Run("ecpd")
	require.NoError(h.t, err)
}

// get is a field of an object in the chart's namespace.
func (h *helm) get(object, field string) string {
	h.t.Helper()
	out, err := h.lab.Kubectl(h.t.Context(), "", "get", object, "-n", Namespace, "-o", "jsonpath={"+field+"}")
	require.NoError(h.t, err)
	return out
}

// keys are the entries of the Secret.
func (h *helm) keys() (keys, token string) {
	h.t.Helper()
	var data map[string]string
	require.NoError(h.t, json.Unmarshal([]byte(h.get("secret/ecpd-keys", ".data")), &data))
	for name, text := range map[string]*string{"keys": &keys, "bootstrapToken": &token} {
		b, err := base64.StdEncoding.DecodeString(data[name])
		require.NoError(h.t, err)
		*text = string(b)
	}
	return keys, token
}

// claimed waits for the claim of the pod, and returns its uid.
func (h *helm) claimed() string {
	h.t.Helper()
	labtest.Eventually(h.t, time.Minute, "the claim is bound", func(ctx context.Context) (bool, string) {
		out, err := h.lab.Kubectl(ctx, "", "get", "pvc", "data-ecpd-0", "-n", Namespace, "-o", "jsonpath={.status.phase}")
		return err == nil && out == "Bound", out
	})
	return h.get("pvc/data-ecpd-0", ".metadata.uid")
}

// TestInstalled installs, upgrades and uninstalls as Helm does: keys and data stay, also
// where one is installed anew. Between, the daemon is run with what the chart has made.
func TestInstalled(t *testing.T) {
	lab := startLab(t)
	h := newHelm(t, lab)
	installed := h.install("config: {log: {level: debug}}")
	require.Contains(t, installed.Info.Notes, "kubectl rollout status statefulset/ecpd")
	claim := h.claimed()
	keys, token := h.keys()
	id, key, _ := strings.Cut(strings.TrimSpace(keys), ":")
	b, err := base64.StdEncoding.DecodeString(key)
	require.NoError(t, err)
	require.Equal(t, "first", id)
	require.Len(t, b, 32)
	require.Len(t, token, 40)

	emqxpod.Start(t, lab)
	d := startDaemon(t, h)
	cluster := d.fill(t)
	confined(t, lab, d.kubeconfig)
	d.end(t)

	same := func() {
		t.Helper()
		k, b := h.keys()
		require.Equal(t, [2]string{keys, token}, [2]string{k, b}, "keys are kept")
		require.Equal(t, claim, h.claimed(), "data are kept")
	}
	_, err = lab.Kubectl(t.Context(), "", "patch", "secret", "ecpd-keys", "-n", Namespace, "-p",
		`{"stringData": {"keys": "second:`+base64.StdEncoding.EncodeToString(make([]byte, 32))+`\n`+
			strings.TrimSpace(keys)+`\n"}}`)
	require.NoError(t, err)
	keys, _ = h.keys() // a new key in front, as by hand
	require.NoError(t, h.upgrade("1.0.0", "config: {log: {level: info}}\nmetrics: {enabled: true}"))
	same()
	require.Equal(t, "openecp/ecpd:1.0.0", h.get("statefulset/ecpd", ".spec.template.spec.containers[0].image"))
	require.ErrorContains(t, h.upgrade("1.0.1", "persistence: {size: 3Gi}"), "persistence.size: it is 3Gi, and that of")
	require.ErrorContains(t, h.upgrade("1.0.1", "replicas: 2"), "replicas")
	same()

	h.uninstall()
	same()
	out, err := lab.Kubectl(t.Context(), "", "get", "statefulsets,services,networkpolicies", "-n",
		Namespace, "-o", "name", "--ignore-not-found")
	require.NoError(t, err)
	require.Empty(t, out)
	h.install("")
	same()
	d = startDaemon(t, h)
	d.has(t, cluster)
	d.end(t)
	h.uninstall()
}
