package ecp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Fencer is a Provisioner whose platform may be worked on by several programs,
// such as two instances with copies of one database, and lets one of them write
// at a time.
//
// A Provisioner of which nobody asked for the lease writes as one that is no
// Fencer. From the call of Hold on until it returns, Apply and Delete MUST
// return unavailable, and change nothing, unless Lease says that writing is
// allowed at the moment of each write: a process that was stopped for a while
// must not go on where another has taken over.
type Fencer interface {
	// Hold takes the lease of the platform as soon as nobody else has it, and
	// keeps it until ctx ends; it then waits for writes that are under way and
	// gives the lease free at once. It calls changed, from any goroutine, when
	// what Lease returns has changed in anything but the times. The holder is an
	// incarnation of its own for every process: a copy of a database MUST NOT
	// bring it along. An error means that it cannot go on; ctx's end is none.
	Hold(ctx context.Context, changed func()) error
	// Lease says how things stand. It asks nobody.
	Lease() Lease
}

// GroupFencer is a [Fencer] whose lease several programs can hold together, so that all of
// them write to the platform: those that share one Store. The lease then keeps away
// programs that work with another Store, such as a copy of the database; which program of
// the group may write for a cluster is said by the [Ownership] in the context of each call.
// A Manager that shares its Store calls HoldFor where it would call Hold; a platform that
// is a Fencer only is worked on by one program of the group at a time.
type GroupFencer interface {
	Fencer
	// HoldFor is Hold as one program of a group. The holder of the lease is the group: it
	// MUST NOT be lost while any of its programs renews it, and its epoch MUST NOT change
	// from one program to another. It is given free by a program that ends as the last one.
	//
	// While it runs, a call with an [Ownership] MUST be refused, without any change, once
	// that is lost, and where the platform shows that the cluster was written under a
	// higher epoch of the same shard since the group has the lease. The error is
	// unavailable then.
	//
	// What was seen of a cluster in one epoch MUST NOT count in another one: a program of
	// the group may have worked on it in between, and what that one has deleted and made
	// anew, such as a volume claim, is not lost.
	HoldFor(ctx context.Context, g LeaseGroup, changed func()) error
}

// LeaseGroup is the holder of a lease that is held together.
type LeaseGroup struct {
	// Incarnation is minted when the first program of the group comes up, and ends with the
	// last one: like that of a process, a copy of a database does not bring it along.
	Incarnation string
	// Last reports whether no other program of the group is known to run.
	Last func() bool
}

// Lease is how this program stands to the right to write to a platform.
type Lease struct {
	Held bool `json:"held"`
	// Unfenced: the platform cannot keep a lease, e.g. for want of a right, and
	// this program writes without one. Message says what is missing.
	Unfenced bool `json:"unfenced,omitempty"`
	// Holder is who has it, as last seen; zero = nobody, or nothing was seen yet.
	Holder LeaseHolder `json:"holder,omitzero"`
	// Epoch grows whenever another holder takes the lease; 0 = not known.
	Epoch   int64  `json:"epoch,omitempty"`
	Message string `json:"message,omitempty"` // why it is not held
	// OtherPlatform: the platform is another one than the target's clusters were
	// made on; Message says so. Nothing is written there, and nothing believed.
	OtherPlatform bool `json:"otherPlatform,omitempty"`
	// Until is when this program must stop writing if it hears nothing more;
	// zero = no such time.
	Until time.Time `json:"-"`
}

// LeaseHolder is a process that holds a lease.
type LeaseHolder struct {
	Incarnation string    `json:"incarnation"` // minted when the process started; never stored
	Host        string    `json:"host,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	Renewed     time.Time `json:"renewed,omitzero"`
}

// MayWrite reports whether this program may write to the platform.
func (l Lease) MayWrite() bool { return l.Held || l.Unfenced }

// Undecided says that nothing is known yet.
func (l Lease) Undecided() bool {
	return !l.MayWrite() && l.Holder.Incarnation == "" && l.Message == ""
}

// Waiting says for people why this program does not write; "" = it may.
func (l Lease) Waiting() string {
	switch h := l.Holder; {
	case l.MayWrite():
		return ""
	case l.OtherPlatform:
		return l.Message
	case h.Incarnation != "":
		return fmt.Sprintf("another instance holds this platform: %s on host %s, since %s, renewed %s; "+
			"this one waits until it has gone",
			h.Incarnation, h.Host, h.Since.UTC().Format(time.RFC3339), h.Renewed.UTC().Format(time.RFC3339))
	case l.Message != "":
		return "this instance does not hold the lease of the platform: " + l.Message
	}
	return "this instance does not hold the lease of the platform yet"
}

// ErrLostOwnership says that this program may not work on a cluster any more: another one
// that shares its Store has taken the cluster over, or this one could not renew its claim
// in time. It is no failure of the cluster; whoever gets it stops, and reports nothing.
var ErrLostOwnership = errors.New("another program works on the cluster now, or this one could not renew its claim")

// Ownership is the right of this program to work on the clusters of a shard, where several
// programs share one Store. The context of everything that the Manager does for a cluster
// carries it then, and every write to the Store with that context is refused once it is
// lost.
type Ownership struct {
	// Shard is the part of the fleet that the cluster belongs to.
	Shard int
	// Epoch grows whenever a program takes the shard. A Provisioner that can keep it with
	// what it writes finds there who has written last, and must not write where it finds a
	// higher one of the same shard.
	Epoch int64

	check func() error
}

// Err returns nil while the right is sure to hold by this program's own clock, and
// [ErrLostOwnership] afterwards. It asks nobody, so that it can be called right before
// each write to a platform: a program may have been suspended since its last line.
func (o Ownership) Err() error {
	if o.check == nil {
		return nil
	}
	return o.check()
}

type ownershipKey struct{}

// WithOwnership returns a context for work on a cluster of a shard. check is what
// [Ownership.Err] calls; nil means that the right is never lost.
func WithOwnership(ctx context.Context, shard int, epoch int64, check func() error) context.Context {
	return context.WithValue(ctx, ownershipKey{}, Ownership{Shard: shard, Epoch: epoch, check: check})
}

// OwnershipFrom returns what [WithOwnership] set, and false where nobody else shares the
// Store, or the work is not the Manager's.
func OwnershipFrom(ctx context.Context) (Ownership, bool) {
	o, ok := ctx.Value(ownershipKey{}).(Ownership)
	return o, ok
}
