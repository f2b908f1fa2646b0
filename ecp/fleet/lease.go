package fleet

import (
	"context"
	"fmt"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// lease is how this program stands to the Provisioner of a target; one that is no
// Fencer is as if held, and so is one whose lease nobody asks for, because Run does
// not run. A platform that is not known to be the right one is not held.
func (m *Manager) lease(target string, p ecp.Provisioner) ecp.Lease {
	if l := m.strange(target, p); l != nil {
		return *l
	}
	f, ok := p.(ecp.Fencer)
	if !ok || !m.running.Load() {
		return ecp.Lease{Held: true}
	}
	return f.Lease()
}

// boundByLease returns a context that ends when the lease does, for writes that
// do not go through the Provisioner. If the lease is not held, the error is "unavailable".
func (m *Manager) boundByLease(
	ctx context.Context, target string, p ecp.Provisioner,
) (context.Context, context.CancelFunc, error) {
	if o, ok := ecp.OwnershipFrom(ctx); ok && o.Err() != nil {
		return ctx, nil, o.Err()
	}
	l := m.lease(target, p)
	if why := l.Waiting(); why != "" {
		return ctx, nil, ecp.NewError(ecp.CodeUnavailable, "", why)
	}
	if l.Until.IsZero() {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithDeadline(ctx, l.Until)
	return ctx, cancel, nil
}

// holdTarget holds the lease of a target, where its Provisioner has one, from
// when its platform is known to be the right one until ctx ends.
func (m *Manager) holdTarget(ctx context.Context, name string, p ecp.Provisioner, recognized <-chan struct{}) error {
	f, ok := p.(ecp.Fencer)
	if !ok {
		return nil
	}
	select {
	case <-recognized:
	case <-ctx.Done():
		return nil
	}
	var mu sync.Mutex
	var last ecp.Lease // guarded by mu
	err := m.hold(ctx, f, func() {
		now := f.Lease()
		mu.Lock()
		before := last
		last = now
		mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		m.tellLease(ctx, name, before, now)
		if err := m.wakeTarget(ctx, name); err != nil && ctx.Err() == nil {
			m.observed.Log.WarnContext(ctx, "clusters of a target could not be woken", "target", name, "error", err)
		}
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("hold the target %q: %w", name, err)
	}
	return nil
}

// hold holds a lease: together with the programs that share the Store, where the platform
// knows that, else for this program alone.
func (m *Manager) hold(ctx context.Context, f ecp.Fencer, changed func()) error {
	g, ok := f.(ecp.GroupFencer)
	if !ok || m.shards == nil {
		return f.Hold(ctx, changed)
	}
	for ctx.Err() == nil {
		group, regroup := m.shards.Group()
		if group == "" {
			select {
			case <-regroup:
			case <-ctx.Done():
			}
			continue
		}
		holding, cancel := context.WithCancel(ctx)
		go func() {
			select {
			case <-regroup:
				cancel()
			case <-holding.Done():
			}
		}()
		err := g.HoldFor(holding, ecp.LeaseGroup{Incarnation: group, Last: m.shards.Last}, changed)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// tellLease logs what operators should know of a lease.
func (m *Manager) tellLease(ctx context.Context, name string, before, now ecp.Lease) {
	log := m.observed.Log.With("target", name, "epoch", now.Epoch)
	switch {
	case now.Unfenced && !before.Unfenced:
		log.WarnContext(ctx, "nothing keeps a second instance from writing to this target at the same time",
			"reason", now.Message)
	case now.Held && !before.Held:
		log.InfoContext(ctx, "this instance holds the target", "incarnation", now.Holder.Incarnation)
	case !now.MayWrite() && (before.MayWrite() || before.Holder.Incarnation != now.Holder.Incarnation):
		log.WarnContext(ctx, "this instance writes nothing to the target", "reason", now.Waiting())
	}
}

// Leases says for each target that has a lease how this program stands to it.
// It asks nobody, and is for whoever runs the program: it needs no actor.
func (m *Manager) Leases() map[string]ecp.Lease {
	out := map[string]ecp.Lease{}
	add := func(name string, p ecp.Provisioner) {
		if l := m.strange(name, p); l != nil {
			out[name] = *l
		} else if f, ok := p.(ecp.Fencer); ok {
			out[name] = f.Lease()
		}
	}
	for name, p := range m.observed.Provisioners {
		add(name, p)
	}
	for name, p := range m.targets.All() {
		add(name, p)
	}
	return out
}
