package emqxsim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// service is the Service through which MQTT clients connect.
type service struct {
	Type        ecp.NetworkType   `json:"type"`
	Class       string            `json:"class,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Ports       []servicePort     `json:"ports"`
	Host        string            `json:"host,omitempty"` // of the load balancer
	// Why the load balancer has no address; empty if it has one.
	Withheld string `json:"withheld,omitempty"`
}

// servicePort is one port of a Service.
type servicePort struct {
	Protocol ecp.Protocol `json:"protocol"`
	Port     int          `json:"port"`
	NodePort int          `json:"nodePort,omitempty"` // 0 means none
}

func (s *service) clone() service {
	c := *s
	c.Annotations, c.Ports = maps.Clone(s.Annotations), slices.Clone(s.Ports)
	return c
}

// renderService builds the Service of a network. Node ports of old stay; new ones come from
// give, which may have none left.
func renderService(id ecp.ID, n ecp.Network, old *service, give func() (int, error)) (*service, error) {
	s := &service{Type: n.Type, Class: n.LoadBalancerClass, Annotations: maps.Clone(n.Annotations)}
	if len(s.Annotations) == 0 {
		s.Annotations = nil // as when it is read from a file
	}
	if s.Type == "" {
		s.Type = ecp.ClusterIP
	}
	if old != nil {
		s.Withheld = old.Withheld
	}
	if s.Type == ecp.LoadBalancer {
		s.Host = string(id) + ".lb.example"
	}
	for _, protocol := range ecp.Protocols() {
		port := listens(n.Listeners, protocol)
		if port == 0 {
			continue
		}
		p := servicePort{Protocol: protocol, Port: port}
		if s.Type != ecp.ClusterIP {
			var err error
			if p.NodePort = old.nodePort(protocol); p.NodePort == 0 {
				p.NodePort, err = give()
			}
			if err != nil {
				return nil, err
			}
		}
		s.Ports = append(s.Ports, p)
	}
	return s, nil
}

// refuses returns why Kubernetes does not accept the change of the Service, or nil if it
// does.
func (s *service) refuses(id ecp.ID, n ecp.Network) error {
	if s == nil || s.Type != ecp.LoadBalancer || n.Type != ecp.LoadBalancer || s.Class == n.LoadBalancerClass {
		return nil
	}
	what := "Service " + string(id)
	why := fmt.Sprintf("spec.loadBalancerClass: Invalid value: %q: may not change once set", n.LoadBalancerClass)
	return refusal(what, "spec.network.loadBalancerClass", why)
}

// nodePort returns the node port of a protocol. 0 means none.
func (s *service) nodePort(protocol ecp.Protocol) int {
	if s == nil {
		return 0
	}
	for _, p := range s.Ports {
		if p.Protocol == protocol {
			return p.NodePort
		}
	}
	return 0
}

// listens returns the Service port of a protocol. 0 means that the protocol is not offered.
func listens(listeners []ecp.Listener, p ecp.Protocol) int {
	if len(listeners) == 0 {
		return p.ContainerPort()
	}
	for _, l := range listeners {
		if l.Protocol == p {
			if l.Port == 0 {
				return p.ContainerPort()
			}
			return l.Port
		}
	}
	return 0
}

// endpoints returns where clients reach a Service.
func (s *service) endpoints(host string) ecp.Endpoints {
	if s == nil {
		return ecp.Endpoints{}
	}
	e := ecp.Endpoints{Internal: ecp.InternalEndpoint{Host: host}}
	for _, p := range s.Ports {
		e.Internal.Ports = append(e.Internal.Ports, ecp.EndpointPort{Protocol: p.Protocol, Port: p.Port})
		switch s.Type {
		case ecp.NodePort:
			e.External = append(e.External, ecp.ExternalEndpoint{Protocol: p.Protocol, Port: p.NodePort})
		case ecp.LoadBalancer:
			if s.Withheld != "" {
				continue
			}
			e.External = append(e.External, ecp.ExternalEndpoint{Protocol: p.Protocol, Host: s.Host, Port: p.Port})
		case ecp.ClusterIP:
		}
	}
	return e
}
