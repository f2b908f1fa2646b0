package ecptest

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/openecp/openecp/ecp"
)

// NewFaultyStore returns a store that fails for ever when c crashes, and else is
// the one inside. Each Write crosses [BeforeWrite], inside the transaction,
// and [AfterWrite].
func NewFaultyStore(inside ecp.Store, c *Crasher) ecp.Store { return &faultyStore{inside, c} }

type faultyStore struct {
	inside ecp.Store
	c      *Crasher
}

// Read fails after the crash.
func (s *faultyStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := s.c.dead("read"); err != nil {
		return err
	}
	if err := s.inside.Read(ctx, fn); err != nil {
		return err
	}
	return s.c.dead("read")
}

// Write crosses a boundary on either side of the commit.
func (s *faultyStore) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := s.c.dead("write"); err != nil {
		return err
	}
	err := s.inside.Write(ctx, func(tx ecp.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return s.c.cross(BeforeWrite)
	})
	if err != nil {
		return err
	}
	return s.c.cross(AfterWrite)
}

// Changes yields nothing after the crash but its error.
func (s *faultyStore) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	changes := func(ctx context.Context) iter.Seq2[ecp.Change, error] { return s.inside.Changes(ctx, after) }
	if after < 0 { // "now" is when Changes is called
		var last int64
		err := s.inside.Read(ctx, func(tx ecp.Tx) (err error) { last, err = tx.Seq(); return err })
		changes = func(ctx context.Context) iter.Seq2[ecp.Change, error] {
			if err != nil {
				return func(yield func(ecp.Change, error) bool) { yield(ecp.Change{}, err) }
			}
			return s.inside.Changes(ctx, last)
		}
	}
	return func(yield func(ecp.Change, error) bool) {
		ctx, done := s.c.bound(ctx)
		defer done()
		for change, err := range changes(ctx) {
			if dead := s.c.dead("changes"); dead != nil {
				yield(ecp.Change{}, dead)
				return
			}
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// NewFaultyProvisioner returns a provisioner that fails for ever when c crashes,
// and else is the one inside. Each Apply, Delete and Observe crosses the
// boundaries named after it. It is an [ecp.Rehearser] and an [ecp.Checker] that
// says unsupported where the one inside is none. The optional interfaces [ecp.Watcher],
// [ecp.Accessor], [ecp.Renderer] and [ecp.LogReader] are there if the one
// inside has them; they fail after the crash as well, and so does every
// request over an endpoint they gave. [ecp.Fencer] is not: who crashes here is
// no process whose lease would outlive it.
func NewFaultyProvisioner(inside ecp.Provisioner, c *Crasher) ecp.Provisioner {
	type provisioner = faultyProvisioner
	const watches, accesses, renders, reads = 1, 2, 4, 8
	p, has := &provisioner{inside, c}, 0
	w, ok := inside.(ecp.Watcher)
	watcher := &faultyWatcher{w, c}
	if ok {
		has |= watches
	}
	a, ok := inside.(ecp.Accessor)
	accessor := &faultyAccessor{a, c}
	if ok {
		has |= accesses
	}
	renderer, ok := inside.(ecp.Renderer)
	if ok {
		has |= renders
	}
	l, ok := inside.(ecp.LogReader)
	reader := &faultyLogReader{l, c}
	if ok {
		has |= reads
	}
	switch has {
	case watches:
		return struct {
			*provisioner
			*faultyWatcher
		}{p, watcher}
	case accesses:
		return struct {
			*provisioner
			*faultyAccessor
		}{p, accessor}
	case watches | accesses:
		return struct {
			*provisioner
			*faultyWatcher
			*faultyAccessor
		}{p, watcher, accessor}
	case renders:
		return struct {
			*provisioner
			ecp.Renderer
		}{p, renderer}
	case watches | renders:
		return struct {
			*provisioner
			*faultyWatcher
			ecp.Renderer
		}{p, watcher, renderer}
	case accesses | renders:
		return struct {
			*provisioner
			*faultyAccessor
			ecp.Renderer
		}{p, accessor, renderer}
	case watches | accesses | renders:
		return struct {
			*provisioner
			*faultyWatcher
			*faultyAccessor
			ecp.Renderer
		}{p, watcher, accessor, renderer}
	case reads:
		return struct {
			*provisioner
			*faultyLogReader
		}{p, reader}
	case watches | reads:
		return struct {
			*provisioner
			*faultyWatcher
			*faultyLogReader
		}{p, watcher, reader}
	case accesses | reads:
		return struct {
			*provisioner
			*faultyAccessor
			*faultyLogReader
		}{p, accessor, reader}
	case watches | accesses | reads:
		return struct {
			*provisioner
			*faultyWatcher
			*faultyAccessor
			*faultyLogReader
		}{p, watcher, accessor, reader}
	case renders | reads:
		return struct {
			*provisioner
			ecp.Renderer
			*faultyLogReader
		}{p, renderer, reader}
	case watches | renders | reads:
		return struct {
			*provisioner
			*faultyWatcher
			ecp.Renderer
			*faultyLogReader
		}{p, watcher, renderer, reader}
	case accesses | renders | reads:
		return struct {
			*provisioner
			*faultyAccessor
			ecp.Renderer
			*faultyLogReader
		}{p, accessor, renderer, reader}
	case watches | accesses | renders | reads:
		return struct {
			*provisioner
			*faultyWatcher
			*faultyAccessor
			ecp.Renderer
			*faultyLogReader
		}{p, watcher, accessor, renderer, reader}
	}
	return p
}

type faultyProvisioner struct {
	inside ecp.Provisioner
	c      *Crasher
}

// Apply crosses a boundary on either side.
func (p *faultyProvisioner) Apply(ctx context.Context, d ecp.Desired) error {
	return p.c.around(BeforeApply, AfterApply, func() error { return p.inside.Apply(ctx, d) })
}

// Rehearse fails after the crash.
func (p *faultyProvisioner) Rehearse(ctx context.Context, id ecp.ID, role ecp.NodeRole, ordinal int) error {
	if err := p.c.dead("rehearse"); err != nil {
		return err
	}
	r, ok := p.inside.(ecp.Rehearser)
	if !ok {
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: "rehearse", Message: "this platform tries no nodes"}
	}
	return r.Rehearse(ctx, id, role, ordinal)
}

// Check fails after the crash.
func (p *faultyProvisioner) Check(ctx context.Context, d ecp.Desired) error {
	if err := p.c.dead("check"); err != nil {
		return err
	}
	c, ok := p.inside.(ecp.Checker)
	if !ok {
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: "check", Message: "this platform says nothing before"}
	}
	return c.Check(ctx, d)
}

// Delete crosses a boundary on either side.
func (p *faultyProvisioner) Delete(ctx context.Context, id ecp.ID) error {
	return p.c.around(BeforeDelete, AfterDelete, func() error { return p.inside.Delete(ctx, id) })
}

// Observe crosses a boundary on either side.
func (p *faultyProvisioner) Observe(ctx context.Context, id ecp.ID) (found ecp.Observation, err error) {
	err = p.c.around(BeforeObserve, AfterObserve, func() (err error) {
		found, err = p.inside.Observe(ctx, id)
		return err
	})
	if err != nil {
		return ecp.Observation{}, err
	}
	return found, nil
}

// around runs fn between two boundaries. The second is crossed also where fn
// failed: what it did until then is done.
func (c *Crasher) around(before, after string, fn func() error) error {
	if err := c.cross(before); err != nil {
		return err
	}
	err := fn()
	if dead := c.cross(after); dead != nil {
		return dead
	}
	return err
}

type faultyWatcher struct {
	inside ecp.Watcher
	c      *Crasher
}

// Watch wakes nobody after the crash, and ends with it.
func (w *faultyWatcher) Watch(ctx context.Context, wake func(ecp.ID)) error {
	if err := w.c.dead("watch"); err != nil {
		return err
	}
	ctx, done := w.c.bound(ctx)
	defer done()
	err := w.inside.Watch(ctx, func(id ecp.ID) {
		if w.c.dead("watch") == nil {
			wake(id)
		}
	})
	if dead := w.c.dead("watch"); dead != nil {
		return dead
	}
	return err
}

type faultyLogReader struct {
	inside ecp.LogReader
	c      *Crasher
}

// Read fails after the crash; a log that is open may be read on.
func (l *faultyLogReader) Logs(ctx context.Context, id ecp.ID, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	if err := l.c.dead("logs"); err != nil {
		return nil, err
	}
	return l.inside.Logs(ctx, id, node, o)
}

type faultyAccessor struct {
	inside ecp.Accessor
	c      *Crasher
}

// Endpoint returns a way that the crash cuts.
func (a *faultyAccessor) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	if err := a.c.dead("endpoint"); err != nil {
		return ecp.Endpoint{}, err
	}
	e, err := a.inside.Endpoint(ctx, id, node)
	if err != nil {
		return e, err
	}
	if e.Transport == nil {
		e.Transport = http.DefaultTransport
	}
	e.Transport = &faultyTransport{e.Transport, a.c}
	return e, nil
}

type faultyTransport struct {
	http.RoundTripper
	c *Crasher
}

// RoundTrip sends nothing after the crash, and loses the answer to what was
// under way.
func (t *faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.c.dead("request"); err != nil {
		return nil, err
	}
	resp, err := t.RoundTripper.RoundTrip(r)
	if dead := t.c.dead("request"); dead != nil {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
}

// CloseIdleConnections is what http.Client hands on.
func (t *faultyTransport) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
