package k8sprovisioner

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openecp/openecp/ecp"
)

// endpoints reads the addresses clients use off the access Service.
func endpoints(f found, domain string) ecp.Endpoints {
	var out ecp.Endpoints
	if f.workload == nil {
		return out
	}
	n := names{f.id, majorOfWorkload(f.workload.Name)}
	s, ok := f.sight.get(kindService, string(f.id), n.access()).(*corev1.Service)
	if !ok {
		return out
	}
	out.Internal.Host = s.Name + "." + s.Namespace + ".svc." + domain
	for _, p := range s.Spec.Ports {
		protocol, ok := protocolOf(p.Name)
		if !ok {
			continue
		}
		out.Internal.Ports = append(out.Internal.Ports, ecp.EndpointPort{Protocol: protocol, Port: int(p.Port)})
		out.External = append(out.External, external(s, p, protocol)...)
	}
	return out
}

func protocolOf(port string) (ecp.Protocol, bool) {
	for _, p := range mqttPorts {
		if p.name == port {
			return p.protocol, true
		}
	}
	return "", false
}

// external gives the addresses of one port outside Kubernetes.
func external(s *corev1.Service, p corev1.ServicePort, protocol ecp.Protocol) []ecp.ExternalEndpoint {
	var out []ecp.ExternalEndpoint
	switch s.Spec.Type {
	case corev1.ServiceTypeNodePort:
		if p.NodePort != 0 {
			out = append(out, ecp.ExternalEndpoint{Protocol: protocol, Port: int(p.NodePort)})
		}
	case corev1.ServiceTypeLoadBalancer:
		for _, in := range s.Status.LoadBalancer.Ingress {
			host := in.IP
			if host == "" {
				host = in.Hostname
			}
			out = append(out, ecp.ExternalEndpoint{Protocol: protocol, Host: host, Port: int(p.Port)})
		}
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName:
	}
	return out
}
