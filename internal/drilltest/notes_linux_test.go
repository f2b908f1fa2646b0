package drilltest

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// notes are what the daemons have written, in the order in which it took effect.
type notes struct {
	sim *emqxsim.Provisioner

	mu     sync.Mutex
	stored []storedWrite // guarded by mu, as all below
	calls  []platformCall
	asked  []brokerCall
}

// into puts what there is by now into a history.
func (n *notes) into(h *history) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.stored, h.calls, h.asked = slices.Clone(n.stored), slices.Clone(n.calls), slices.Clone(n.asked)
}

// through is the way of a daemon to the database: it notes which pass has written what.
type through struct {
	ecp.Store
	d *daemon
}

func (s through) Unwrap() ecp.Store { return s.Store }

func (s through) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := s.d.goesOn(); err != nil {
		return err
	}
	return errors.Join(s.Store.Read(ctx, fn), s.d.goesOn())
}

func (s through) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	o, owned := ecp.OwnershipFrom(ctx)
	if owned && s.d.trap.CompareAndSwap(true, false) {
		s.d.seat.suspend()
	}
	f := s.d.frozen.Load()
	if err := s.d.goesOn(); err != nil {
		return err
	}
	if f != nil && !owned {
		<-f.rest
	}
	w := storedWrite{by: s.d.name, shard: o.Shard, epoch: o.Epoch}
	err := s.Store.Write(ctx, func(tx ecp.Tx) (err error) {
		if w.after, err = tx.Seq(); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		w.last, err = tx.Seq()
		return err
	})
	if err == nil && owned && w.last > w.after {
		n := &s.d.seat.notes
		n.mu.Lock()
		n.stored = append(n.stored, w)
		n.mu.Unlock()
	}
	if dead := s.d.goesOn(); dead != nil {
		return dead
	}
	return err
}

func (s through) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		for c, err := range s.Store.Changes(ctx, after) {
			if dead := s.d.goesOn(); dead != nil {
				yield(ecp.Change{}, dead)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// Purge removes nothing: histories are read to their beginning.
func (s through) Purge(context.Context, time.Time) (int64, error) { return 0, nil }

// platform is the way of a daemon to the platform.
type platform struct {
	*emqxsim.Peer
	d *daemon
}

func (p platform) Apply(ctx context.Context, want ecp.Desired) error {
	return p.d.calls(ctx, want.ID, "apply", func() error { return p.Peer.Apply(ctx, want) })
}

func (p platform) Delete(ctx context.Context, id ecp.ID) error {
	return p.d.calls(ctx, id, "delete", func() error { return p.Peer.Delete(ctx, id) })
}

func (p platform) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := p.d.goesOn(); err != nil {
		return ecp.Observation{}, err
	}
	return p.Peer.Observe(ctx, id)
}

func (p platform) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	e, err := p.Peer.Endpoint(ctx, id, node)
	e.Transport = brokerWay{p.d, id, e.Transport}
	return e, err
}

// calls notes a call that may change a cluster. One call is carried out at a time, so that
// their order is known and what each has changed.
func (d *daemon) calls(ctx context.Context, id ecp.ID, what string, do func() error) error {
	if err := d.goesOn(); err != nil {
		return err
	}
	o, _ := ecp.OwnershipFrom(ctx)
	n := &d.seat.notes
	n.mu.Lock()
	before := n.sim.Writes()
	err := do()
	n.calls = append(n.calls, platformCall{
		by: d.name, cluster: id, what: what, holder: d.peer.Lease().Epoch, epoch: o.Epoch,
		changed: n.sim.Writes() > before, refused: err != nil,
	})
	n.mu.Unlock()
	if dead := d.goesOn(); dead != nil {
		return dead
	}
	return err
}

// brokerWay is the way of a daemon to one node.
type brokerWay struct {
	d       *daemon
	cluster ecp.ID
	inside  http.RoundTripper
}

func (b brokerWay) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.d.goesOn(); err != nil {
		return nil, err
	}
	if o, owned := ecp.OwnershipFrom(r.Context()); owned && r.Method != http.MethodGet && r.Context().Err() == nil {
		n := &b.d.seat.notes
		n.mu.Lock()
		n.asked = append(n.asked, brokerCall{by: b.d.name, cluster: b.cluster, epoch: o.Epoch, at: len(n.calls),
			what: r.Method + " " + r.URL.Path})
		n.mu.Unlock()
	}
	return b.inside.RoundTrip(r)
}
