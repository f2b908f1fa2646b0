package brokers

import (
	"context"
	"sync"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Brokers asks the brokers of hosted clusters, and tells them what a change needs.
type Brokers struct {
	observed  *observed.Clusters
	wake      func(ecp.ID)
	withLease WithLease
	probes    sync.WaitGroup
}

// WithLease returns a context that ends when the lease on a target is lost.
type WithLease func(ctx context.Context, target string, p ecp.Provisioner) (context.Context, context.CancelFunc, error)

// New returns Brokers. wake asks for a cluster to be reconciled soon.
func New(o *observed.Clusters, wake func(ecp.ID), withLease WithLease) *Brokers {
	return &Brokers{observed: o, wake: wake, withLease: withLease}
}

// Wait returns when no probe runs any more. It must be called after the last Observe, whose
// context has ended.
func (m *Brokers) Wait() { m.probes.Wait() }
