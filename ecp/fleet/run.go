package fleet

import (
	"context"
	"fmt"
	"sync"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// Run works on the fleet until ctx ends, and returns after every goroutine it
// started has ended: nil when ctx ended, else why it could not go on. A pass
// that is under way when ctx ends is cut short; whatever it did is found
// again by the next Run.
func (m *Manager) Run(ctx context.Context) error {
	if !m.running.CompareAndSwap(false, true) {
		return ecp.NewError(ecp.CodeConflict, "run manager", "it is running already")
	}
	defer m.running.Store(false)
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	var group, holds sync.WaitGroup
	// leases are given free when nobody works any more
	holding, release := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel(nil)
		group.Wait()
		m.brokers.Wait()
		release()
		holds.Wait()
		m.queue.Stop()
		m.observed.ForgetObservations()
		m.targets.ForgetAll()
	}()
	m.settings.SealStored(ctx)
	if m.shards != nil { // claims are handed over when nobody works any more
		holds.Go(func() { m.shards.Run(holding) })
		group.Go(func() { m.follow(ctx) })
	}
	for target, p := range m.observed.Provisioners {
		if w, ok := p.(ecp.Watcher); ok {
			group.Go(func() { m.watchTarget(ctx, target, w, cancel) })
		}
		group.Go(func() { m.watchHealth(ctx, target, p) })
		recognized := make(chan struct{})
		group.Go(func() { m.recognize(ctx, target, p, func() { close(recognized) }) })
		holds.Go(func() {
			if err := m.holdTarget(holding, target, p, recognized); err != nil {
				cancel(err)
			}
		})
		group.Go(func() { m.watchUnrecorded(ctx, target, p) })
	}
	group.Go(func() { m.keepTargets(ctx) })
	if m.observed.Link != nil {
		group.Go(func() { m.watchAgents(ctx, cancel) })
	}
	for range observersPerWriter * m.workers {
		group.Go(func() { m.work(ctx) })
	}
	group.Go(func() { m.pruning.Run(ctx, m.shards.Lead) })
	group.Go(func() { m.Monitor.Run(ctx) })
	group.Go(func() { m.Changes.FlushRefusals(ctx, m.Accounts.RefusedLogins) })
	if m.shards == nil { // else follow does it, and as often as it must
		if err := m.enqueue(ctx, func(ecp.ClusterRecord) bool { return true }); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read the clusters: %w", err)
		}
	}
	<-ctx.Done()
	if asked.Err() != nil { // whatever cause it gives: it is the caller's own
		return nil
	}
	return context.Cause(ctx)
}

// watchTarget lets a Provisioner wake clusters, and ends the Run when it
// cannot go on.
func (m *Manager) watchTarget(ctx context.Context, target string, w ecp.Watcher, cancel context.CancelCauseFunc) {
	if err := w.Watch(ctx, m.queue.Add); err != nil && ctx.Err() == nil {
		cancel(fmt.Errorf("watch the target %q: %w", target, err))
	}
}

// watchAgents lets the Link wake clusters, and ends the Run when it cannot go on.
func (m *Manager) watchAgents(ctx context.Context, cancel context.CancelCauseFunc) {
	if err := m.observed.Link.Watch(ctx, m.queue.Add); err != nil && ctx.Err() == nil {
		cancel(fmt.Errorf("watch the agents: %w", err))
	}
}

// work takes clusters from the queue until ctx ends.
func (m *Manager) work(ctx context.Context) {
	for {
		id, ok := m.queue.Get(ctx)
		if !ok {
			return
		}
		began := m.observed.Tick()
		again := m.reconcile(ctx, id)
		m.observed.SetSlow(id, m.observed.Tick().Sub(began) > sched.SlowReconcile)
		m.queue.Done(id)
		if again > 0 && ctx.Err() == nil {
			m.queue.AddAfter(id, again)
		}
	}
}

// enqueue asks for clusters to be reconciled.
func (m *Manager) enqueue(ctx context.Context, which func(ecp.ClusterRecord) bool) error {
	return m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if which(rec) {
				m.queue.Add(rec.ID)
			}
		}
		return nil
	})
}

// observersPerWriter is how many clusters are observed for each that is written to: an
// observation may wait some seconds for a broker that does not answer.
const observersPerWriter = 4
