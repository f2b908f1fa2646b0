package podsim

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// objects is a source of fixed objects in one namespace. It counts reads.
type objects struct {
	configs map[string]map[string]string
	secrets map[string]map[string]string
	claims  map[string]string // uid by name
	broken  error             // of every read
	reads   int
}

func (o *objects) found(kind string, ok bool) error {
	o.reads++
	if o.broken != nil {
		return o.broken
	}
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: kind}, "x")
	}
	return nil
}

func (o *objects) ConfigMap(_ context.Context, _, name string) (*corev1.ConfigMap, error) {
	data, ok := o.configs[name]
	return &corev1.ConfigMap{Data: data, BinaryData: map[string][]byte{"raw": {0, 1}}}, o.found("configmaps", ok)
}

func (o *objects) Secret(_ context.Context, _, name string) (*corev1.Secret, error) {
	data, ok := o.secrets[name]
	s := &corev1.Secret{Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s, o.found("secrets", ok)
}

func (o *objects) Claim(_ context.Context, _, name string) (*corev1.PersistentVolumeClaim, error) {
	uid, ok := o.claims[name]
	pvc := &corev1.PersistentVolumeClaim{}
	pvc.UID = types.UID("claim-" + uid)
	return pvc, o.found("persistentvolumeclaims", ok)
}

func world() *objects {
	return &objects{
		configs: map[string]map[string]string{"c": {"COLOUR": "red", "SIZE": "small", "f.conf": "text"}},
		secrets: map[string]map[string]string{"s": {"key": "k1", "bootstrap": "k1:s1\n"}},
		claims:  map[string]string{"data-p-0": "7"},
	}
}

// podOf reads a pod's spec as a manifest has it.
func podOf(t *testing.T, spec string) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "p-0", Namespace: "ns", UID: "u1", Labels: map[string]string{"app": "x"},
		Annotations: map[string]string{"a.b/c": "note"},
	}}
	p.Status.PodIP, p.Status.HostIP = "10.64.0.9", "10.64.255.1"
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, container string
		want            map[string]string // beside HOSTNAME
	}{
		{"plain", `env: [{name: A, value: b}]`, map[string]string{"A": "b"}},
		{"reference to what stands before", `env: [{name: A, value: x}, {name: B, value: "$(A)-$(A)"}]`,
			map[string]string{"A": "x", "B": "x-x"}},
		{"reference to what stands after stays", `env: [{name: B, value: "$(A)"}, {name: A, value: x}]`,
			map[string]string{"A": "x", "B": "$(A)"}},
		{"a value read from elsewhere is not expanded",
			`env: [{name: A, valueFrom: {configMapKeyRef: {name: d, key: V}}}]`, map[string]string{"A": "$(HOSTNAME)"}},
		{"the last of a name wins", `env: [{name: A, value: x}, {name: A, value: "$(A)y"}]`,
			map[string]string{"A": "xy"}},
		{"secret", `env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: key}}}, {name: B, value: "is $(A)"}]`,
			map[string]string{"A": "k1", "B": "is k1"}},
		{"optional key",
			`env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: none, optional: true}}}, {name: B, value: "$(A)"}]`, map[string]string{"B": "$(A)"}},
		{"optional object", `env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: k, optional: true}}}]`,
			map[string]string{}},
		{"fields", `env:
- {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: S, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: I, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: H, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
- {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
- {name: X, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['a.b/c']"}}}`,
			map[string]string{"NAME": "p-0", "S": "ns", "I": "10.64.0.9", "H": "10.64.255.1", "L": "x", "X": "note"}},
		{"envFrom with prefix; env wins and may refer to it", `
envFrom: [{configMapRef: {name: e}, prefix: P_}, {configMapRef: {name: none, optional: true}}]
env: [{name: P_SIZE, value: "not $(P_SIZE)"}]`, map[string]string{"P_COLOUR": "red", "P_SIZE": "not small"}},
		{"envFrom, the later wins", `envFrom: [{configMapRef: {name: e}}, {secretRef: {name: e}}]`,
			map[string]string{"COLOUR": "blue", "SIZE": "small"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world()
			w.configs["d"] = map[string]string{"V": "$(HOSTNAME)"}
			w.configs["e"] = map[string]string{"COLOUR": "red", "SIZE": "small"}
			w.secrets["e"] = map[string]string{"COLOUR": "blue"}
			pod := podOf(t, "containers:\n- name: c\n  image: i\n"+indent(c.container))
			got, err := resolve(t.Context(), w, pod)
			if err != nil {
				t.Fatal(err)
			}
			c.want["HOSTNAME"] = "p-0"
			delete(got.Env, "raw")
			delete(got.Env, "P_raw")
			if !maps.Equal(got.Env, c.want) {
				t.Errorf("got %v, want %v", got.Env, c.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct{ name, spec, reason, message string }{
		{"secret", `containers: [{name: c, env: [{name: A, valueFrom: {secretKeyRef: {name: none, key: k}}}]}]`,
			reasonConfig, `secret "none" not found`},
		{"key", `containers: [{name: c, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: none}}}]}]`,
			reasonConfig, "couldn't find key none in secret s"},
		{"envFrom", `containers: [{name: c, envFrom: [{configMapRef: {name: none}}]}]`, reasonConfig,
			`configmap "none" not found`},
		{"volume", `{containers: [{name: c}], volumes: [{name: v, secret: {secretName: none}}]}`, reasonVolume,
			`volume "v": secret "none" not found`},
		{"volume's key",
			`{containers: [{name: c}], volumes: [{name: v, configMap: {name: c, items: [{key: none, path: x}]}}]}`,
			reasonVolume, `couldn't find key none in configmap c`},
		{"claim", `{containers: [{name: c}], volumes: [{name: v, persistentVolumeClaim: {claimName: none}}]}`,
			reasonVolume, `persistentvolumeclaim "none" not found`},
		{"field", `containers: [{name: c, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.none}}}]}]`,
			reasonConfig, "metadata.none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := resolve(t.Context(), world(), podOf(t, c.spec))
			var m *missing
			if !errors.As(err, &m) || m.reason != c.reason || !strings.Contains(m.what, c.message) {
				t.Errorf("got %#v, want reason %s and message %q", err, c.reason, c.message)
			}
		})
	}
}

func TestUnreadableIsNotMissing(t *testing.T) {
	w := world()
	w.broken = errors.New("connection refused")
	_, err := resolve(t.Context(), w, podOf(t,
		`containers: [{name: c, envFrom: [{configMapRef: {name: c, optional: true}}]}]`))
	var m *missing
	if !errors.Is(err, w.broken) || errors.As(err, &m) {
		t.Errorf("got %v, want the read's own error and nothing called missing", err)
	}
}

func TestFilesClaimsAndPorts(t *testing.T) {
	w := world()
	got, err := resolve(t.Context(), w, podOf(t, `
containers:
- name: c
  image: reg:5000/emqx:1
  env: [{name: SUB, value: conf}]
  ports: [{containerPort: 1883, protocol: TCP}, {containerPort: 14567, protocol: UDP}, {containerPort: 8081}]
  volumeMounts:
  - {name: auth, mountPath: /etc/auth}
  - {name: all, mountPath: /all/}
  - {name: all, mountPath: /opt/f.conf, subPath: f.conf}
  - {name: both, mountPath: /deep, subPathExpr: $(SUB)}
  - {name: data, mountPath: /data}
  - {name: log, mountPath: /log}
volumes:
- {name: auth, secret: {secretName: s, items: [{key: bootstrap, path: boot}]}}
- {name: all, configMap: {name: c}}
- {name: both, projected: {sources: [{secret: {name: s, items: [{key: key, path: conf/a/key}]}}, {configMap: {name: none, optional: true}}]}}
- {name: data, persistentVolumeClaim: {claimName: data-p-0}}
- {name: log, emptyDir: {}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/etc/auth/boot": "k1:s1\n", "/opt/f.conf": "text", "/deep/a/key": "k1",
		"/all/COLOUR": "red", "/all/SIZE": "small", "/all/f.conf": "text", "/all/raw": "\x00\x01",
	}
	files := map[string]string{}
	for name, content := range got.Files {
		files[name] = string(content)
	}
	if !maps.Equal(files, want) {
		t.Errorf("files: got %q, want %q", files, want)
	}
	if !maps.Equal(got.Claims, map[string]string{"data": "claim-7"}) {
		t.Errorf("claims: got %v", got.Claims)
	}
	if len(got.Ports) != 2 || got.Ports[0] != 1883 || got.Ports[1] != 8081 {
		t.Errorf("ports: got %v, want the TCP ones", got.Ports)
	}
	if w.reads != 4 {
		t.Errorf("%d reads, want one for each of two secrets and configmaps, the claim and the absent configmap",
			w.reads)
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "B": "$(A)", "": "nothing"}
	for in, want := range map[string]string{
		"": "", "x": "x", "$(A)": "1", "a$(A)b$(A)": "a1b1", "$(C)": "$(C)", "$A": "$A", "$": "$", "$$": "$",
		"$$(A)":  "$(A)",
		"$$$(A)": "$1", "$(A": "$(A", "$()": "nothing", "$(B)": "$(A)", "$(C$(A))": "$(C$(A))", "a$": "a$",
		"$ (A)": "$ (A)", "(A)": "(A)",
	} {
		if got := expand(in, env); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}
