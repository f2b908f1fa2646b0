package ecp

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// Target is a Kubernetes cluster that hosted clusters are made on.
type Target struct {
	Name          string `json:"name"` // slug; what HostedSpec.Target names; never changes
	Description   string `json:"description"`
	KubeconfigSet bool   `json:"kubeconfigSet"` // false for one that the program itself was given
	BuiltIn       bool   `json:"builtIn"`       // of Config.Provisioners: cannot be changed here
	// Network is what clusters are made with that are made from now on.
	Network   TargetNetwork `json:"network,omitzero"`
	CreatedAt time.Time     `json:"createdAt,omitzero"`
	Revision  int64         `json:"revision"` // grows with every change; the ETag
}

// TargetInfo is a target with what is seen of it.
type TargetInfo struct {
	Target
	Health TargetHealth `json:"health"`
	// List is how many name it; only counted for who may see all of them.
	Clusters int `json:"clusters"`
}

// TargetHealth reports whether a target can be seen. It is looked up every few
// seconds while Run runs.
type TargetHealth struct {
	Reachable ConditionStatus `json:"reachable"`
	Message   string          `json:"message,omitempty"` // why not
	Since     time.Time       `json:"since,omitzero"`    // when Reachable last changed
	CheckedAt time.Time       `json:"checkedAt,omitzero"`
	// Lease is the right to write there: one daemon has it at a time. nil = this
	// kind of platform has none, or the target is not up.
	Lease *Lease `json:"lease,omitempty"`
	// Warnings are what should be mended although the target works.
	Warnings []string `json:"warnings,omitempty"`
}

// TargetConfig is what a Provisioner for a target is made of.
type TargetConfig struct {
	Name       string
	Kubeconfig Secret
	Network    TargetNetwork
}

// ProvisionerFactory makes the Provisioner of a target that was added at run
// time. It checks the configuration and starts nothing, reaches nobody, and
// keeps no reference to ctx: a Watcher begins with Watch. What has resources
// of its own implements io.Closer, which is called after Watch has returned.
type ProvisionerFactory func(ctx context.Context, t TargetConfig) (Provisioner, error)

// Describe implements [Payload].
func (t Target) Describe() (Kind, string, Index) { return KindTarget, t.Name, Index{} }

// Copy returns t itself: it holds no reference.
func (t Target) Copy() Payload { return t }

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
	// cluster returns of its own.
	IPFamily IPFamily `json:"ipFamily,omitempty"`
	// IPFamilyPolicy is that of the Services that clients and people use. With two
	// families EMQX listens on both. Empty means what the Kubernetes cluster gives
	// of its own, which is SingleStack.
	IPFamilyPolicy IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`
}

// maxClusterDomain leaves room for what stands before the domain in the name of a
// node: a name in DNS has at most 253 characters.
const maxClusterDomain = 150

var clusterDomainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

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

// Wrong lists what is wrong with n, by field; it is empty where nothing is.
func (n TargetNetwork) Wrong() (wrong []FieldError) {
	if d := n.ClusterDomain; d != "" && (!clusterDomainForm.MatchString(d) || len(d) > maxClusterDomain) {
		wrong = append(wrong, FieldError{"clusterDomain", fmt.Sprintf("is %q; a domain in lower case of at most %d "+
			"characters such as %q is wanted, without a dot at either end", d, maxClusterDomain, DefaultClusterDomain)})
	}
	if f := n.IPFamily; f != "" && f != IPv4 && f != IPv6 {
		wrong = append(wrong, FieldError{"ipFamily", fmt.Sprintf(`is %q; "IPv4" and "IPv6" are allowed`, f)})
	}
	switch n.IPFamilyPolicy {
	case "", SingleStack, PreferDualStack, RequireDualStack:
	default:
		wrong = append(wrong, FieldError{"ipFamilyPolicy", fmt.Sprintf(
			`is %q; "SingleStack", "PreferDualStack" and "RequireDualStack" are allowed`, n.IPFamilyPolicy)})
	}
	return wrong
}

// Identified is a Provisioner whose platform can be told from every other one of
// its kind, so that nobody takes the clusters of one for lost on another.
type Identified interface {
	// Identity asks the platform for what names it for as long as it exists, and no
	// other, e.g. the uid of a namespace that every Kubernetes cluster has. An
	// unsupported error says why the platform cannot be told apart, e.g. for want of
	// a right: it is then worked with as if it were the right one.
	Identity(ctx context.Context) (string, error)
}

// Platform says which platform the clusters of a target are on. It is stored
// when the target is seen for the first time.
type Platform struct {
	Target   string    `json:"target"`
	Identity string    `json:"identity"` // see [Identified]
	Since    time.Time `json:"since"`    // when it was stored
}

// Describe implements [Payload].
func (p Platform) Describe() (Kind, string, Index) { return KindPlatform, p.Target, Index{} }

// Copy returns p itself: it holds no reference.
func (p Platform) Copy() Payload { return p }
