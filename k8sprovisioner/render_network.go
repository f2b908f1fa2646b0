package k8sprovisioner

import (
	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
)

func service(in input, name string) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(name, in.names.namespace()).WithLabels(labels(in.ID))
}

func servicePort(name string, number, target int) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().WithName(name).WithProtocol(corev1.ProtocolTCP).
		WithPort(int32(number)).WithTargetPort(intstr.FromInt32(int32(target)))
}

// headless renders the Service that makes a name in DNS for every pod, even before it is
// ready, since nodes have to find each other to become ready.
func headless(in input) *corev1ac.ServiceApplyConfiguration {
	spec := corev1ac.ServiceSpec().WithType(corev1.ServiceTypeClusterIP).WithClusterIP(corev1.ClusterIPNone).
		WithSelector(in.ownPods()).WithPublishNotReadyAddresses(true)
	inFamily(spec, in)
	for _, p := range peerPorts[1:3] {
		spec.WithPorts(servicePort(p.name, p.number, p.number))
	}
	return service(in, in.headless()).WithSpec(spec)
}

// access renders the Service for MQTT clients. Node ports are never rendered: the API
// server chooses and keeps them, by the port's name.
func access(in input) *corev1ac.ServiceApplyConfiguration {
	n := in.Spec.Network
	kind := corev1.ServiceType(n.Type)
	if kind == "" {
		kind = corev1.ServiceTypeClusterIP
	}
	spec := corev1ac.ServiceSpec().WithType(kind).WithSelector(selector(in.ID))
	if in.replicants && in.Replicants.Front {
		spec.WithSelector(in.ofReplicants().pods())
	}
	inFamilies(spec, in, in.names.access())
	if n.LoadBalancerClass != "" && kind == corev1.ServiceTypeLoadBalancer {
		spec.WithLoadBalancerClass(n.LoadBalancerClass)
	}
	for _, p := range mqttPorts {
		if number := listenerPort(n.Listeners, p.protocol); number != 0 {
			spec.WithPorts(servicePort(p.name, number, p.protocol.ContainerPort()))
		}
	}
	svc := service(in, in.names.access()).WithSpec(spec)
	if len(n.Annotations) > 0 {
		svc.WithAnnotations(n.Annotations)
	}
	return svc
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
func management(in input) *corev1ac.ServiceApplyConfiguration {
	spec := corev1ac.ServiceSpec().WithType(corev1.ServiceTypeClusterIP).WithSelector(selector(in.ID))
	inFamilies(spec, in, in.names.management())
	for _, p := range in.major.management {
		spec.WithPorts(servicePort(p.name, p.number, p.number))
	}
	return service(in, in.names.management()).WithSpec(spec)
}

// budget renders a budget of one node of a role that may be unavailable: a replicant that
// waits for a core node of its version must not hold up that one. A pod that is not ready may
// always be evicted: otherwise a broken cluster would block the drain of a machine.
func budget(in input) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(in.workload(), in.names.namespace()).WithLabels(labels(in.ID)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(in.ownPods())))
}

// policy allows everybody to connect to the MQTT ports, the cluster's own pods to all
// ports, and the daemon to the management ports.
func policy(in input) *networkingv1ac.NetworkPolicyApplyConfiguration {
	var mqtt []port
	for _, p := range mqttPorts {
		mqtt = append(mqtt, port{p.name, p.protocol.ContainerPort()})
	}
	own := networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(selector(in.ID)))
	rules := []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration{
		networkingv1ac.NetworkPolicyIngressRule().WithPorts(policyPorts(mqtt)...),
		networkingv1ac.NetworkPolicyIngressRule().WithFrom(own).WithPorts(policyPorts(peerPorts,
			in.major.management)...),
	}
	if in.daemon != "" {
		daemon := networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(
			metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: in.daemon}))
		rules = append(rules, networkingv1ac.NetworkPolicyIngressRule().WithFrom(daemon).
			WithPorts(policyPorts(in.major.management)...))
	}
	return networkingv1ac.NetworkPolicy(in.names.workload(), in.names.namespace()).WithLabels(labels(in.ID)).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(selector(in.ID))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(rules...))
}

func policyPorts(groups ...[]port) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var out []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, g := range groups {
		for _, p := range g {
			out = append(out, networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).
				WithPort(intstr.FromInt32(int32(p.number))))
		}
	}
	return out
}
