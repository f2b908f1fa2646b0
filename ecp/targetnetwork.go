package ecp

import "strings"

// IPFamily is a version of the Internet Protocol, in Kubernetes' words.
type IPFamily string

// The families.
const (
	IPv4 IPFamily = "IPv4"
	IPv6 IPFamily = "IPv6"
)

// IPFamilyPolicy is how many families Services have, in Kubernetes' words.
type IPFamilyPolicy string

// The policies.
const (
	SingleStack      IPFamilyPolicy = "SingleStack"
	PreferDualStack  IPFamilyPolicy = "PreferDualStack"  // both where the Kubernetes cluster has both
	RequireDualStack IPFamilyPolicy = "RequireDualStack" // both; refused where it has one only
)

// DefaultClusterDomain is the DNS domain of a Kubernetes cluster that was not
// given another one.
const DefaultClusterDomain = "cluster.local"

// TargetNetwork is what the network of a Kubernetes target is like. Nodes of EMQX
// are named by the domain and talk to one another in the family, so a cluster
// keeps for its whole life what it was made with: a change concerns clusters that
// are made afterwards.
type TargetNetwork struct {
	// ClusterDomain is the DNS domain of the Kubernetes cluster, the kubelet's
	// clusterDomain. Empty means [DefaultClusterDomain].
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// IPFamily is the one that nodes talk to one another in, and the first of
	// Services. Empty means IPv4 for nodes, and for Services what the Kubernetes
	// cluster gives of its own.
	IPFamily IPFamily `json:"ipFamily,omitempty"`
	// IPFamilyPolicy is that of the Services that clients and people use. With two
	// families EMQX listens on both. Empty means what the Kubernetes cluster gives
	// of its own, which is SingleStack.
	IPFamilyPolicy IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
}

// maxClusterDomain leaves room for what stands before the domain in the name of a
// node: a name in DNS has at most 253 characters.
const maxClusterDomain = 150

// WithDefaults returns n with what is left out filled in.
func (n TargetNetwork) WithDefaults() TargetNetwork {
	if n.ClusterDomain == "" {
		n.ClusterDomain = DefaultClusterDomain
	}
	return n
}

// DualStack reports whether Services have both families, or may have.
func (n TargetNetwork) DualStack() bool {
	return n.IPFamilyPolicy == PreferDualStack || n.IPFamilyPolicy == RequireDualStack
}

// Wrong says what is wrong with n, by field; empty means nothing.
func (n TargetNetwork) Wrong() []FieldError {
	var p problems
	if d := n.ClusterDomain; d != "" && (!isSubdomain(d) || len(d) > maxClusterDomain) {
		p.add("clusterDomain", "is %q; a domain in lower case of at most %d characters such as %q is wanted, without a dot at either end", d, maxClusterDomain, DefaultClusterDomain)
	}
	if n.IPFamily != "" && n.IPFamily != IPv4 && n.IPFamily != IPv6 {
		p.add("ipFamily", quotedText, n.IPFamily, `"IPv4" and "IPv6"`)
	}
	switch n.IPFamilyPolicy {
	case "", SingleStack, PreferDualStack, RequireDualStack:
	default:
		p.add("ipFamilyPolicy", quotedText, n.IPFamilyPolicy, `"SingleStack", "PreferDualStack" and "RequireDualStack"`)
	}
	return p
}

// movedFrom names the fields that make up the names and the way of nodes and that
// differ from those of another network; empty means none.
func (n TargetNetwork) movedFrom(old TargetNetwork) string {
	var fields []string
	if n.WithDefaults().ClusterDomain != old.WithDefaults().ClusterDomain {
		fields = append(fields, "clusterDomain")
	}
	if n.IPFamily != old.IPFamily {
		fields = append(fields, "ipFamily")
	}
	return strings.Join(fields, " and ")
}

// NetworkTeller is a Provisioner that knows what the network of its target is like.
type NetworkTeller interface {
	// Network returns what clusters are made with from now on. It asks nobody.
	Network() TargetNetwork
}

// networkOf returns what a Provisioner says of its target's network.
func networkOf(p Provisioner) TargetNetwork {
	if t, ok := p.(NetworkTeller); ok {
		return t.Network()
	}
	return TargetNetwork{}
}

// wrongFamily says why a version of EMQX cannot run on a target; empty means that
// it can.
func wrongFamily(version string, n TargetNetwork) string {
	if v, ok := ParseVersion(version); ok && v.Major == 4 && n.IPFamily == IPv6 {
		return "EMQX 4 reaches its other nodes over IPv4 only, and nodes on this Kubernetes target talk to one another over IPv6; take EMQX 5.6 or later, or a target with IPv4"
	}
	return ""
}

// insteadOf says where what a refused setting is for is set; empty means nowhere.
func insteadOf(key string) string {
	for _, part := range []string{"proto_dist", "listen_address", "tcp_server_ip", "ipv6", "inet6"} {
		if strings.Contains(key, part) {
			return "; the family of addresses is one of the Kubernetes target: its ipFamily and ipFamilyPolicy"
		}
	}
	if strings.HasPrefix(key, "cluster.dns") || key == "node.name" {
		return "; the DNS domain is one of the Kubernetes target: its clusterDomain"
	}
	return ""
}
