package k8sprovisioner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// vault is a cluster with a license and pull credentials on the control plane.
type vault struct {
	*testing.T
	lab      *kubelab.Lab
	p        *Provisioner
	requests *counter
	d        ecp.Desired
}

// secret reads a Secret as an administrator; nil = it is not there.
func (v *vault) secret(suffix string) *corev1.Secret {
	v.Helper()
	out, err := v.lab.Kubectl(v.Context(), "", "get", "secret", string(v.d.ID)+suffix, "-n", string(v.d.ID), "-o",
		"json", "--ignore-not-found")
	require.NoError(v, err)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	s := new(corev1.Secret)
	require.NoError(v, json.Unmarshal([]byte(out), s))
	return s
}

func (v *vault) license() string { return string(v.secret("-license").Data[keyLicense]) }

// apply applies and gives the requests it took.
func (v *vault) apply() map[string]int {
	v.Helper()
	before := v.requests.all()
	require.NoError(v, v.p.Apply(v.Context(), v.d))
	return v.requests.since(before)
}

// until waits for an observation.
func (v *vault) until(what string, is func(ecp.Observation) bool) (found ecp.Observation) {
	v.Helper()
	labtest.Eventually(v, settled, what, func(ctx context.Context) (bool, string) {
		var err error
		found, err = v.p.Observe(ctx, v.d.ID)
		return err == nil && is(found), fmt.Sprintf("%+v %v", found, err)
	})
	return found
}

func (v *vault) undrifted() ecp.Observation {
	v.Helper()
	return v.until("no drift", func(o ecp.Observation) bool { return len(o.Drift) == 0 })
}

// revision is that of the pod template and of the one pod.
func (v *vault) revision() (template, pod string) {
	v.Helper()
	f, err := v.p.objectsOf(v.Context(), v.d.ID, "test", true)
	require.NoError(v, err)
	b, err := json.Marshal(f.workload.Spec.Template)
	require.NoError(v, err)
	return string(b), f.pods()[0].Labels[appsv1.StatefulSetRevisionLabel] + string(f.pods()[0].UID)
}

func (v *vault) same(what string, do func()) {
	v.Helper()
	template, pod := v.revision()
	do()
	t, p := v.revision()
	require.Equal(v, template, t, what)
	require.Equal(v, pod, p, what)
}

// TestSecretsOfTheCatalogues: license and pull credentials on a real API
// server, under the shipped rights.
func TestSecretsOfTheCatalogues(t *testing.T) {
	lab := labtest.Start(t)
	config := shipped(t, lab)
	for _, version := range []string{"4.4.24", "5.8.9"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := rest.CopyConfig(config)
			v := &vault{T: t, lab: lab, requests: counting(c), d: secretive(desired(version))}
			v.p = watched(t, Config{REST: c, Namespace: "openecp-system"}, nil)
			v.d.ID, v.d.Spec.Nodes, v.d.Replicas = ecptest.NewID(), 1, 1
			t.Cleanup(func() { _ = v.p.Delete(context.WithoutCancel(t.Context()), v.d.ID) })

			v.areMade()
			v.areLeftAlone(config)
			v.areConfined(labtest.Shipped(t, lab))
			v.comeBack()
			v.areChanged()
			v.surviveTheKeys()
			v.goUnused()
		})
	}
}

func (v *vault) areMade() {
	v.apply()
	v.d.Create = false
	v.until("one pod", func(o ecp.Observation) bool { return len(o.Nodes) == 1 && len(o.Drift) == 0 })
	require.Contains(v, v.license(), "obviously-fake-licence")
	pull := v.secret("-pull")
	require.Equal(v, corev1.SecretTypeDockerConfigJson, pull.Type)
	require.Contains(v, string(pull.Data[corev1.DockerConfigJsonKey]), "obviously-fake-password")
	require.Equal(v, string(v.d.ID), pull.Labels[labelCluster])
	require.NotContains(v, fmt.Sprint(pull.Annotations, v.secret("-license").Annotations), "obviously-fake")
}

func (v *vault) areLeftAlone(config *rest.Config) {
	require.Empty(v, v.apply(), "a pass that changes nothing sends nothing")
	c := rest.CopyConfig(config)
	requests := counting(c)
	again := watched(v, Config{REST: c, Namespace: "openecp-system"}, nil)
	_, err := again.Observe(v.Context(), v.d.ID)
	require.NoError(v, err)
	before := requests.all()
	require.NoError(v, again.Apply(v.Context(), v.d))
	sent := requests.since(before)
	delete(sent, "get v1") // what the server can do, asked once for all clusters, at some time
	require.Equal(v, map[string]int{"get secrets": 1}, sent, "a new process reads the cluster's keys, once")
	before = requests.all()
	require.NoError(v, again.Apply(v.Context(), v.d))
	require.Empty(v, requests.since(before))
}

// areConfined: the account may change these two Secrets and no others.
func (v *vault) areConfined(kubeconfig string) {
	const refusal = "ecpd may write only a cluster's own Secrets"
	id := string(v.d.ID)
	_, err := v.lab.Kubectl(v.Context(), `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data-of-somebody"},
		"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}}`, "create", "-n", id, "-f", "-")
	require.NoError(v, err)
	for args, refused := range map[string]string{
		"create secret generic x --from-literal=a=b": refusal,
		"delete secret " + id + "-auth":              refusal,
		"label secret " + id + "-auth a=b":           refusal,
		"get secrets":                                "forbidden",
		"delete pvc data-of-somebody --wait=false": "ecpd may delete only the volume claims of a " +
			"cluster's nodes",
		"label pvc data-of-somebody a=b": "ecpd may delete only the volume claims of a " +
			"cluster's nodes",
		"label secret " + id + "-pull example.com/somebody=was": "",
	} {
		out, err := v.lab.Kubectl(v.Context(), "",
			append([]string{"--kubeconfig=" + kubeconfig, "-n", id}, strings.Fields(args)...)...)
		if refused == "" {
			require.NoError(v, err, args)
		} else {
			require.ErrorContains(v, err, refused, "%s: %s", args, out)
		}
	}
}

func (v *vault) comeBack() {
	for _, suffix := range []string{"-license", "-pull"} {
		v.same("a Secret that was deleted comes back", func() {
			before := v.secret(suffix)
			_, err := v.lab.Kubectl(v.Context(), "", "delete", "secret", before.Name, "-n", before.Namespace)
			require.NoError(v, err)
			v.until("the loss of "+suffix+" is seen",
				func(o ecp.Observation) bool { return len(o.Drift) > 0 && o.Auth != "" })
			v.apply()
			v.undrifted()
			after := v.secret(suffix)
			require.Equal(v, before.Data, after.Data)
			require.NotEqual(v, before.UID, after.UID)
		})
	}
	_, err := v.lab.Kubectl(v.Context(), "", "delete", "configmap", configName(v.d.ID), "-n", string(v.d.ID))
	require.NoError(v, err)
	v.until("the loss of the ConfigMap is seen", func(o ecp.Observation) bool { return len(o.Drift) > 0 })
	v.apply()
	v.undrifted()
	require.Empty(v, v.apply())
}

func (v *vault) areChanged() {
	v.same("new contents", func() {
		v.d.License, v.d.Pull.Password = "obviously-fake-new", "obviously-fake-new"
		require.Equal(v, map[string]int{"get secrets": 2, "patch secrets": 2, "patch configmaps": 1}, v.apply(),
			"each is read before it is written")
		require.Equal(v, "obviously-fake-new", v.license())
		require.Contains(v, string(v.secret("-pull").Data[corev1.DockerConfigJsonKey]), "obviously-fake-new")
		v.undrifted()
		require.Empty(v, v.apply())
	})
	v.same("changed by hand", func() {
		_, err := v.lab.Kubectl(v.Context(), "", "patch", "secret", string(v.d.ID)+"-license", "-n", string(v.d.ID),
			"-p", `{"data":{"emqx.lic":"eA=="}}`)
		require.NoError(v, err)
		v.d.Generation++
		v.apply()
		require.Equal(v, "obviously-fake-new", v.license())
		v.undrifted()
	})
}

// surviveTheKeys: the loss of the auth Secret is told as ever, although the
// ConfigMap now has other owners that stay.
func (v *vault) surviveTheKeys() {
	_, err := v.lab.Kubectl(v.Context(), "", "delete", "secret", authName(v.d.ID), "-n", string(v.d.ID))
	require.NoError(v, err)
	v.until("the loss of the keys is seen", func(o ecp.Observation) bool { return o.Auth == "" })
	var lost *ecp.Loss
	require.ErrorAs(v, v.p.Apply(v.Context(), v.d), &lost)
	require.Equal(v, ecp.ReasonSecretLost, lost.Reason)
	v.d.Create = true
	v.apply()
	v.d.Create = false
	v.undrifted()
	require.Empty(v, v.apply())
	require.Equal(v, "obviously-fake-new", v.license())
}

// goUnused: what is not wanted any more stays for as long as a pod uses it.
func (v *vault) goUnused() {
	v.d.License, v.d.Pull = "", ecp.PullCredentials{}
	v.d.Generation++
	v.apply()
	require.NotNil(v, v.secret("-license"), "the pod still uses it")
	require.Empty(v, v.undrifted().Drift)
	require.Empty(v, v.apply())
	v.d.Roll = []int{0}
	labtest.Eventually(v, settled, "the pod is replaced", func(ctx context.Context) (bool, string) {
		err := v.p.Apply(ctx, v.d)
		return err == nil, fmt.Sprint(err)
	})
	v.d.Roll = nil
	v.until("nobody uses them", func(o ecp.Observation) bool {
		return len(o.Drift) == 2 && strings.HasPrefix(o.Drift[0], kindSecret+" ")
	})
	require.Equal(v, map[string]int{"get secrets": 2, "delete secrets": 2, "patch configmaps": 1}, v.apply())
	require.Nil(v, v.secret("-license"))
	require.Nil(v, v.secret("-pull"))
	require.NotNil(v, v.secret("-auth"))
	v.undrifted()
	require.Empty(v, v.apply())
}
