package k8sprovisioner

import (
	"maps"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Labels and annotations of our own.
const (
	labelCluster = "openecp.io/cluster" // on everything; selects what is watched

	// labelApp tells the roles of pods apart, since it is the only label that those of core nodes
	// have had from the first rendering on that need not be the same for all pods.
	labelApp     = "app.kubernetes.io/name"
	appCore      = "emqx"
	appReplicant = "emqx-replicant"

	annotationHash       = "openecp.io/spec-hash"      // of the object as rendered
	annotationGeneration = "openecp.io/generation"     // of the spec; on the StatefulSet
	annotationChange     = "openecp.io/change-id"      // of the generation; on the StatefulSet
	annotationManifest   = "openecp.io/manifest"       // the Manager's text; on the StatefulSet
	annotationRender     = "openecp.io/render-version" // on the StatefulSet
	annotationVolumes    = "openecp.io/volumes"        // on a stopped StatefulSet: ordinals below it have claims
	// on the pod template: how often all nodes were asked to be replaced
	annotationRestarts = "openecp.io/restarts"
	annotationLicense  = "openecp.io/license-hash"  // on the ConfigMap: keyed hash of the license Secret
	annotationPull     = "openecp.io/pull-hash"     // on the ConfigMap: keyed hash of the pull Secret
	annotationSettings = "openecp.io/settings-hash" // on the ConfigMap: keyed hash of the settings Secret
	// on the ConfigMap: keyed hash of the Secret with the certificate
	annotationCertificate = "openecp.io/certificate-hash"
	// HOLDER/SHARD/EPOCH of the lease under which the object was last written; on all but pods
	annotationEpoch   = "openecp.io/epoch"
	annotationName    = "openecp.io/name"    // on the namespace
	annotationProject = "openecp.io/project" // on the namespace
	// on the namespace, as the two below: the network that it was made with
	annotationDomain   = "openecp.io/cluster-domain"
	annotationFamily   = "openecp.io/ip-family"
	annotationFamilies = "openecp.io/ip-family-policy"
)

// container is the one container of a pod; claim the name of its volume.
const (
	container = "emqx"
	claim     = "data"
)

// names has a method for the name of each object of a cluster.
type names struct {
	id    ecp.ID
	major major
}

func (n names) namespace() string  { return string(n.id) }
func (n names) auth() string       { return authName(n.id) }
func (n names) config() string     { return configName(n.id) }
func (n names) headless() string   { return string(n.id) + "-headless" }
func (n names) management() string { return string(n.id) + "-mgmt" }
func (n names) workload() string   { return string(n.id) + n.major.suffix }
func (n names) access() string     { return n.workload() }
func (n names) replicants() string { return string(n.id) + "-emqx-replicant" }

// replicantHeadless is a Service of its own: nodes look for others by the names of the other
// one, and are to find core nodes only.
func (n names) replicantHeadless() string { return string(n.id) + "-replicant-headless" }

func (n names) pod(i int) string     { return n.workload() + "-" + strconv.Itoa(i) }
func (n names) claimOf(i int) string { return claim + "-" + n.pod(i) }

func authName(id ecp.ID) string   { return string(id) + "-auth" }
func configName(id ecp.ID) string { return string(id) + "-config" }

// domain returns the DNS name below which every pod of a core node has a name of its own.
func (n names) domain(clusterDomain string) string { return n.domainOf(n.headless(), clusterDomain) }

func (n names) domainOf(headless, clusterDomain string) string {
	return headless + "." + n.namespace() + ".svc." + clusterDomain
}

// node returns the EMQX node name of a pod. The form is known here only.
func (n names) node(pod, clusterDomain string) string {
	if strings.HasPrefix(pod, n.replicants()+"-") {
		return nodeUser + "@" + pod + "." + n.domainOf(n.replicantHeadless(), clusterDomain)
	}
	return nodeUser + "@" + pod + "." + n.domain(clusterDomain)
}

// nodeUser is the part of an EMQX node name before the "@".
const nodeUser = "emqx"

// ordinal returns the number at the end of a pod's or a claim's name, or -1 if there is
// none.
func ordinal(name string) int {
	i := strings.LastIndexByte(name, '-')
	n, err := strconv.Atoi(name[i+1:])
	if i < 0 || err != nil || n < 0 {
		return -1
	}
	return n
}

// selector returns the label that selects a cluster's pods. It never changes.
func selector(id ecp.ID) map[string]string { return map[string]string{labelCluster: string(id)} }

// labels returns the labels of every object.
func labels(id ecp.ID) map[string]string {
	l := selector(id)
	maps.Copy(l, map[string]string{
		labelApp:                       appCore,
		"app.kubernetes.io/instance":   string(id),
		"app.kubernetes.io/managed-by": "openecp",
	})
	return l
}
