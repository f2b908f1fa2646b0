package ecp

import (
	"context"
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

// TargetHealth says whether a target can be seen. It is looked up every few
// seconds while Run runs.
type TargetHealth struct {
	Reachable Truth     `json:"reachable"`
	Message   string    `json:"message,omitempty"` // why not
	Since     time.Time `json:"since,omitzero"`    // when Reachable last changed
	CheckedAt time.Time `json:"checkedAt,omitzero"`
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

// Describe gives kind, key and index.
func (t Target) Describe() (Kind, string, Index) { return KindTarget, t.Name, Index{} }

// Copy gives t itself: it holds no reference.
func (t Target) Copy() Payload { return t }
