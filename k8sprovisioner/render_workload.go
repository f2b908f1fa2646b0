package k8sprovisioner

import (
	"maps"
	"strconv"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// user is the uid and gid of EMQX's images.
const user = 1000

// statefulSet renders the nodes. Only this package replaces pods (OnDelete), and claims
// stay when the StatefulSet is deleted or scaled.
func statefulSet(in input) (*appsv1ac.StatefulSetApplyConfiguration, error) {
	pod, err := podSpec(in)
	if err != nil {
		return nil, err
	}
	object := labels(in.ID)
	object["app.kubernetes.io/version"] = in.Image.Version
	spec := appsv1ac.StatefulSetSpec().
		WithReplicas(int32(in.Replicas)).
		WithServiceName(in.headless()).
		WithPodManagementPolicy(appsv1.ParallelPodManagement).
		WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().WithType(appsv1.OnDeleteStatefulSetStrategyType)).
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(in.pods())).
		WithTemplate(template(in).WithSpec(pod))
	set := appsv1ac.StatefulSet(in.workload(), in.names.namespace()).WithLabels(object).WithSpec(spec)
	if in.role == ecp.RoleReplicant {
		return set, nil
	}
	spec.WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
		WithWhenDeleted(appsv1.RetainPersistentVolumeClaimRetentionPolicyType).
		WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)).
		WithVolumeClaimTemplates(claimTemplate(in))
	return set.WithAnnotations(stamp(in)), nil
}

// template renders the pod template, with the number of requested restarts.
func template(in input) *corev1ac.PodTemplateSpecApplyConfiguration {
	t := corev1ac.PodTemplateSpec().WithLabels(labels(in.ID)).WithLabels(in.pods())
	if in.Restarts > 0 {
		t.WithAnnotations(map[string]string{annotationRestarts: strconv.Itoa(in.Restarts)})
	}
	return t
}

func claimTemplate(in input) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	spec := corev1ac.PersistentVolumeClaimSpec().WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: in.storage.size}))
	if in.storage.class != nil {
		spec.WithStorageClassName(*in.storage.class)
	}
	// Without kind and version, which the API server leaves out of a template.
	return new(corev1ac.PersistentVolumeClaimApplyConfiguration).WithName(claim).WithLabels(labels(in.ID)).
		WithSpec(spec)
}

func podSpec(in input) (*corev1ac.PodSpecApplyConfiguration, error) {
	c, err := emqxContainer(in)
	if err != nil {
		return nil, err
	}
	spec := corev1ac.PodSpec().
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false). // they are named EMQX_…, which EMQX takes for settings
		WithTerminationGracePeriodSeconds(60).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(user).WithRunAsGroup(user).
			WithFSGroup(user).WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(c).
		WithVolumes(volumes(in)...).
		WithTopologySpreadConstraints(spread(in, corev1.LabelHostname), spread(in, corev1.LabelTopologyZone))
	if pullRow.wanted(in) {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(pullRow.name(in.ID)))
	}
	if s := nodeSelector(in); len(s) > 0 {
		spec.WithNodeSelector(s)
	}
	if a := architectures(in); a != nil {
		spec.WithAffinity(a)
	}
	for _, t := range in.Spec.Placement.Tolerations {
		spec.WithTolerations(toleration(t))
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
func architectures(in input) *corev1ac.AffinityApplyConfiguration {
	if _, said := in.Spec.Placement.NodeSelector[corev1.LabelArchStable]; said || len(in.Image.Architectures) == 0 {
		return nil
	}
	return corev1ac.Affinity().WithNodeAffinity(corev1ac.NodeAffinity().
		WithRequiredDuringSchedulingIgnoredDuringExecution(corev1ac.NodeSelector().
			WithNodeSelectorTerms(corev1ac.NodeSelectorTerm().
				WithMatchExpressions(corev1ac.NodeSelectorRequirement().
					WithKey(corev1.LabelArchStable).WithOperator(corev1.NodeSelectorOpIn).
					WithValues(in.Image.Architectures...)))))
}

// spread prefers to place the nodes apart, and allows them together if there is no other
// place.
func spread(in input, key string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().WithMaxSkew(1).WithTopologyKey(key).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(in.pods()))
}

func toleration(t ecp.Toleration) *corev1ac.TolerationApplyConfiguration {
	out := corev1ac.Toleration()
	if t.Key != "" {
		out.WithKey(t.Key)
	}
	if t.Operator != "" {
		out.WithOperator(corev1.TolerationOperator(t.Operator))
	}
	if t.Value != "" {
		out.WithValue(t.Value)
	}
	if t.Effect != "" {
		out.WithEffect(corev1.TaintEffect(t.Effect))
	}
	return out
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

func volumes(in input) []*corev1ac.VolumeApplyConfiguration {
	out := []*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName(volumeLog).WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		corev1ac.Volume().WithName(volumeAuth).WithSecret(corev1ac.SecretVolumeSource().
			WithSecretName(in.names.auth()).WithDefaultMode(0o440).
			WithItems(corev1ac.KeyToPath().WithKey(keyBootstrap).WithPath(keyBootstrap))),
	}
	if in.major.configFile != "" {
		out = append(out, corev1ac.Volume().WithName(volumeConfig).
			WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(in.names.config()).WithDefaultMode(0o444)))
	}
	if licenseRow.wanted(in) {
		out = append(out, corev1ac.Volume().WithName(volumeLicense).
			WithSecret(corev1ac.SecretVolumeSource().WithSecretName(licenseRow.name(in.ID)).WithDefaultMode(0o440)))
	}
	if in.readsRunTime() || in.major.configFile != "" && settingsRow.wanted(in) {
		out = append(out, settingsVolume(in))
	}
	if in.servesOwn() {
		out = append(out, certificateVolume(in))
	}
	if in.role == ecp.RoleReplicant {
		out = append(out, corev1ac.Volume().WithName(claim).WithEmptyDir(corev1ac.EmptyDirVolumeSource()))
	}
	return out
}

func mounts(in input) []*corev1ac.VolumeMountApplyConfiguration {
	out := []*corev1ac.VolumeMountApplyConfiguration{
		corev1ac.VolumeMount().WithName(claim).WithMountPath("/opt/emqx/data"),
		corev1ac.VolumeMount().WithName(volumeLog).WithMountPath("/opt/emqx/log"),
		corev1ac.VolumeMount().WithName(volumeAuth).WithMountPath(bootstrapDir).WithReadOnly(true),
	}
	if f := in.major.configFile; f != "" {
		out = append(out, corev1ac.VolumeMount().WithName(volumeConfig).WithMountPath("/opt/emqx/etc/"+f).
			WithSubPath(f).WithReadOnly(true))
	}
	if licenseRow.wanted(in) { // the whole folder: the kubelet follows changes of it, not of a sub-path
		out = append(out, corev1ac.VolumeMount().WithName(volumeLicense).WithMountPath(licenseDir).WithReadOnly(true))
	}
	if in.readsRunTime() || in.major.configFile != "" && settingsRow.wanted(in) {
		out = append(out, corev1ac.VolumeMount().WithName(volumeSettings).WithMountPath(settingsDir).WithReadOnly(true))
	}
	if in.servesOwn() {
		out = append(out, certificateMount())
	}
	return out
}

func emqxContainer(in input) (*corev1ac.ContainerApplyConfiguration, error) {
	res, err := resources(in.Size)
	if err != nil {
		return nil, err
	}
	c := corev1ac.Container().WithName(container).WithImage(in.Image.Reference).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithPorts(containerPorts(in)...).
		WithEnv(environment(in)...).
		WithResources(res).
		WithVolumeMounts(mounts(in)...).
		WithSecurityContext(corev1ac.SecurityContext().WithAllowPrivilegeEscalation(false).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		// A node with much data takes minutes to load it.
		WithStartupProbe(probe(in, in.major.status).WithPeriodSeconds(5).WithTimeoutSeconds(5).
			WithFailureThreshold(180)).
		WithReadinessProbe(readiness(in)).
		// A restart drops every client: only what has been dead for minutes is restarted.
		WithLivenessProbe(probe(in, in.major.status).WithPeriodSeconds(30).WithTimeoutSeconds(25).
			WithFailureThreshold(6))
	if in.major.configFile == "" {
		c.WithEnvFrom(corev1ac.EnvFromSource().
			WithConfigMapRef(corev1ac.ConfigMapEnvSource().WithName(in.names.config())))
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
func readiness(in input) *corev1ac.ProbeApplyConfiguration {
	p := probe(in, in.major.ready(in.version))
	if !in.since(steadyNodes) {
		return p.WithPeriodSeconds(5).WithTimeoutSeconds(5).WithFailureThreshold(3)
	}
	return p.WithPeriodSeconds(2).WithTimeoutSeconds(2).WithSuccessThreshold(6).WithFailureThreshold(8)
}

func probe(in input, path string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().WithHTTPGet(corev1ac.HTTPGetAction().
		WithPath(path).WithPort(intstr.FromInt32(int32(in.major.api))).WithScheme(corev1.URISchemeHTTP))
}

func containerPorts(in input) []*corev1ac.ContainerPortApplyConfiguration {
	var all []port
	for _, p := range mqttPorts {
		all = append(all, port{p.name, p.protocol.ContainerPort()})
	}
	all = append(append(all, in.major.management...), peerPorts[1:3]...)
	out := make([]*corev1ac.ContainerPortApplyConfiguration, len(all))
	for i, p := range all {
		out[i] = corev1ac.ContainerPort().WithName(p.name).WithContainerPort(int32(p.number)).
			WithProtocol(corev1.ProtocolTCP)
	}
	return out
}

// environment returns the variables that never change while a node lives, since they
// override everything that is set at run time.
func environment(in input) []*corev1ac.EnvVarApplyConfiguration {
	out := []*corev1ac.EnvVarApplyConfiguration{
		corev1ac.EnvVar().WithName("POD_NAME").WithValueFrom(corev1ac.EnvVarSource().
			WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.name"))),
	}
	for _, e := range append(in.major.environ(in), certificateEnv(in)...) {
		v := corev1ac.EnvVar().WithName(e.name)
		if e.secret == "" {
			v.WithValue(e.value)
		} else {
			v.WithValueFrom(corev1ac.EnvVarSource().WithSecretKeyRef(
				corev1ac.SecretKeySelector().WithName(in.names.auth()).WithKey(e.secret)))
		}
		out = append(out, v)
	}
	return append(out, settingsEnv(in)...)
}
