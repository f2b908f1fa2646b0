package k8sprovisioner

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Where the lease is. It is not configurable, since every daemon on one Kubernetes cluster
// must use the same place.
const (
	leaseNamespace = "openecp-system"
	leaseName      = "openecp" // the default of Config.Lease
)

// How the lease is kept. Its holder takes it for lost by the margin earlier than anybody
// else.
const (
	leaseLife    = 15 * time.Second
	leaseMargin  = 2 * time.Second
	leaseRenew   = 5 * time.Second
	leaseRetry   = 2 * time.Second // while another process holds it, and after a failure
	leaseTimeout = 5 * time.Second // one request
)

// fence is the state of this process in the lease of a target.
type fence struct {
	incarnation, host string
	dead              []string // incarnations of processes that are known to have ended
	writing           sync.RWMutex

	mu         sync.Mutex
	group      ecp.LeaseGroup // guarded by mu, as all below; zero if this process holds the lease for itself
	active     bool           // Hold is running
	held       bool
	lease      ecp.Lease // without Held and Until
	renewed    time.Time // when the request began that renewed it last: its life counts from there
	foundEpoch int64     // the highest epoch of another process that was found on an object
	raiseEpoch bool      // whether to renew at once with an epoch above that
	wake       chan struct{}
}

func newFence(c Config) *fence {
	f := &fence{incarnation: c.Incarnation, dead: c.Dead, wake: make(chan struct{}, 1)}
	if f.incarnation == "" {
		b := make([]byte, 8)
		rand.Read(b) // never fails: the program ends instead
		f.incarnation = hex.EncodeToString(b)
	}
	if f.host, _ = os.Hostname(); f.host == "" {
		f.host = "localhost"
	}
	return f
}

// holderLocked returns who holds the lease: this process, or the group that it belongs to.
func (f *fence) holderLocked() string { return cmp.Or(f.group.Incarnation, f.incarnation) }

// groupHost stands for the hosts of a group.
const groupHost = "several-daemons"

// identity returns the holder for the Lease, which people read, too.
func (f *fence) identity() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.group.Incarnation != "" {
		return groupHost + "_" + f.group.Incarnation
	}
	return f.host + "_" + f.incarnation
}

// splitIdentity returns the host and the incarnation of a holder.
func splitIdentity(identity string) (host, incarnation string) {
	i := strings.LastIndexByte(identity, '_')
	if i < 0 {
		return "", identity
	}
	return identity[:i], identity[i+1:]
}

// Lease implements [ecp.Fencer]. It returns the state of the lease of the target.
func (p *Provisioner) Lease() ecp.Lease {
	p.fence.mu.Lock()
	defer p.fence.mu.Unlock()
	return p.fence.leaseLocked()
}

func (f *fence) leaseLocked() ecp.Lease {
	if !f.active {
		return ecp.Lease{}
	}
	l := f.lease
	l.Until = f.untilLocked()
	l.Held = f.heldLocked()
	if l.Held {
		l.Message, l.Unfenced = "", false
	} else if f.held { // whether somebody else has it is not known yet
		l.Holder = ecp.LeaseHolder{}
		if l.Message == "" {
			l.Message = "it could not be renewed in time; it is tried again"
		}
	}
	return l
}

// untilLocked returns when the holder has to stop unless it renews the lease.
func (f *fence) untilLocked() time.Time {
	if !f.held {
		return time.Time{}
	}
	return f.renewed.Add(leaseLife - leaseMargin)
}

// heldLocked reports whether the lease is held and has not expired, by the monotonic clock
// and by the wall clock: only the latter goes on while a machine is suspended.
func (f *fence) heldLocked() bool {
	const life = leaseLife - leaseMargin
	return f.held && !f.raiseEpoch && time.Since(f.renewed) < life && time.Now().Round(0).Sub(f.renewed.Round(0)) < life
}

// writePermit allows one call of the Provisioner to write.
type writePermit struct {
	fence   *fence
	holder  string
	epoch   int64         // zero if there is no lease
	owner   ecp.Ownership // zero if nobody shares the Store
	release func()
}

// acquire returns the permit to write until release is called, or an error.
func (f *fence) acquire(ctx context.Context, op string) (*writePermit, error) {
	owner, _ := ecp.OwnershipFrom(ctx)
	f.writing.RLock()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &writePermit{fence: f, holder: f.holderLocked(), owner: owner, release: f.writing.RUnlock}
	switch {
	case !f.active || f.lease.Unfenced && !f.held:
		return p, nil
	case f.heldLocked():
		p.epoch = f.lease.Epoch
		return p, nil
	}
	f.writing.RUnlock()
	return nil, unavailable(op, f.leaseLocked().Waiting())
}

// limitToLease returns a context for one write, which ends with the lease. It is called
// right before the write is sent, since the process may have been suspended before.
func (f *fence) limitToLease(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc, error) {
	if owner, _ := ecp.OwnershipFrom(ctx); owner.Err() != nil {
		return nil, nil, lostOwnership("write to Kubernetes", owner.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ends := time.Now().Add(limit)
	switch {
	case !f.active || f.lease.Unfenced && !f.held:
	case !f.heldLocked():
		return nil, nil, unavailable("write to Kubernetes", f.leaseLocked().Waiting())
	default:
		if until := f.untilLocked(); until.Before(ends) {
			ends = until
		}
	}
	ctx, cancel := context.WithDeadline(ctx, ends)
	return ctx, cancel, nil
}

// epochStamp returns the annotation with the lease under which an object is written:
// HOLDER/SHARD/EPOCH. There is one lease for the whole target, so that SHARD is "all"; where
// several daemons hold it together, it is the shard and the epoch of its owner, such as
// 138.7. A new lease begins above the epochs of all objects.
func (p *writePermit) epochStamp() string {
	if p == nil || p.epoch == 0 {
		return ""
	}
	shard := wholeTarget
	if p.owner.Epoch > 0 {
		shard = fmt.Sprintf("%d.%d", p.owner.Shard, p.owner.Epoch)
	}
	return fmt.Sprintf("%s/%s/%d", p.holder, shard, p.epoch)
}

// ownerEpochOf returns the shard and the epoch of the owner that wrote an object last; zero
// if nobody shared the Store.
func ownerEpochOf(o metav1.Object) (shard, epoch int64) {
	parts := strings.Split(o.GetAnnotations()[annotationEpoch], "/")
	if len(parts) != 3 {
		return 0, 0
	}
	number, of, _ := strings.Cut(parts[1], ".")
	shard, err := strconv.ParseInt(number, 10, 64)
	epoch, err2 := strconv.ParseInt(of, 10, 64)
	if err != nil || err2 != nil {
		return 0, 0
	}
	return shard, epoch
}

// wholeTarget is the shard where no shards are.
const wholeTarget = "all"

// epochStampOf returns the holder and the epoch of an object. The epoch is zero if it has
// no annotation.
func epochStampOf(o metav1.Object) (holder string, epoch int64) {
	parts := strings.Split(o.GetAnnotations()[annotationEpoch], "/")
	if len(parts) != 3 {
		return "", 0
	}
	n, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || n < 0 {
		return "", 0
	}
	return parts[0], n
}

// checkEpoch returns an error if an object was written under a later lease than ours, or
// under a lease while we have none. If this process still holds the lease, it then raises
// its epoch: the Lease was deleted and created again.
func (p *writePermit) checkEpoch(op string, o metav1.Object) error {
	if p == nil || o == nil {
		return nil
	}
	holder, epoch := epochStampOf(o)
	f := p.fence
	f.mu.Lock()
	defer f.mu.Unlock()
	if epoch == 0 || !f.active || epoch < p.epoch {
		return nil
	}
	if epoch == p.epoch && holder == p.holder {
		shard, owner := ownerEpochOf(o)
		if p.owner.Epoch > 0 && shard == int64(p.owner.Shard) && owner > p.owner.Epoch {
			return lostOwnership(op, ecp.ErrLostOwnership)
		}
		return nil
	}
	if p.epoch == 0 {
		return unavailable(op, fmt.Sprintf("it was written by an instance that held the Lease %s, and this one has "+
			"none: %s", leaseNamespace, f.lease.Message))
	}
	f.foundEpoch, f.raiseEpoch = max(f.foundEpoch, epoch), true
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return unavailable(op, fmt.Sprintf("it was written under a later lease (epoch %d, ours is %d); whether this "+
		"instance still holds the target is looked up first", epoch, p.epoch))
}

// Hold implements [ecp.Fencer]. It takes the lease of the target when no other process has
// it, and keeps it until ctx ends.
func (p *Provisioner) Hold(ctx context.Context, changed func()) error {
	return p.HoldFor(ctx, ecp.LeaseGroup{}, changed)
}

// HoldFor implements [ecp.GroupFencer]. Each process of the group renews the same Lease,
// and counts its life from its own renewals.
func (p *Provisioner) HoldFor(ctx context.Context, g ecp.LeaseGroup, changed func()) error {
	f := p.fence
	f.mu.Lock()
	if f.active {
		f.mu.Unlock()
		return &ecp.Error{Code: ecp.CodeConflict, Op: "hold the target", Message: "Hold is running already"}
	}
	f.active, f.held, f.lease, f.group = true, false, ecp.Lease{}, g
	f.mu.Unlock()
	k := &leaseKeeper{p: p, f: f, name: p.cfg.Lease}
	defer k.stop(context.WithoutCancel(ctx))
	var told ecp.Lease
	for ctx.Err() == nil {
		well := k.renew(ctx)
		now := p.Lease()
		if !sameLease(told, now) {
			told = now
			changed()
		}
		wait := leaseRetry
		if now.Held && well {
			wait = leaseRenew
		}
		sleep(ctx, wait, f.wake)
	}
	return nil
}

// sameLease reports whether two leases are equal but for their times.
func sameLease(a, b ecp.Lease) bool {
	return a.Held == b.Held && a.Unfenced == b.Unfenced && a.Epoch == b.Epoch && a.Message == b.Message &&
		a.Holder.Incarnation == b.Holder.Incarnation
}

// leaseKeeper reads and writes the Lease object.
type leaseKeeper struct {
	p    *Provisioner
	f    *fence
	name string

	seen   *coordinationv1.Lease // as last read or written; nil if there was none
	since  time.Time             // when it was first seen as it is
	usable bool                  // a process has held it, so that Leases can be used here
}

// renew reads or renews the Lease, and takes it if it may. It reports whether that
// succeeded.
func (k *leaseKeeper) renew(ctx context.Context) bool {
	err := k.tryRenew(ctx)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) && k.seen != nil {
		k.seen = nil // another process was faster, or it was deleted: read it again
		err = k.tryRenew(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return true
	}
	k.f.mu.Lock()
	defer k.f.mu.Unlock()
	k.f.lease.Message = "the Lease " + leaseNamespace + "/" + k.name + " cannot be used: " +
		ecp.MessageOf(failure("hold the target", err))
	if apierrors.IsForbidden(err) && !k.usable {
		k.f.lease.Unfenced = true
	}
	return false
}

func (k *leaseKeeper) tryRenew(ctx context.Context) error {
	if k.seen == nil || !k.isOwn(k.seen) {
		if err := k.read(ctx); err != nil {
			return err
		}
	}
	switch l := k.seen; {
	case l == nil:
		return k.acquire(ctx, nil)
	case k.isOwn(l):
		return k.acquire(ctx, l)
	case k.isFree(l):
		return k.acquire(ctx, l)
	}
	k.usable = true
	k.f.mu.Lock()
	defer k.f.mu.Unlock()
	k.f.held = false
	k.f.lease = ecp.Lease{Holder: holderOf(k.seen), Epoch: epochOf(k.seen)}
	return nil
}

func (k *leaseKeeper) isOwn(l *coordinationv1.Lease) bool { return identityOf(l) == k.f.identity() }

// isFree reports whether the Lease has no holder any more: it was released, its holder is
// known to have ended, or it has not changed for its whole life while this process
// watched it. The times in it do not count, since they are of another clock.
func (k *leaseKeeper) isFree(l *coordinationv1.Lease) bool {
	_, incarnation := splitIdentity(identityOf(l))
	life := leaseLife
	if s := l.Spec.LeaseDurationSeconds; s != nil && time.Duration(*s)*time.Second > life {
		life = time.Duration(*s) * time.Second
	}
	return incarnation == "" || slices.Contains(k.f.dead, incarnation) || time.Since(k.since) >= life
}

// read reads the Lease.
func (k *leaseKeeper) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	l := new(coordinationv1.Lease)
	err := coordination(k.p.client).Get().Namespace(leaseNamespace).Resource("leases").Name(k.name).Do(ctx).Into(l)
	if apierrors.IsNotFound(err) {
		k.seen = nil
		return nil
	}
	if err != nil {
		return err
	}
	if k.seen == nil || k.seen.UID != l.UID || k.seen.ResourceVersion != l.ResourceVersion {
		k.since = time.Now()
	}
	k.seen = l
	return nil
}

// acquire creates, takes or renews the Lease.
func (k *leaseKeeper) acquire(ctx context.Context, old *coordinationv1.Lease) error {
	f := k.f
	f.mu.Lock()
	above := f.foundEpoch
	f.mu.Unlock()
	began := time.Now()
	next := k.nextLease(old, above, began)
	asking, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	var now *coordinationv1.Lease
	var err error
	if old != nil {
		now, err = k.update(asking, next)
	} else if now, err = k.create(asking, next); apierrors.IsNotFound(err) {
		if err = k.makeNamespace(asking); err == nil {
			now, err = k.create(asking, next)
		}
	}
	if err != nil {
		return err
	}
	k.seen, k.since, k.usable = now, began, true
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held, f.renewed = true, began
	f.lease = ecp.Lease{Holder: holderOf(now), Epoch: epochOf(now)}
	f.raiseEpoch = f.foundEpoch > f.lease.Epoch
	return nil
}

func (k *leaseKeeper) create(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	now := new(coordinationv1.Lease)
	err := coordination(k.p.client).Post().Namespace(leaseNamespace).Resource("leases").
		VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager}, parameterCodec).Body(l).Do(ctx).Into(now)
	return now, err
}

// update writes the Lease as it is now; a conflict if it has another version.
func (k *leaseKeeper) update(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	now := new(coordinationv1.Lease)
	err := coordination(k.p.client).Put().Namespace(leaseNamespace).Resource("leases").Name(l.Name).
		VersionedParams(&metav1.UpdateOptions{FieldManager: fieldManager}, parameterCodec).Body(l).Do(ctx).Into(now)
	return now, err
}

// nextLease returns the Lease to write. Renewing keeps the epoch, unless objects carry a
// higher one; taking it from another process raises the epoch.
func (k *leaseKeeper) nextLease(old *coordinationv1.Lease, above int64, now time.Time) *coordinationv1.Lease {
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: k.name, Namespace: leaseNamespace}}
	var epoch int64
	var transitions int32
	if old != nil {
		l, epoch = old.DeepCopy(), epochOf(old)
		if old.Spec.LeaseTransitions != nil {
			transitions = *old.Spec.LeaseTransitions
		}
	}
	at, identity, life := metav1.NewMicroTime(now), k.f.identity(), int32(leaseLife/time.Second)
	if old == nil || !k.isOwn(old) {
		epoch++
		transitions++
		l.Spec.AcquireTime = &at
	}
	if above >= epoch {
		epoch = above + 1
	}
	if l.Annotations == nil {
		l.Annotations = map[string]string{}
	}
	_, holder := splitIdentity(identity)
	l.Annotations[annotationEpoch] = fmt.Sprintf("%s/%s/%d", holder, wholeTarget, epoch)
	l.Spec.HolderIdentity, l.Spec.RenewTime, l.Spec.LeaseDurationSeconds, l.Spec.LeaseTransitions = &identity, &at,
		&life, &transitions
	return l
}

// makeNamespace creates the namespace of the Lease, which rights.yaml contains, too.
func (k *leaseKeeper) makeNamespace(ctx context.Context) error {
	err := core(k.p.client).Post().Resource("namespaces").
		VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager}, parameterCodec).
		Body(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: leaseNamespace}}).Do(ctx).Error()
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// stop waits for the writes that are under way, and gives the Lease free.
func (k *leaseKeeper) stop(ctx context.Context) {
	f := k.f
	f.mu.Lock()
	held := f.held && (f.group.Last == nil || f.group.Last())
	f.held, f.lease.Unfenced, f.lease.Message = false, false, "this instance is shutting down"
	f.mu.Unlock()
	f.writing.Lock()
	defer f.writing.Unlock()
	if held {
		if err := k.releaseLease(ctx); err != nil {
			k.p.cfg.Logger.WarnContext(ctx, "the lease could not be given free; another instance takes over when it "+
				"has run out",
				"lease", leaseNamespace+"/"+k.name, "error", err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = false
}

func (k *leaseKeeper) releaseLease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	l := k.seen.DeepCopy()
	nobody := ""
	l.Spec.HolderIdentity = &nobody
	_, err := k.update(ctx, l)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) { // somebody has it already
		return nil
	}
	return err
}

func identityOf(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

func epochOf(l *coordinationv1.Lease) int64 { _, n := epochStampOf(l); return n }

func holderOf(l *coordinationv1.Lease) ecp.LeaseHolder {
	h := ecp.LeaseHolder{}
	h.Host, h.Incarnation = splitIdentity(identityOf(l))
	if t := l.Spec.AcquireTime; t != nil {
		h.Since = t.UTC()
	}
	if t := l.Spec.RenewTime; t != nil {
		h.Renewed = t.UTC()
	}
	return h
}
