package k8sprovisioner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// input contains everything that rendering reads.
type input struct {
	ecp.Desired
	names      names
	major      major
	version    ecp.Version
	network    ecp.TargetNetwork // what the cluster was created with
	completed  map[string]bool   // Services that have a second family which they only prefer
	daemon     string            // namespace that the daemon runs in; may be empty
	auth       string            // UID of the auth Secret, which owns the ConfigMap
	secretRefs secretRefs        // of the Secrets that are rendered
	settings   string            // version of the spec's own settings; see settingsRow
	// Claims can never be changed once there is a StatefulSet: size and class
	// are then the live ones.
	storage storage
	want    resource.Quantity // the least that volumes are to have; more than storage.size where those grew
	// volumes is how many ordinals of a stopped cluster have claims. It may be zero.
	volumes int
	// replicants says that there is a StatefulSet for them, or is to be one; role is that of
	// the nodes which are rendered.
	replicants bool
	role       ecp.NodeRole
}

// storage is the volume of one node.
type storage struct {
	class *string // nil for the Kubernetes cluster's default
	size  resource.Quantity
}

// renderer renders every object of a cluster but its Secrets, which authSecret and
// secretRows contain.
type renderer func(in input) ([]object, error)

// renderers contains every version of rendering that a release has used. An entry MUST NOT
// change what it renders after its release: a change is a new entry, which clusters get
// with their next operation.
var renderers = map[int]renderer{1: renderAll, 2: renderAll, 3: renderAll, 4: renderAll}

// What later renderings do that earlier ones do not.
const (
	settingsInSecret   = 2 // the spec's settings are in a Secret
	steadyNodes        = 2 // nodes that hang are removed soon, and new ones become ready after they are steady
	runTimeSettings    = 3 // settings that EMQX takes at run time are no part of the pod template
	spreadWithoutZones = 4 // nodes are spread over machines that have no zone, too
)

// since reports whether objects are rendered in a version or a later one.
func (in input) since(version int) bool { return in.RenderVersion >= version }

// newest returns the highest version of a set of renderers.
func newest(set map[int]renderer) int { return slices.Max(slices.Collect(maps.Keys(set))) }

// newInput returns the input for rendering d. Its errors are [ecp.ErrInvalid].
func newInput(d ecp.Desired, c Config) (input, error) {
	in := input{Desired: d, network: c.Network, daemon: c.Namespace}
	in.replicants = d.Replicants.Replicas > 0 || d.Spec.Replicants.Nodes > 0
	if in.RenderVersion == 0 {
		in.RenderVersion = newest(renderers)
	}
	v, ok := ecp.ParseVersion(d.Image.Version)
	if ok {
		in.major, ok = majorOf(v)
	}
	if !ok {
		return in, invalid("image.version", "is %q; EMQX 4.4 and 5 can be made", d.Image.Version)
	}
	in.version, in.names = v, names{d.ID, in.major}
	if len(in.RunTimeConfig) > 0 && !in.readsRunTime() { // there is one place for all
		in.Spec.Config = maps.Clone(in.Spec.Config)
		if in.Spec.Config == nil {
			in.Spec.Config = map[string]string{}
		}
		maps.Copy(in.Spec.Config, in.RunTimeConfig)
	}
	size, err := resource.ParseQuantity(d.Size.Storage.Size)
	if err != nil {
		return in, invalid("size.storage.size", "is %q, which is no quantity such as \"10Gi\"", d.Size.Storage.Size)
	}
	in.storage, in.want = storage{size: size}, size
	for _, class := range []string{d.Size.Storage.Class, d.Spec.Storage} {
		if class != "" {
			in.storage.class = &class
		}
	}
	_, err = resources(d.Size)
	if in.replicants && in.major.number < 5 {
		err = errors.Join(err, invalid("replicants", "are nodes of EMQX 5 and later; this is %s", d.Image.Version))
	}
	return in, errors.Join(err, in.checkFamily())
}

// resources returns a container's requests and limits.
func resources(s ecp.Size) (corev1.ResourceRequirements, error) {
	out := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
	for _, r := range []struct {
		field string
		name  corev1.ResourceName
		value string
		list  corev1.ResourceList
	}{
		{"size.cpu.request", corev1.ResourceCPU, s.CPU.Request, out.Requests},
		{"size.cpu.limit", corev1.ResourceCPU, s.CPU.Limit, out.Limits},
		{"size.memory.request", corev1.ResourceMemory, s.Memory.Request, out.Requests},
		{"size.memory.limit", corev1.ResourceMemory, s.Memory.Limit, out.Limits},
	} {
		if r.value == "" {
			continue
		}
		q, err := resource.ParseQuantity(r.value)
		if err != nil {
			return out, invalid(r.field, "is %q, which is no quantity such as \"500m\" or \"4Gi\"", r.value)
		}
		r.list[r.name] = q
	}
	return out, nil
}

// renderAll renders every object. [input.since] tells the versions apart.
func renderAll(in input) ([]object, error) {
	workload, err := statefulSet(in)
	if err != nil {
		return nil, err
	}
	all := []live{namespace(in), configMap(in), headless(in), access(in), management(in), budget(in), policy(in),
		workload}
	if in.replicants {
		r := in.ofReplicants()
		workload, err := statefulSet(r)
		if err != nil {
			return nil, err
		}
		all = append(all, headless(r), budget(r), workload)
	}
	var out []object
	for _, rendered := range all {
		o, err := newObject(rendered)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// meta is the metadata of an object in the cluster's namespace.
func meta(in input, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: in.names.namespace(), Labels: labels(in.ID)}
}

func namespace(in input) *corev1.Namespace {
	annotations := map[string]string{annotationName: in.Name, annotationProject: in.Project}
	maps.Copy(annotations, networkAnnotations(in))
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: in.names.namespace(), Labels: labels(in.ID), Annotations: annotations}}
}

// stamp returns the annotations of a StatefulSet that record what was applied.
func stamp(in input) map[string]string {
	a := map[string]string{
		annotationGeneration: strconv.FormatInt(in.Generation, 10),
		annotationRender:     strconv.Itoa(in.RenderVersion),
	}
	if in.ChangeID != "" {
		a[annotationChange] = in.ChangeID
	}
	if in.Manifest != "" {
		a[annotationManifest] = in.Manifest
	}
	if in.volumes > 0 {
		a[annotationVolumes] = strconv.Itoa(in.volumes)
	}
	return a
}

// render renders d in its own version.
func render(set map[int]renderer, in input) ([]object, error) {
	r, ok := set[in.RenderVersion]
	if !ok {
		return nil, &ecp.Error{
			Code: ecp.CodeUnsupported, Op: "render cluster " + string(in.ID),
			Message: fmt.Sprintf("its objects are of rendering %d, this build knows 1 to %d; run the newer build "+
				"that made them", in.RenderVersion, newest(set)),
		}
	}
	return r(in)
}
