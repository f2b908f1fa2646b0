package emqxsim

import (
	"cmp"
	"context"
	"crypto/rand"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// A lease lives leaseLife without being renewed. Its holder stops somewhat earlier, as on
// Kubernetes.
const (
	leaseLife   = 15 * time.Second
	leaseMargin = 2 * time.Second
)

// fence lets one of several programs on a simulated platform write at a time. All are in
// one process, so a holder is alive until it is suspended.
type fence struct {
	mu     sync.Mutex
	epoch  int64         // guarded by mu
	holder *program      // guarded by mu; nil if nobody holds it; of a group the one that renewed last
	asking []*program    // guarded by mu; those of which Hold is running
	since  time.Time     // guarded by mu
	moved  chan struct{} // guarded by mu; closed and replaced at every change
}

// program is one program.
type program struct {
	incarnation, host string
	writing           sync.RWMutex // read-locked by every write
	asks              bool         // guarded by fence.mu; true while Hold is running
	group             string       // guarded by fence.mu; with whom it holds the lease together; empty means alone
	suspended         time.Time    // guarded by fence.mu; zero while it runs
}

func newFence() *fence { return &fence{moved: make(chan struct{})} }

func newSeat(host string) *program { return &program{incarnation: rand.Text()[:13], host: host} }

func thisHost() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return host
}

// Peer is another program on the same simulated platform, e.g. a second daemon with a copy
// of the database. It has an incarnation of its own and waits for the lease while another
// program holds it.
type Peer struct {
	*Provisioner
	seat *program
}

// Peer returns a second way to the platform, for a program on a host.
func (p *Provisioner) Peer(host string) *Peer { return &Peer{p, newSeat(host)} }

// Apply changes the cluster towards d, if the peer holds the lease.
func (p *Peer) Apply(ctx context.Context, d ecp.Desired) error { return p.applyAs(ctx, p.seat, d) }

// Delete begins to remove the cluster, if the peer holds the lease.
func (p *Peer) Delete(ctx context.Context, id ecp.ID) error { return p.deleteAs(ctx, p.seat, id) }

// Hold takes the lease when nobody else has it. See [ecp.Fencer].
func (p *Peer) Hold(ctx context.Context, changed func()) error {
	return p.fence.hold(ctx, p.seat, changed)
}

// HoldFor takes the lease for a group. See [ecp.GroupFencer].
func (p *Peer) HoldFor(ctx context.Context, g ecp.LeaseGroup, changed func()) error {
	return p.fence.holdFor(ctx, p.seat, g.Incarnation, changed)
}

// Lease returns who holds the platform.
func (p *Peer) Lease() ecp.Lease { return p.fence.lease(p.seat) }

// Suspend stops the peer as SIGSTOP stops a process, or lets it continue. A stopped peer
// does not renew its lease.
func (p *Peer) Suspend(stopped bool) { p.fence.suspend(p.seat, stopped) }

// Hold takes the lease when nobody else has it. See [ecp.Fencer].
func (p *Provisioner) Hold(ctx context.Context, changed func()) error {
	return p.fence.hold(ctx, p.self, changed)
}

// HoldFor takes the lease for a group. See [ecp.GroupFencer].
func (p *Provisioner) HoldFor(ctx context.Context, g ecp.LeaseGroup, changed func()) error {
	return p.fence.holdFor(ctx, p.self, g.Incarnation, changed)
}

// Lease returns who holds the platform.
func (p *Provisioner) Lease() ecp.Lease { return p.fence.lease(p.self) }

// Suspend stops the program that uses p, or lets it continue. See [Peer.Suspend].
func (p *Provisioner) Suspend(stopped bool) { p.fence.suspend(p.self, stopped) }

// write is change on behalf of one of the programs, if it may write.
func (p *Provisioner) write(
	ctx context.Context, s *program, op string, id ecp.ID, fn func(*state, time.Time) error,
) error {
	epoch, leave, err := p.fence.enter(s, op)
	if err != nil {
		return err
	}
	defer leave()
	return p.change(id, func(st *state, now time.Time) error {
		if epoch > 0 && st.Epoch > epoch {
			return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "an instance that took over later has " +
				"written to " +
				"it; nothing is written"}
		}
		o, shared := ecp.OwnershipFrom(ctx)
		if shared && (o.Err() != nil || epoch > 0 && st.Epoch == epoch && st.OwnerEpoch > o.Epoch) {
			return &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: ecp.ErrLostOwnership.Error(),
				Cause: ecp.ErrLostOwnership}
		}
		before := st.clone()
		failed := fn(st, now)
		if epoch > 0 && st.UID != "" && !reflect.DeepEqual(before, *st) {
			st.Epoch, st.OwnerEpoch = epoch, o.Epoch
		}
		return failed
	})
}

// raiseEpoch raises the epoch above one that was found on a cluster.
func (f *fence) raiseEpoch(epoch int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = max(f.epoch, epoch)
}

// enter lets a program write until leave is called. An epoch of 0 means that it never asked
// for the lease.
func (f *fence) enter(s *program, op string) (epoch int64, leave func(), err error) {
	s.writing.RLock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !s.asks:
		return 0, s.writing.RUnlock, nil
	case f.heldLocked(s):
		if s.group != "" {
			f.holder = s
		}
		return f.epoch, s.writing.RUnlock, nil
	}
	s.writing.RUnlock()
	return 0, nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: f.leaseLocked(s).Waiting()}
}

// heldLocked reports whether a program holds the lease and renewed it recently.
func (f *fence) heldLocked(s *program) bool {
	return f.holder.with(s) && (s.suspended.IsZero() || time.Since(s.suspended) < leaseLife-leaseMargin)
}

func (f *fence) lease(s *program) ecp.Lease {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaseLocked(s)
}

func (f *fence) leaseLocked(s *program) ecp.Lease {
	if !s.asks {
		return ecp.Lease{}
	}
	l := ecp.Lease{Held: f.heldLocked(s), Epoch: f.epoch}
	if h := f.holder; h != nil {
		l.Holder = ecp.LeaseHolder{
			Incarnation: cmp.Or(h.group, h.incarnation), Host: h.host, Since: f.since.UTC(), Renewed: time.Now().UTC(),
		}
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

func (f *fence) suspend(s *program, stopped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.suspended = (time.Time{}); stopped {
		s.suspended = time.Now()
	}
	f.moveLocked()
}

// hold waits for the lease, and keeps it, until ctx ends.
func (f *fence) hold(ctx context.Context, s *program, changed func()) error {
	return f.holdFor(ctx, s, "", changed)
}

func (f *fence) holdFor(ctx context.Context, s *program, group string, changed func()) error {
	f.mu.Lock()
	if s.asks {
		f.mu.Unlock()
		return &ecp.Error{Code: ecp.CodeConflict, Op: "hold the simulated platform", Message: "Hold is running already"}
	}
	s.asks, s.group = true, group
	f.asking = append(f.asking, s)
	f.mu.Unlock()
	defer f.release(s)
	for {
		again, moved := f.tryAcquire(s)
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

// tryAcquire takes the lease if nobody has it, and returns when to look again. 0 means at the next
// change.
func (f *fence) tryAcquire(s *program) (again time.Duration, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch h := f.holder; {
	case h != s && h.with(s) && !h.suspended.IsZero() && s.suspended.IsZero():
		f.holder = s // it renews the lease in the other's place
		f.moveLocked()
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

// with reports whether two programs hold the lease together, or are one.
func (s *program) with(other *program) bool {
	return s != nil && (s == other || s.group != "" && s.group == other.group)
}

// expired reports whether the holder has not renewed for the life of a lease. The caller
// holds fence.mu.
func (s *program) expired() bool {
	return !s.suspended.IsZero() && time.Since(s.suspended) >= leaseLife
}

// release ends a program's hold when its writes have ended.
func (f *fence) release(s *program) {
	s.writing.Lock()
	defer s.writing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.asks = false
	f.asking = slices.DeleteFunc(f.asking, func(p *program) bool { return p == s })
	if f.holder == s {
		f.holder = nil
		if i := slices.IndexFunc(f.asking, s.with); i >= 0 {
			f.holder = f.asking[i]
		}
		f.moveLocked()
	}
}
