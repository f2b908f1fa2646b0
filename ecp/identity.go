package ecp

import (
	"context"
	"time"
)

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

// Describe gives kind, key and index.
func (p Platform) Describe() (Kind, string, Index) { return KindPlatform, p.Target, Index{} }

// Copy gives p itself: it holds no reference.
func (p Platform) Copy() Payload { return p }
