package ecp

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
	var p FieldErrors
	if d := n.ClusterDomain; d != "" && (!IsDNSSubdomain(d) || len(d) > maxClusterDomain) {
		p.Add("clusterDomain", "is %q; a domain in lower case of at most %d characters such as %q is wanted, without a dot at either end", d, maxClusterDomain, DefaultClusterDomain)
	}
	if n.IPFamily != "" && n.IPFamily != IPv4 && n.IPFamily != IPv6 {
		p.Add("ipFamily", QuotedText, n.IPFamily, `"IPv4" and "IPv6"`)
	}
	switch n.IPFamilyPolicy {
	case "", SingleStack, PreferDualStack, RequireDualStack:
	default:
		p.Add("ipFamilyPolicy", QuotedText, n.IPFamilyPolicy, `"SingleStack", "PreferDualStack" and "RequireDualStack"`)
	}
	return p
}

// NetworkTeller is a Provisioner that knows what the network of its target is like.
type NetworkTeller interface {
	// Network returns what clusters are made with from now on. It asks nobody.
	Network() TargetNetwork
}
