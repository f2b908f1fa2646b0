package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// validateAdopted checks a spec. An address that was stored before, by whatever
// rules, stands until it is changed.
func (m *Manager) validateAdopted(p *ecp.FieldErrors, s, was ecp.AdoptedSpec) {
	if s.Connections < 0 || s.Connections > ecp.MaxConnections {
		p.Add("spec.connections", "is %d; 0 to %d connections are allowed", s.Connections, ecp.MaxConnections)
	}
	if s.ServiceAddress == "" || s.ServiceAddress == was.ServiceAddress {
		return
	}
	if why := validate.ValidateServiceAddress(s.ServiceAddress, m.localServiceAddresses); why != "" {
		p.Add("spec.serviceAddress", "%s", why)
	}
}

// limitAtCreation refuses a connection limit for an adopted cluster that is just being
// made: nobody knows yet whether its broker takes one, and nothing is booked that is
// not enforced.
func limitAtCreation(s ecp.AdoptedSpec) error {
	if s.Connections == 0 {
		return nil
	}
	return noLimit("is set once an agent has reported, where EMQX takes one; leave it out until then")
}
