package k8sprovisioner

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
)

// endpoints returns the addresses for clients, which the access Service has.
func endpoints(f clusterObjects, domain string) ecp.Endpoints {
	var out ecp.Endpoints
	s := f.access()
	if s == nil {
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

// access returns the Service for MQTT clients, or nil if there is none.
func (f clusterObjects) access() *corev1.Service {
	if f.workload == nil {
		return nil
	}
	n := names{f.id, majorOfWorkload(f.workload.Name)}
	s, _ := f.informers.get(kindService, string(f.id), n.access()).(*corev1.Service)
	return s
}

// balanced reports whether a Service has the address of a load balancer.
func balanced(s *corev1.Service) bool {
	return slices.ContainsFunc(s.Status.LoadBalancer.Ingress,
		func(in corev1.LoadBalancerIngress) bool { return in.IP != "" || in.Hostname != "" })
}

// How often events are asked for while a load balancer has no address.
const (
	addressAfter = 5 * time.Second
	addressEvery = 30 * time.Second
)

// addressCheck records what is known about an address that is missing.
type addressCheck struct {
	since, asked time.Time
	event        string
}

// addressPending returns the reason why a load balancer has no address, with the newest
// event about it. It returns an empty string if there is an address or no load balancer.
func (p *Provisioner) addressPending(ctx context.Context, f clusterObjects) string {
	s, now := f.access(), time.Now()
	if s == nil || s.Spec.Type != corev1.ServiceTypeLoadBalancer || balanced(s) {
		p.withMemo(f.id, func(m *memo) { m.addressCheck = addressCheck{} })
		return ""
	}
	var a addressCheck
	p.withMemo(f.id, func(m *memo) {
		if m.addressCheck.since.IsZero() {
			m.addressCheck.since = now
		}
		a = m.addressCheck
	})
	if now.Sub(a.since) >= addressAfter && now.Sub(a.asked) >= addressEvery && !p.rights.lacks(listEvents) {
		a.asked = now
		if notes, err := p.warnings(ctx, f.id); err == nil {
			a.event = newestEvent(notes, kindService, s.Name)
		}
		p.withMemo(f.id, func(m *memo) { m.addressCheck = a })
	}
	by := "the default one of the Kubernetes cluster"
	if c := s.Spec.LoadBalancerClass; c != nil {
		by = strconv.Quote(*c)
	}
	out := "the load balancer has no address: " + by + " gives none"
	if a.event != "" {
		return out + "; Kubernetes says: " + a.event
	}
	return out + ", and no event says why; see that a controller for it runs"
}

// newestEvent returns the newest event about an object. The newest notes come first.
func newestEvent(notes []corev1.Event, kind, name string) string {
	i := slices.IndexFunc(notes, func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == kind &&
			e.InvolvedObject.Name == name
	})
	if i < 0 {
		return ""
	}
	return notes[i].Reason + ": " + notes[i].Message
}

func protocolOf(port string) (ecp.Protocol, bool) {
	for _, p := range mqttPorts {
		if p.name == port {
			return p.protocol, true
		}
	}
	return "", false
}

// external returns the addresses of one port outside Kubernetes.
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
