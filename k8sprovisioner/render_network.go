package k8sprovisioner

import (
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func servicePort(name string, number, target int) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Protocol: corev1.ProtocolTCP, Port: int32(number),
		TargetPort: intstr.FromInt32(int32(target))}
}

// headless renders the Service that makes a name in DNS for every pod, even before it is
// ready, since nodes have to find each other to become ready.
func headless(in input) *corev1.Service {
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone,
		Selector: in.ownPods(), PublishNotReadyAddresses: true}
	inFamily(&spec, in)
	for _, p := range peerPorts[1:3] {
		spec.Ports = append(spec.Ports, servicePort(p.name, p.number, p.number))
	}
	return &corev1.Service{ObjectMeta: meta(in, in.headless()), Spec: spec}
}

// access renders the Service for MQTT clients. Node ports are never rendered: the API
// server chooses and keeps them, by the port's name.
func access(in input) *corev1.Service {
	n := in.Spec.Network
	kind := corev1.ServiceType(n.Type)
	if kind == "" {
		kind = corev1.ServiceTypeClusterIP
	}
	spec := corev1.ServiceSpec{Type: kind, Selector: selector(in.ID)}
	if in.replicants && in.Replicants.Front {
		maps.Copy(spec.Selector, in.ofReplicants().pods())
	}
	inFamilies(&spec, in, in.names.access())
	if n.LoadBalancerClass != "" && kind == corev1.ServiceTypeLoadBalancer {
		spec.LoadBalancerClass = &n.LoadBalancerClass
	}
	for _, p := range mqttPorts {
		if number := listenerPort(n.Listeners, p.protocol); number != 0 {
			spec.Ports = append(spec.Ports, servicePort(p.name, number, p.protocol.ContainerPort()))
		}
	}
	of := meta(in, in.names.access())
	of.Annotations = n.Annotations
	return &corev1.Service{ObjectMeta: of, Spec: spec}
}

// listenerPort returns the Service port of a protocol, or zero if it has none.
func listenerPort(listeners []ecp.Listener, p ecp.Protocol) int {
	if len(listeners) == 0 {
		return p.ContainerPort()
	}
	for _, l := range listeners {
		if l.Protocol == p && l.Port == 0 {
			return p.ContainerPort()
		}
		if l.Protocol == p {
			return l.Port
		}
	}
	return 0
}

// management renders the Service for people inside the Kubernetes cluster. It is never
// reachable from outside.
func management(in input) *corev1.Service {
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: selector(in.ID)}
	inFamilies(&spec, in, in.names.management())
	for _, p := range in.major.management {
		spec.Ports = append(spec.Ports, servicePort(p.name, p.number, p.number))
	}
	return &corev1.Service{ObjectMeta: meta(in, in.names.management()), Spec: spec}
}

// budget renders a budget of one node of a role that may be unavailable: a replicant that
// waits for a core node of its version must not hold up that one. A pod that is not ready may
// always be evicted: otherwise a broken cluster would block the drain of a machine. While
// evictions are held it may not, since EMQX says that a node is not ready while its clients leave.
func budget(in input) *policyv1.PodDisruptionBudget {
	most, unready := intstr.FromInt32(1), policyv1.AlwaysAllow
	if in.HoldEvictions {
		most, unready = intstr.FromInt32(0), policyv1.IfHealthyBudget
	}
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: meta(in, in.workload()),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             &most,
			UnhealthyPodEvictionPolicy: &unready,
			Selector:                   matching(in.ownPods()),
		},
	}
}

// matching selects what has all these labels.
func matching(labels map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: labels}
}

// policy allows everybody to connect to the MQTT ports, the cluster's own pods to all
// ports, and the daemon to the management ports.
func policy(in input) *networkingv1.NetworkPolicy {
	var mqtt []port
	for _, p := range mqttPorts {
		mqtt = append(mqtt, port{p.name, p.protocol.ContainerPort()})
	}
	own := networkingv1.NetworkPolicyPeer{PodSelector: matching(selector(in.ID))}
	rules := []networkingv1.NetworkPolicyIngressRule{
		{Ports: policyPorts(mqtt)},
		{From: []networkingv1.NetworkPolicyPeer{own}, Ports: policyPorts(peerPorts, in.major.management)},
	}
	if in.daemon != "" {
		daemon := networkingv1.NetworkPolicyPeer{
			NamespaceSelector: matching(map[string]string{corev1.LabelMetadataName: in.daemon})}
		rules = append(rules, networkingv1.NetworkPolicyIngressRule{
			From: []networkingv1.NetworkPolicyPeer{daemon}, Ports: policyPorts(in.major.management)})
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: meta(in, in.names.workload()),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *matching(selector(in.ID)),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     rules,
		},
	}
}

func policyPorts(groups ...[]port) (out []networkingv1.NetworkPolicyPort) {
	for _, p := range slices.Concat(groups...) {
		out = append(out, networkingv1.NetworkPolicyPort{
			Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(int32(p.number)))})
	}
	return out
}
