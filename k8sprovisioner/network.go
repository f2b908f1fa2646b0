package k8sprovisioner

import (
	"strings"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// A cluster keeps the network that it was created with: EMQX stores the names of its
// nodes, which contain the domain, and nodes of different IP families cannot find each
// other. The namespace records the network, since it lives as long as the data. The
// domain and the family of the StatefulSet override it: EMQX was started with those.

// Variables with the network that a cluster was created with.
const (
	envDNSName   = "EMQX_CLUSTER__DNS__NAME"
	envProtoDist = "EMQX_CLUSTER__PROTO_DIST"
	distOverIPv6 = "inet6_tcp"
)

// network returns the network that a cluster was created with, or that of the target if
// the cluster does not exist yet.
func (f clusterObjects) network(target ecp.TargetNetwork) ecp.TargetNetwork {
	if f.namespace == nil {
		return target
	}
	notes := f.namespace.Annotations
	n := ecp.TargetNetwork{
		ClusterDomain: notes[annotationDomain], IPFamily: ecp.IPFamily(notes[annotationFamily]),
		IPFamilyPolicy: ecp.IPFamilyPolicy(notes[annotationFamilies]),
	}
	if len(n.Wrong()) > 0 { // changed by hand into what nobody could have made
		n = ecp.TargetNetwork{}
	}
	if domain, family := networkOf(f.workload); domain != "" {
		n.ClusterDomain = domain
		if talks := (n.IPFamily == ecp.IPv6); talks != (family == ecp.IPv6) {
			n.IPFamily = family
		}
	}
	if n.ClusterDomain == "" {
		n.ClusterDomain = target.ClusterDomain
	}
	return n
}

// network returns the network of a cluster.
func (p *Provisioner) network(f clusterObjects) ecp.TargetNetwork { return f.network(p.cfg.Network) }

// Network implements [ecp.NetworkTeller]. It returns the network of new clusters.
func (p *Provisioner) Network() ecp.TargetNetwork { return p.cfg.Network }

var _ ecp.NetworkTeller = (*Provisioner)(nil)

// networkOf returns the DNS domain and the IP family of a StatefulSet's nodes. The domain
// is empty if it is not known.
func networkOf(w *appsv1.StatefulSet) (domain string, family ecp.IPFamily) {
	if w == nil {
		return "", ""
	}
	for _, c := range w.Spec.Template.Spec.Containers {
		if c.Name != container {
			continue
		}
		for _, e := range c.Env {
			switch {
			case e.Name == envDNSName:
				_, domain, _ = strings.Cut(e.Value, ".svc.")
			case e.Name == envProtoDist && e.Value == distOverIPv6:
				family = ecp.IPv6
			}
		}
	}
	return domain, family
}

// networkAnnotations returns the namespace's annotations with the network of the cluster.
// In the first rendering there are none for the defaults.
func networkAnnotations(in input) map[string]string {
	n := in.network
	if !in.since(2) && n == (ecp.TargetNetwork{}).WithDefaults() {
		return nil
	}
	out := map[string]string{annotationDomain: n.ClusterDomain}
	if n.IPFamily != "" {
		out[annotationFamily] = string(n.IPFamily)
	}
	if n.IPFamilyPolicy != "" {
		out[annotationFamilies] = string(n.IPFamilyPolicy)
	}
	return out
}

// bothFamilies reports whether EMQX listens on addresses of IPv6, too. A listener
// there takes IPv4 as well.
func (in input) bothFamilies() bool { return in.network.IPFamily == ecp.IPv6 || in.network.DualStack() }

// anyAddress is every address of a pod, as in a HOCON bind.
func (in input) anyAddress() string {
	if in.bothFamilies() {
		return "[::]"
	}
	return "0.0.0.0"
}

// checkFamily returns an error for a version whose nodes could never reach each other.
func (in input) checkFamily() error {
	if in.major.number == 4 && in.network.IPFamily == ecp.IPv6 {
		return invalid("image.version", "is %s; EMQX 4 reaches its other nodes over IPv4 only, and nodes on this "+
			"target talk over IPv6", in.Image.Version)
	}
	return nil
}

// families5 are the variables by which EMQX 5 talks over IPv6 and listens there.
// Values are HOCON: an address needs quotes of its own.
func families5(in input) (out []env) {
	if in.network.IPFamily == ecp.IPv6 {
		out = append(out,
			env{name: envProtoDist, value: distOverIPv6},
			env{name: "EMQX_RPC__LISTEN_ADDRESS", value: `"::"`},
			env{name: "EMQX_RPC__IPV6_ONLY", value: "true"})
	}
	if in.bothFamilies() {
		out = append(out, env{name: "EMQX_DASHBOARD__LISTENERS__HTTP__INET6", value: "true"})
	}
	return out
}

// families4 are those by which EMQX 4.4 listens on IPv6. Its nodes talk over IPv4, as
// checkFamily ensures.
func families4(in input) []env {
	if !in.bothFamilies() {
		return nil
	}
	return []env{
		{name: "EMQX_MANAGEMENT__LISTENER__HTTP__INET6", value: "true"},
		{name: "EMQX_DASHBOARD__LISTENER__HTTP__INET6", value: "true"},
	}
}

// inFamily sets the IP family of a Service to that of the nodes.
func inFamily(s *corev1.ServiceSpec, in input) {
	if f := in.network.IPFamily; f != "" {
		s.IPFamilyPolicy, s.IPFamilies = new(corev1.IPFamilyPolicySingleStack), []corev1.IPFamily{corev1.IPFamily(f)}
	}
}

// inFamilies puts a Service in the families that others reach EMQX in. The first is
// never left to chance where there may be two: it cannot change later.
func inFamilies(s *corev1.ServiceSpec, in input, name string) {
	inFamily(s, in)
	p := in.network.IPFamilyPolicy
	if p != "" {
		s.IPFamilyPolicy = new(corev1.IPFamilyPolicy(p))
	}
	if second := otherFamily(in.network.IPFamily); second != "" &&
		(p == ecp.RequireDualStack || p == ecp.PreferDualStack && in.completed[name]) {
		s.IPFamilies = append(s.IPFamilies, second)
	}
}

// otherFamily returns the family that is not f, or none if f is empty.
func otherFamily(f ecp.IPFamily) corev1.IPFamily {
	switch f {
	case ecp.IPv4:
		return corev1.IPv6Protocol
	case ecp.IPv6:
		return corev1.IPv4Protocol
	}
	return ""
}

// completedServices names the Services that were given a second family which they
// only prefer. The API server takes no such Service that asks for the first alone.
func (f clusterObjects) completedServices(n names) map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{n.access(), n.management()} {
		if s, ok := f.informers.get(kindService, string(f.id), name).(*corev1.Service); ok &&
			len(s.Spec.IPFamilies) > 1 {
			out[name] = true
		}
	}
	return out
}
