package emqxsim

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// watcher is a running call of Watch.
type watcher struct {
	wake  func(ecp.ID)
	nudge chan struct{} // the next change may come at another time than the one waited for
}

// Watch calls wake for a cluster after every change, and at the very time when a cluster
// changes by itself. One timer waits for the next of those changes of all clusters.
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
	for _, id := range p.ids() {
		wake(id)
	}
	for {
		if !p.await(ctx, w, last) {
			return nil
		}
		now := p.now()
		for _, id := range p.ids() {
			if next := p.nextAfter(id, last); !next.IsZero() && !next.After(now) {
				wake(id)
				p.sweep(id)
			}
		}
		last = now
	}
}

// await waits until something changes by itself after last, or until the time of that may
// have changed. It returns false when ctx has ended.
func (p *Provisioner) await(ctx context.Context, w *watcher, last time.Time) bool {
	var next time.Time
	for _, id := range p.ids() {
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

// nextAfter returns when a cluster next changes by itself. Zero means never.
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

// sweep removes the file of a cluster that is gone.
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

// wake reports a change of clusters to every watcher.
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

// ids lists every cluster with an entry.
func (p *Provisioner) ids() []ecp.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]ecp.ID, 0, len(p.clusters))
	for id := range p.clusters {
		ids = append(ids, id)
	}
	return ids
}
