package podsim

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Pod is what a process sees of the pod it runs in. It belongs to the factory
// that gets it.
type Pod struct {
	Namespace, Name, UID string
	IP, Node             string
	Labels, Annotations  map[string]string
	Image                string
	Ports                []int             // TCP ports the container names
	Env                  map[string]string // resolved; with HOSTNAME
	Files                map[string][]byte // of ConfigMaps and Secrets, by absolute path
	Claims               map[string]string // uid of each volume claim, by the volume's name
	Restarts             int               // how often the container was restarted
}

// source gives the objects a pod refers to; apierrors.IsNotFound tells which
// are not there.
type source interface {
	ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error)
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	Claim(ctx context.Context, namespace, name string) (*corev1.PersistentVolumeClaim, error)
}

// live reads from the API server.
type live struct{ client kubernetes.Interface }

func (l live) ConfigMap(ctx context.Context, ns, name string) (*corev1.ConfigMap, error) {
	return l.client.CoreV1().ConfigMaps(ns).Get(ctx, name, metav1.GetOptions{})
}

func (l live) Secret(ctx context.Context, ns, name string) (*corev1.Secret, error) {
	return l.client.CoreV1().Secrets(ns).Get(ctx, name, metav1.GetOptions{})
}

func (l live) Claim(ctx context.Context, ns, name string) (*corev1.PersistentVolumeClaim, error) {
	return l.client.CoreV1().PersistentVolumeClaims(ns).Get(ctx, name, metav1.GetOptions{})
}

// resolve reads what the first container of a pod sees. Volumes come before
// variables, as with the kubelet, so that a missing one is named first.
func resolve(ctx context.Context, from source, pod *corev1.Pod) (Pod, error) {
	c := &pod.Spec.Containers[0]
	r := resolver{pod: pod, from: from, texts: map[string]*texts{}}
	p := Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), IP: pod.Status.PodIP, Node: pod.Spec.NodeName,
		Labels: maps.Clone(pod.Labels), Annotations: maps.Clone(pod.Annotations), Image: c.Image, Claims: map[string]string{},
	}
	for _, port := range c.Ports {
		if port.Protocol == corev1.ProtocolTCP || port.Protocol == "" {
			p.Ports = append(p.Ports, int(port.ContainerPort))
		}
	}
	contents, err := r.volumes(ctx, p.Claims)
	if err != nil {
		return Pod{}, err
	}
	if p.Env, err = r.environment(ctx, c); err != nil {
		return Pod{}, err
	}
	p.Files, err = mount(contents, c.VolumeMounts, p.Env)
	return p, err
}

// Reasons the kubelet gives.
const (
	reasonConfig = "CreateContainerConfigError" // a variable has no source
	reasonVolume = "ContainerCreating"          // a volume cannot be mounted
)

// resolver reads each object once.
type resolver struct {
	pod   *corev1.Pod
	from  source
	texts map[string]*texts // by kind and name
}

// texts is the content of a ConfigMap or Secret; its keys may be absent.
type texts struct {
	name string // "configmap x", for messages
	data map[string][]byte
}

// get reads a ConfigMap or Secret; nil when it is not there.
func (r *resolver) get(ctx context.Context, kind, name string) (*texts, error) {
	id := kind + " " + name
	if t, ok := r.texts[id]; ok {
		return t, nil
	}
	t := &texts{name: id, data: map[string][]byte{}}
	var err error
	if kind == kindSecret {
		var s *corev1.Secret
		if s, err = r.from.Secret(ctx, r.pod.Namespace, name); err == nil {
			maps.Copy(t.data, s.Data)
		}
	} else {
		var m *corev1.ConfigMap
		if m, err = r.from.ConfigMap(ctx, r.pod.Namespace, name); err == nil {
			maps.Copy(t.data, m.BinaryData)
			for k, v := range m.Data {
				t.data[k] = []byte(v)
			}
		}
	}
	if apierrors.IsNotFound(err) {
		t, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	r.texts[id] = t
	return t, nil
}

const (
	kindConfigMap = "configmap"
	kindSecret    = "secret"
)

// environment gives the container's variables: those of envFrom, then those of
// env, which win and may refer to what stands before them.
func (r *resolver) environment(ctx context.Context, c *corev1.Container) (map[string]string, error) {
	env := map[string]string{"HOSTNAME": r.pod.Name}
	for _, f := range c.EnvFrom {
		if err := r.envFrom(ctx, f, env); err != nil {
			return nil, err
		}
	}
	for _, v := range c.Env {
		if v.ValueFrom == nil || v.Value != "" {
			env[v.Name] = expand(v.Value, env)
			continue
		}
		value, ok, err := r.valueFrom(ctx, v.ValueFrom)
		if err != nil {
			return nil, err
		}
		if ok {
			env[v.Name] = value
		}
	}
	return env, nil
}

func (r *resolver) envFrom(ctx context.Context, f corev1.EnvFromSource, env map[string]string) error {
	var kind, name string
	var optional *bool
	switch {
	case f.ConfigMapRef != nil:
		kind, name, optional = kindConfigMap, f.ConfigMapRef.Name, f.ConfigMapRef.Optional
	case f.SecretRef != nil:
		kind, name, optional = kindSecret, f.SecretRef.Name, f.SecretRef.Optional
	default:
		return nil
	}
	t, err := r.get(ctx, kind, name)
	if err != nil {
		return err
	}
	if t == nil {
		if is(optional) {
			return nil
		}
		return absent(reasonConfig, "%s %q not found", kind, name)
	}
	for k, v := range t.data {
		env[f.Prefix+k] = string(v)
	}
	return nil
}

// valueFrom gives one variable; false when it is optional and has no source.
func (r *resolver) valueFrom(ctx context.Context, v *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case v.FieldRef != nil:
		value, ok := field(r.pod, v.FieldRef.FieldPath)
		if !ok {
			return "", false, absent(reasonConfig, "field %s is not simulated", v.FieldRef.FieldPath)
		}
		return value, true, nil
	case v.ConfigMapKeyRef != nil:
		k := v.ConfigMapKeyRef
		return r.key(ctx, kindConfigMap, k.Name, k.Key, is(k.Optional))
	case v.SecretKeyRef != nil:
		k := v.SecretKeyRef
		return r.key(ctx, kindSecret, k.Name, k.Key, is(k.Optional))
	}
	return "", false, absent(reasonConfig, "a variable's source is not simulated")
}

func (r *resolver) key(ctx context.Context, kind, name, key string, optional bool) (string, bool, error) {
	t, err := r.get(ctx, kind, name)
	if err != nil {
		return "", false, err
	}
	if t != nil {
		if value, ok := t.data[key]; ok {
			return string(value), true, nil
		}
	}
	switch {
	case optional:
		return "", false, nil
	case t == nil:
		return "", false, absent(reasonConfig, "%s %q not found", kind, name)
	}
	return "", false, absent(reasonConfig, "couldn't find key %s in %s", key, t.name)
}

func is(b *bool) bool { return b != nil && *b }

// field reads a field of the pod as the downward API names it.
func field(pod *corev1.Pod, name string) (string, bool) {
	if at, ok := strings.CutPrefix(name, "metadata.labels['"); ok {
		return pod.Labels[strings.TrimSuffix(at, "']")], true
	}
	if at, ok := strings.CutPrefix(name, "metadata.annotations['"); ok {
		return pod.Annotations[strings.TrimSuffix(at, "']")], true
	}
	value, ok := map[string]string{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
		"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.podIP": pod.Status.PodIP, "status.podIPs": pod.Status.PodIP,
		"status.hostIP": pod.Status.HostIP, "status.hostIPs": pod.Status.HostIP,
	}[name]
	return value, ok
}

// volumes gives the files of every volume by its name, and fills in the uids
// of claims. Volumes without content of the API's are empty.
func (r *resolver) volumes(ctx context.Context, claims map[string]string) (map[string]map[string][]byte, error) {
	out := map[string]map[string][]byte{}
	for _, v := range r.pod.Spec.Volumes {
		files := map[string][]byte{}
		for _, p := range sources(v) {
			if err := r.project(ctx, v.Name, p, files); err != nil {
				return nil, err
			}
		}
		out[v.Name] = files
		if v.PersistentVolumeClaim == nil {
			continue
		}
		pvc, err := r.from.Claim(ctx, r.pod.Namespace, v.PersistentVolumeClaim.ClaimName)
		if apierrors.IsNotFound(err) {
			return nil, absent(reasonVolume, "persistentvolumeclaim %q not found", v.PersistentVolumeClaim.ClaimName)
		}
		if err != nil {
			return nil, fmt.Errorf("read the claim of volume %s: %w", v.Name, err)
		}
		claims[v.Name] = string(pvc.UID)
	}
	return out, nil
}

// projection is what a ConfigMap or Secret adds to a volume.
type projection struct {
	kind, name string
	items      []corev1.KeyToPath
	optional   bool
}

func sources(v corev1.Volume) []projection {
	var out []projection
	if s := v.Secret; s != nil {
		out = append(out, projection{kindSecret, s.SecretName, s.Items, is(s.Optional)})
	}
	if c := v.ConfigMap; c != nil {
		out = append(out, projection{kindConfigMap, c.Name, c.Items, is(c.Optional)})
	}
	if v.Projected == nil {
		return out
	}
	for _, p := range v.Projected.Sources {
		if s := p.Secret; s != nil {
			out = append(out, projection{kindSecret, s.Name, s.Items, is(s.Optional)})
		}
		if c := p.ConfigMap; c != nil {
			out = append(out, projection{kindConfigMap, c.Name, c.Items, is(c.Optional)})
		}
	}
	return out
}

func (r *resolver) project(ctx context.Context, volume string, p projection, files map[string][]byte) error {
	t, err := r.get(ctx, p.kind, p.name)
	if err != nil {
		return err
	}
	if t == nil {
		if p.optional {
			return nil
		}
		return absent(reasonVolume, "volume %q: %s %q not found", volume, p.kind, p.name)
	}
	if len(p.items) == 0 {
		for k, v := range t.data {
			files[k] = slices.Clone(v)
		}
	}
	for _, item := range p.items {
		v, ok := t.data[item.Key]
		if !ok && !p.optional {
			return absent(reasonVolume, "volume %q: couldn't find key %s in %s", volume, item.Key, t.name)
		}
		if ok {
			files[path.Clean(item.Path)] = slices.Clone(v)
		}
	}
	return nil
}

// mount puts volumes where the container sees them; with a sub-path only the
// file or the folder of that name.
func mount(volumes map[string]map[string][]byte, mounts []corev1.VolumeMount, env map[string]string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, m := range mounts {
		files, ok := volumes[m.Name]
		if !ok {
			return nil, absent(reasonVolume, "the pod has no volume %q", m.Name)
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = expand(m.SubPathExpr, env)
		}
		for name, content := range files {
			switch {
			case sub == "":
				out[path.Join(m.MountPath, name)] = content
			case name == path.Clean(sub):
				out[path.Clean(m.MountPath)] = content
			case strings.HasPrefix(name, path.Clean(sub)+"/"):
				out[path.Join(m.MountPath, strings.TrimPrefix(name, path.Clean(sub)))] = content
			}
		}
	}
	return out, nil
}

// expand replaces $(NAME) by the variable of that name. One that is not there
// stays as written; $$ is a dollar sign that begins nothing.
func expand(s string, env map[string]string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = after
		if rest, ok := strings.CutPrefix(s, "$"); ok {
			b.WriteByte('$')
			s = rest
			continue
		}
		name, rest, closed := strings.Cut(s, ")")
		name, opened := strings.CutPrefix(name, "(")
		value, known := env[name]
		if opened && closed && known {
			b.WriteString(value)
			s = rest
			continue
		}
		b.WriteByte('$')
		if opened && closed {
			b.WriteString("(" + name + ")")
			s = rest
		}
	}
}

// missing is what a pod refers to and is not there; reason is the kubelet's.
type missing struct{ reason, what string }

func (m *missing) Error() string { return m.what }

func absent(reason, format string, args ...any) error {
	return &missing{reason, fmt.Sprintf(format, args...)}
}
