package ecp

import (
	"context"
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
