package fleet

import (
	"github.com/openecp/openecp/ecp"
)

// networkOf returns what a Provisioner says of its target's network.
func networkOf(p ecp.Provisioner) ecp.TargetNetwork {
	if t, ok := p.(ecp.NetworkTeller); ok {
		return t.Network()
	}
	return ecp.TargetNetwork{}
}

// wrongFamily says why a version of EMQX cannot run on a target; empty means that
// it can.
func wrongFamily(version string, n ecp.TargetNetwork) string {
	if v, ok := ecp.ParseVersion(version); ok && v.Major == 4 && n.IPFamily == ecp.IPv6 {
		return "EMQX 4 reaches its other nodes over IPv4 only, and nodes on this Kubernetes target talk to one another over IPv6; take EMQX 5.6 or later, or a target with IPv4"
	}
	return ""
}
