package emqxsim

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// watcher is one running Watch.
type watcher struct {
	wake  func(ecp.ID)
	nudge chan struct{} // the next moment may be another than the one waited for
}

// Watch wakes a cluster with every change, and at the very moment at which time
// changes it: one timer waits for the next of those, of all clusters.
func (p *Provisioner) Watch(ctx context.Context, wake func(ecp.ID)) error {
	w := &watcher{wake: wake, nudge: make(chan struct{}, 1)}
	last := p.now()
	p.watching.Lock()
	p.watchers[w] = true
	p.watching.Unlock()
	defer func() {
		p.watching.Lock()
		delete(p.watchers, w) // wake is not called any more
		p.watching.Unlock()
	}()
	for _, id := range p.known() {
		wake(id)
	}
	for {
		if !p.await(ctx, w, last) {
			return nil
		}
		now := p.now()
		for _, id := range p.known() {
			if next := p.nextAfter(id, last); !next.IsZero() && !next.After(now) {
				wake(id)
				p.sweep(id)
			}
		}
		last = now
	}
}

// await sleeps until something changes by itself after last, or until the time
// of that is another. false = ctx has ended.
func (p *Provisioner) await(ctx context.Context, w *watcher, last time.Time) bool {
	var next time.Time
	for _, id := range p.known() {
		if t := p.nextAfter(id, last); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	var fire <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(next.Sub(p.now()))
		defer timer.Stop()
		fire = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.nudge:
	case <-fire:
	}
	return true
}

// nextAfter is when a cluster next changes by itself; zero = never.
func (p *Provisioner) nextAfter(id ecp.ID, last time.Time) time.Time {
	e := p.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh := !e.from.IsZero() && !last.Before(e.from) && (e.quiet || last.Before(e.next))
	if !fresh {
		st := e.at(last, p.pace)
		e.from, e.next = last, st.next(last)
		e.quiet = e.next.IsZero()
	}
	return e.next
}

// sweep takes away the file of a cluster that has gone.
func (p *Provisioner) sweep(id ecp.ID) {
	e := p.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.at(p.now(), p.pace)
	if !st.absent() || e.st.absent() {
		return
	}
	if err := p.files.write(st); err != nil {
		p.cfg.Logger.Warn("file of a removed cluster stays", "cluster", id, "error", err)
		return
	}
	p.keep(e, st)
}

// wake tells every Watch that a cluster has changed.
func (p *Provisioner) wake(ids ...ecp.ID) {
	p.watching.RLock()
	defer p.watching.RUnlock()
	for w := range p.watchers {
		for _, id := range ids {
			w.wake(id)
		}
		select {
		case w.nudge <- struct{}{}:
		default:
		}
	}
}

// known lists every cluster that was ever asked to be.
func (p *Provisioner) known() []ecp.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]ecp.ID, 0, len(p.clusters))
	for id := range p.clusters {
		ids = append(ids, id)
	}
	return ids
}
