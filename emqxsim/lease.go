package emqxsim

import (
	"context"
	"crypto/rand"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// How long a lease lives without a word of its holder, and how much earlier the
// holder itself stops, as on Kubernetes.
const (
	leaseLife   = 15 * time.Second
	leaseMargin = 2 * time.Second
)

// fence lets one of several programs on a simulated platform write at a time.
// They are in one process, so that a holder is alive until it is suspended.
type fence struct {
	mu     sync.Mutex
	epoch  int64         // guarded by mu
	holder *seat         // guarded by mu; nil = nobody
	since  time.Time     // guarded by mu
	moved  chan struct{} // guarded by mu; closed and replaced with every change
}

// seat is one program.
type seat struct {
	incarnation, host string
	writing           sync.RWMutex // read-locked by every write
	asks              bool         // guarded by fence.mu; Hold is running
	suspended         time.Time    // guarded by fence.mu; zero = it runs
}

func newFence() *fence { return &fence{moved: make(chan struct{})} }

func newSeat(host string) *seat { return &seat{incarnation: rand.Text()[:13], host: host} }

func thisHost() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return host
}

// Peer is another program's way to the same simulated platform, e.g. that of a
// second daemon with a copy of the database: it has an incarnation of its own
// and waits for the lease while another holds it.
type Peer struct {
	*Provisioner
	seat *seat
}

// Peer gives a second way to the platform, for a program on a host.
func (p *Provisioner) Peer(host string) *Peer { return &Peer{p, newSeat(host)} }

// Apply converges what is there towards d, while the peer holds the lease.
func (p *Peer) Apply(ctx context.Context, d ecp.Desired) error { return p.applyAs(ctx, p.seat, d) }

// Delete begins the removal of everything, while the peer holds the lease.
func (p *Peer) Delete(ctx context.Context, id ecp.ID) error { return p.deleteAs(ctx, p.seat, id) }

// Hold takes the lease when nobody else has it; see [ecp.Fencer].
func (p *Peer) Hold(ctx context.Context, changed func()) error {
	return p.fence.hold(ctx, p.seat, changed)
}

// Lease says who holds the platform.
func (p *Peer) Lease() ecp.Lease { return p.fence.lease(p.seat) }

// Suspend stops the peer as SIGSTOP does a process, and lets it go on: while it
// is stopped it does not renew its lease.
func (p *Peer) Suspend(stopped bool) { p.fence.suspend(p.seat, stopped) }

// Hold takes the lease when nobody else has it; see [ecp.Fencer].
func (p *Provisioner) Hold(ctx context.Context, changed func()) error {
	return p.fence.hold(ctx, p.seat, changed)
}

// Lease says who holds the platform.
func (p *Provisioner) Lease() ecp.Lease { return p.fence.lease(p.seat) }

// Suspend stops the program that p is the platform of, and lets it go on: see
// [Peer.Suspend].
func (p *Provisioner) Suspend(stopped bool) { p.fence.suspend(p.seat, stopped) }

// write is change by one of the programs, where it may.
func (p *Provisioner) write(s *seat, op string, id ecp.ID, fn func(*state, time.Time) error) error {
	epoch, leave, err := p.fence.enter(s, op)
	if err != nil {
		return err
	}
	defer leave()
	return p.change(id, func(st *state, now time.Time) error {
		if epoch > 0 && st.Epoch > epoch {
			return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "a daemon that took over later has written to it; nothing is written"}
		}
		before := st.clone()
		failed := fn(st, now)
		if epoch > 0 && st.UID != "" && !reflect.DeepEqual(before, *st) {
			st.Epoch = epoch
		}
		return failed
	})
}

// seen raises the epoch above one that is found on a cluster.
func (f *fence) seen(epoch int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = max(f.epoch, epoch)
}

// enter lets a seat write until leave is called; epoch 0 = it never asked for
// the lease.
func (f *fence) enter(s *seat, op string) (epoch int64, leave func(), err error) {
	s.writing.RLock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !s.asks:
		return 0, s.writing.RUnlock, nil
	case f.heldLocked(s):
		return f.epoch, s.writing.RUnlock, nil
	}
	s.writing.RUnlock()
	return 0, nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: f.leaseLocked(s).Waiting()}
}

// heldLocked says whether a seat holds the lease, and has renewed it lately.
func (f *fence) heldLocked(s *seat) bool {
	return f.holder == s && (s.suspended.IsZero() || time.Since(s.suspended) < leaseLife-leaseMargin)
}

func (f *fence) lease(s *seat) ecp.Lease {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaseLocked(s)
}

func (f *fence) leaseLocked(s *seat) ecp.Lease {
	if !s.asks {
		return ecp.Lease{}
	}
	l := ecp.Lease{Held: f.heldLocked(s), Epoch: f.epoch}
	if h := f.holder; h != nil {
		l.Holder = ecp.LeaseHolder{Incarnation: h.incarnation, Host: h.host, Since: f.since.UTC(), Renewed: time.Now().UTC()}
		if !h.suspended.IsZero() {
			l.Holder.Renewed = h.suspended.UTC()
		}
	}
	return l
}

func (f *fence) moveLocked() {
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *fence) suspend(s *seat, stopped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.suspended = (time.Time{}); stopped {
		s.suspended = time.Now()
	}
	f.moveLocked()
}

// hold keeps a seat in line for the lease until ctx ends.
func (f *fence) hold(ctx context.Context, s *seat, changed func()) error {
	f.mu.Lock()
	if s.asks {
		f.mu.Unlock()
		return &ecp.Error{Code: ecp.CodeConflict, Op: "hold the simulated platform", Message: "Hold is running already"}
	}
	s.asks = true
	f.mu.Unlock()
	defer f.release(s)
	for {
		again, moved := f.try(s)
		changed()
		wait := time.NewTimer(again)
		if again == 0 {
			wait.Stop()
		}
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-moved:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// try takes the lease where nobody has it, and says when to look again; 0 =
// when something moves.
func (f *fence) try(s *seat) (again time.Duration, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch h := f.holder; {
	case h == nil && s.suspended.IsZero(), h != nil && h != s && h.expired() && s.suspended.IsZero():
		f.holder, f.since = s, time.Now()
		f.epoch++
		f.moveLocked()
	case h != nil && !h.suspended.IsZero():
		again = max(time.Until(h.suspended.Add(leaseLife)), time.Millisecond)
		if h == s {
			again = max(time.Until(h.suspended.Add(leaseLife-leaseMargin)), leaseMargin)
		}
	}
	return again, f.moved
}

// expired says that the holder has not renewed for the life of a lease; the
// caller holds fence.mu.
func (s *seat) expired() bool {
	return !s.suspended.IsZero() && time.Since(s.suspended) >= leaseLife
}

// release ends a seat's hold when its writes have ended.
func (f *fence) release(s *seat) {
	s.writing.Lock()
	defer s.writing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.asks = false
	if f.holder == s {
		f.holder = nil
		f.moveLocked()
	}
}
