package k8sprovisioner

import (
	"maps"
	"slices"
	"strconv"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// user is the uid and gid of EMQX's images.
const user = 1000

// statefulSet renders the nodes. Only this package replaces pods (OnDelete), and claims
// stay when the StatefulSet is deleted or scaled.
func statefulSet(in input) (*appsv1.StatefulSet, error) {
	pod, err := podSpec(in)
	if err != nil {
		return nil, err
	}
	set := &appsv1.StatefulSet{ObjectMeta: meta(in, in.workload()), Spec: appsv1.StatefulSetSpec{
		Replicas:            new(int32(in.Replicas)),
		ServiceName:         in.headless(),
		PodManagementPolicy: appsv1.ParallelPodManagement,
		UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
		Selector:            matching(in.pods()),
		Template:            corev1.PodTemplateSpec{ObjectMeta: podMeta(in), Spec: pod},
	}}
	set.Labels["app.kubernetes.io/version"] = in.Image.Version
	if in.role == ecp.RoleReplicant {
		return set, nil
	}
	set.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
		WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	}
	set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{claimTemplate(in)}
	set.Annotations = stamp(in)
	return set, nil
}

// podMeta renders the metadata of the pod template, with the number of requested restarts.
func podMeta(in input) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Labels: labels(in.ID)}
	maps.Copy(m.Labels, in.pods())
	if in.Restarts > 0 {
		m.Annotations = map[string]string{annotationRestarts: strconv.Itoa(in.Restarts)}
	}
	return m
}

func claimTemplate(in input) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: claim, Labels: labels(in.ID)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: in.storage.size}},
			StorageClassName: in.storage.class,
		},
	}
}

func podSpec(in input) (corev1.PodSpec, error) {
	c, err := emqxContainer(in)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	spec := corev1.PodSpec{
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false), // they are named EMQX_…, which EMQX takes for settings
		TerminationGracePeriodSeconds: new(int64(60)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)),
			FSGroup: new(int64(user)), FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers:   []corev1.Container{c},
		Volumes:      volumes(in),
		NodeSelector: nodeSelector(in),
		Affinity:     architectures(in),
	}
	spreadNodes(in, &spec)
	if pullRow.wanted(in) {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: pullRow.name(in.ID)}}
	}
	for _, t := range in.Spec.Placement.Tolerations {
		spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: t.Key,
			Operator: corev1.TolerationOperator(t.Operator), Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	return spec, nil
}

// nodeSelector returns the labels of machines that can run EMQX, whose images are all for
// Linux. The placement overrides it.
func nodeSelector(in input) map[string]string {
	own := in.Spec.Placement.NodeSelector
	if _, said := own[corev1.LabelOSStable]; said || !in.since(2) {
		return own
	}
	out := map[string]string{corev1.LabelOSStable: string(corev1.Linux)}
	maps.Copy(out, own)
	return out
}

// architectures returns the affinity to machines with the processors of the image, or nil
// if those are not known. The placement overrides it.
func architectures(in input) *corev1.Affinity {
	if _, said := in.Spec.Placement.NodeSelector[corev1.LabelArchStable]; said || len(in.Image.Architectures) == 0 {
		return nil
	}
	one := corev1.NodeSelectorRequirement{
		Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: in.Image.Architectures}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{one}}},
		},
	}}
}

// spreadNodes prefers to place the nodes on machines and in zones apart, and allows them together if there is no other
// place. The zone is an affinity: to the scheduler a machine without the label of one constraint counts for none of
// them, and without zones all nodes could be on one machine.
func spreadNodes(in input, spec *corev1.PodSpec) {
	spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(in, corev1.LabelHostname)}
	if !in.since(spreadWithoutZones) {
		spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, spread(in, corev1.LabelTopologyZone))
		return
	}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: corev1.LabelTopologyZone,
				LabelSelector: matching(in.pods())},
		}},
	}
}

func spread(in input, key string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: matching(in.pods())}
}

// Volumes of the pod beside its claim.
const (
	volumeLog      = "log"
	volumeAuth     = "auth"
	volumeConfig   = "config"
	volumeLicense  = "license"
	volumeSettings = "settings"

	volumeCertificate = "certificate"
)

func volumes(in input) []corev1.Volume {
	auth := secretVolume(volumeAuth, in.names.auth())
	auth.Secret.Items = []corev1.KeyToPath{{Key: keyBootstrap, Path: keyBootstrap}}
	out := []corev1.Volume{emptyVolume(volumeLog), auth}
	if in.major.configFile != "" {
		out = append(out, corev1.Volume{Name: volumeConfig, VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: in.names.config()},
				DefaultMode:          new(int32(0o444)),
			}}})
	}
	if licenseRow.wanted(in) {
		out = append(out, secretVolume(volumeLicense, licenseRow.name(in.ID)))
	}
	if in.readsRunTime() || in.major.configFile != "" && settingsRow.wanted(in) {
		out = append(out, settingsVolume(in))
	}
	if in.servesOwn() {
		out = append(out, certificateVolume(in))
	}
	if in.role == ecp.RoleReplicant {
		out = append(out, emptyVolume(claim))
	}
	return out
}

func emptyVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

// secretVolume renders a volume with the keys of a Secret, which EMQX's group may read.
func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: new(int32(0o440))}}}
}

func mounts(in input) []corev1.VolumeMount {
	out := []corev1.VolumeMount{
		{Name: claim, MountPath: "/opt/emqx/data"},
		{Name: volumeLog, MountPath: "/opt/emqx/log"},
		{Name: volumeAuth, MountPath: bootstrapDir, ReadOnly: true},
	}
	if f := in.major.configFile; f != "" {
		out = append(out, corev1.VolumeMount{
			Name: volumeConfig, MountPath: "/opt/emqx/etc/" + f, SubPath: f, ReadOnly: true})
	}
	if licenseRow.wanted(in) { // the whole folder: the kubelet follows changes of it, not of a sub-path
		out = append(out, corev1.VolumeMount{Name: volumeLicense, MountPath: licenseDir, ReadOnly: true})
	}
	if in.readsRunTime() || in.major.configFile != "" && settingsRow.wanted(in) {
		out = append(out, corev1.VolumeMount{Name: volumeSettings, MountPath: settingsDir, ReadOnly: true})
	}
	if in.servesOwn() {
		out = append(out, certificateMount())
	}
	return out
}

func emqxContainer(in input) (corev1.Container, error) {
	res, err := resources(in.Size)
	if err != nil {
		return corev1.Container{}, err
	}
	c := corev1.Container{
		Name: container, Image: in.Image.Reference, ImagePullPolicy: corev1.PullIfNotPresent,
		Ports: containerPorts(in), Env: environment(in), Resources: res, VolumeMounts: mounts(in),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		StartupProbe:   probe(in, in.major.status),
		ReadinessProbe: readiness(in),
		LivenessProbe:  probe(in, in.major.status),
	}
	// A node with much data takes minutes to load it.
	p := c.StartupProbe
	p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 5, 5, 180
	// A restart drops every client: only what has been dead for minutes is restarted.
	p = c.LivenessProbe
	p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 30, 25, 6
	if in.major.configFile == "" {
		c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: in.names.config()}}}}
	}
	return c, nil
}

// readiness renders the probe that keeps clients away from a node until it has joined. A new node answers
// as if it were ready while it is still a cluster of its own, for up to 5 s as seen;
// then joining restarts its listeners and its API, and cuts whoever is there. So it
// has to answer for 10 s without a break, looked at often enough to see the break.
// Nothing else is needed for it: a single node, all nodes at once, and a pod that
// is made anew while the daemon is away become ready by themselves, and no tool of
// the image is relied on; docs/operations.md says what is not caught, and why there
// is neither a readiness gate nor a program for it. It is not ready 16 s after it has stopped answering, as
// before: evacuations count on less than 20 s.
func readiness(in input) *corev1.Probe {
	p := probe(in, in.major.ready(in.version))
	if !in.since(steadyNodes) {
		p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 5, 5, 3
		return p
	}
	p.PeriodSeconds, p.TimeoutSeconds, p.SuccessThreshold, p.FailureThreshold = 2, 2, 6, 8
	return p
}

func probe(in input, path string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: path, Port: intstr.FromInt32(int32(in.major.api)), Scheme: corev1.URISchemeHTTP}}}
}

func containerPorts(in input) (out []corev1.ContainerPort) {
	add := func(name string, number int) {
		out = append(out, corev1.ContainerPort{Name: name, ContainerPort: int32(number), Protocol: corev1.ProtocolTCP})
	}
	for _, p := range mqttPorts {
		add(p.name, p.protocol.ContainerPort())
	}
	for _, p := range slices.Concat(in.major.management, peerPorts[1:3]) {
		add(p.name, p.number)
	}
	return out
}

// environment returns the variables that never change while a node lives, since they
// override everything that is set at run time.
func environment(in input) []corev1.EnvVar {
	out := []corev1.EnvVar{{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}}}
	for _, e := range append(in.major.environ(in), certificateEnv(in)...) {
		if e.secret == "" {
			out = append(out, corev1.EnvVar{Name: e.name, Value: e.value})
		} else {
			out = append(out, secretEnv(e.name, in.names.auth(), e.secret))
		}
	}
	return append(out, settingsEnv(in)...)
}

// secretEnv renders a variable with the value of a Secret's key.
func secretEnv(name, secret, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}}
}
