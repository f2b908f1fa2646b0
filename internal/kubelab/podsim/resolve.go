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
// that is called with it.
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

	// Spec is the pod's own, and Containers are what its containers see: the init
	// containers in their order, then the first container.
	Spec       corev1.PodSpec
	Containers []Container
}

// Container is one container of a pod. References to variables in its command and
// its arguments are replaced.
type Container struct {
	corev1.Container
	Env   map[string]string // as in Pod
	Files map[string][]byte // as in Pod
}

// source reads the objects that a pod refers to. apierrors.IsNotFound holds for
// the error of an object that does not exist.
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

// resolve reads what the containers of a pod see. Volumes come before
// variables, as with the kubelet, so that a missing one is named first.
func resolve(ctx context.Context, from source, pod *corev1.Pod) (Pod, error) {
	c := &pod.Spec.Containers[0]
	r := resolver{pod: pod, from: from, texts: map[string]*texts{}}
	p := Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), IP: pod.Status.PodIP, Node: pod.Spec.NodeName,
		Labels: maps.Clone(pod.Labels), Annotations: maps.Clone(pod.Annotations),
		Image: c.Image, Claims: map[string]string{},
		Spec: *pod.Spec.DeepCopy(),
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
	for _, c := range append(slices.Clone(p.Spec.InitContainers), *c) {
		one, err := r.container(ctx, c, contents)
		if err != nil {
			return Pod{}, err
		}
		p.Containers = append(p.Containers, one)
		p.Env, p.Files = one.Env, one.Files
	}
	return p, nil
}

// container reads what one container sees.
func (r *resolver) container(
	ctx context.Context, c corev1.Container, contents map[string]map[string][]byte,
) (Container, error) {
	env, err := r.environment(ctx, &c)
	if err != nil {
		return Container{}, err
	}
	files, err := mount(contents, c.VolumeMounts, env)
	if err != nil {
		return Container{}, err
	}
	c = *c.DeepCopy()
	for _, words := range [][]string{c.Command, c.Args} {
		for i := range words {
			words[i] = expand(words[i], env)
		}
	}
	return Container{c, env, files}, nil
}

// Reasons that the kubelet writes into a status.
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

// texts is the content of a ConfigMap or Secret.
type texts struct {
	name string // "configmap x", for messages
	data map[string][]byte
}

// get reads a ConfigMap or Secret. It returns nil if there is none.
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

// environment returns the variables of a container: those of envFrom, then those
// of env, which override them and may refer to earlier ones.
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

// valueFrom returns the value of one variable. It returns false if the variable is
// optional and its source does not exist.
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

// volumes returns the files of every volume by its name, and fills in the uids of
// claims. A volume whose content does not come from the API is empty.
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

// mount returns the files by their paths in the container. Of a volume that is
// mounted with a sub-path it returns the file or the folder of that name.
func mount(
	volumes map[string]map[string][]byte, mounts []corev1.VolumeMount, env map[string]string,
) (map[string][]byte, error) {
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

// expand replaces $(NAME) with the variable of that name, as the kubelet does.
// A reference to an unknown variable stays as it is, and $$ becomes a dollar sign.
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

// missing is the error for an object that a pod refers to and that does not exist.
// The reason is the one that the kubelet writes.
type missing struct{ reason, what string }

func (m *missing) Error() string { return m.what }

func absent(reason, format string, args ...any) error {
	return &missing{reason, fmt.Sprintf(format, args...)}
}
