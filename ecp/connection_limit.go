package ecp

import (
	"context"
	"slices"
	"time"
)

// ConnectionLimiter is a Broker whose connection limit can be set at run time,
// for the whole cluster.
type ConnectionLimiter interface {
	// ConnectionLimit says which limit is in force.
	ConnectionLimit(ctx context.Context) (ConnectionLimit, error)
	// SetConnectionLimit sets the limit and returns what is in force then: that
	// may be less than n where the license itself allows less. Clients that
	// are connected stay. It never loads a license. Where the broker takes the
	// number and drops it the error is unsupported and its chain has
	// [ErrLicenseNotBusinessCritical]; nothing has then changed.
	//
	// To release a cluster that is somebody else's, set [ConnectionLimit.Set]
	// as it was before the first change.
	SetConnectionLimit(ctx context.Context, n int) (ConnectionLimit, error)
}

// ErrLicenseNotBusinessCritical says why a broker dropped a limit: only a
// license of customer type 3 takes one.
var ErrLicenseNotBusinessCritical = &BrokerError{
	Code: "LicenseNotBusinessCritical", Message: "the license takes no limit at run time",
}

// ConnectionLimit is how many connections a cluster takes.
type ConnectionLimit struct {
	// Settable says that the broker takes a limit at run time; Why says why not.
	Settable bool   `json:"settable"`
	Why      string `json:"why,omitempty"`
	// Set is the number set at run time, which the license may cap; 0 where
	// none can be set.
	Set int `json:"set,omitempty"`
	// InForce is the limit that clients meet; 0 = not told.
	InForce int `json:"inForce,omitempty"`
	// Sessions says that sessions of clients that are away count, too, as they
	// do from 5.8.5 on.
	Sessions bool `json:"sessions"`
}

// BrokerLimit is what is known of the connection limit that was set from here at
// the broker of an adopted cluster. A record has none where nothing was set, or
// where what was there before was put back.
type BrokerLimit struct {
	// Former is the number that the broker had before the first change from here. It is
	// stored before anything is sent; nil means that it is not known and that nothing was.
	Former *int `json:"former,omitempty"`
	// Set is the number that was set last and seen at the broker; 0 means that none was.
	Set int `json:"set,omitempty"`
	// InForce is what clients met then, which is less than Set where the license allows
	// less; 0 means that EMQX did not tell. At is when that was read.
	InForce int       `json:"inForce,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Sent are numbers that were sent after that, while it is not known whether the broker
	// has one of them. They stay booked for as long.
	Sent []int `json:"sent,omitempty"`
	// Pending says that something is to be done, or to be found out, at the broker.
	Pending bool `json:"pending,omitempty"`
}

// Clone returns a copy that shares nothing with l.
func (l *BrokerLimit) Clone() *BrokerLimit {
	if l == nil {
		return nil
	}
	out := *l
	out.Sent = slices.Clone(l.Sent)
	if l.Former != nil {
		former := *l.Former
		out.Former = &former
	}
	return &out
}

// Untouched reports whether nothing that was sent from here can be at the broker.
func (l BrokerLimit) Untouched() bool { return l.Set == 0 && len(l.Sent) == 0 }

// Ours reports whether a number that the broker has may have come from here.
func (l BrokerLimit) Ours(n int) bool {
	return l.Set > 0 && (n == l.Set || n == l.InForce) || slices.Contains(l.Sent, n)
}

// Theirs reports whether the broker had a number before the first change from here.
func (l BrokerLimit) Theirs(n int) bool { return l.Former != nil && *l.Former == n }

// LimitDropped is how a broker was that took a connection limit and dropped it. As
// long as it is reported to be the same, no other try is made.
type LimitDropped struct {
	Why         string `json:"why"`
	LicenseType int    `json:"licenseType"`
	Version     string `json:"version,omitempty"`
	Limit       int    `json:"limit,omitempty"` // in force then
}

// Booked is how many connections the cluster holds in the pool: what is asked for,
// more while its broker may have been given more from here, or none where hibernation
// has released them.
func (r ClusterRecord) Booked() int {
	if r.Status.Sleep.Released {
		return 0
	}
	n := r.Spec.Connections()
	if l := r.Status.Limit; l != nil {
		n = slices.Max(append([]int{n, l.Set}, l.Sent...))
	}
	return n
}

// LimitTarget is the number that the broker is to have, and whether that is what it
// had before the first change from here.
func (r ClusterRecord) LimitTarget() (n int, release bool) {
	if n := r.Spec.Connections(); n > 0 && !r.Deleting {
		return n, false
	}
	if l := r.Status.Limit; l != nil && l.Former != nil {
		n = *l.Former
	}
	return n, true
}

// OwesRelease reports whether a cluster that is being deleted has to have its
// broker's own limit put back first.
func (r ClusterRecord) OwesRelease() bool {
	return r.Mode == Adopted && r.Deleting && !r.Force && r.Status.Limit != nil && !r.Status.Limit.Untouched()
}

// LicenseManager is a Broker whose license can be read and replaced, for the
// whole cluster.
type LicenseManager interface {
	// License says what is loaded. No broker gives the key itself back.
	License(ctx context.Context) (BrokerLicense, error)
	// SetLicense loads a key (5.x) or a license file's text (4.x) and gives what
	// is loaded then. A key that is refused changes nothing: invalid.
	SetLicense(ctx context.Context, c LicenseChange) (BrokerLicense, error)
	// LicenseSettings returns what is set beside the license.
	LicenseSettings(ctx context.Context) (LicenseSettings, error)
	// SetLicenseSettings changes what is not zero in s and gives all of them.
	SetLicenseSettings(ctx context.Context, s LicenseSettings) (LicenseSettings, error)
}

// LicenseChange is a license to load.
type LicenseChange struct {
	// Key is the key or the file's text; "default" is the license that EMQX
	// comes with (5.x). It is a secret.
	Key string
	// Replace lets it take the place of a license that somebody has loaded.
	// Without it only the one EMQX comes with is replaced, else the error is a
	// conflict: a key that was loaded cannot be read back, so that whoever
	// loaded it could not restore it.
	Replace bool
}

// BrokerLicense is a license as a broker tells it.
type BrokerLicense struct {
	Customer     string    `json:"customer"`
	Email        string    `json:"email,omitempty"`
	Type         string    `json:"type"`            // "trial", "official", "community"; "" = not told
	CustomerType int       `json:"customerType"`    // 3 = business critical, 10 = evaluation; -1 = not told
	Limit        int       `json:"limit,omitempty"` // connections or sessions in force; 0 = not told
	From         time.Time `json:"from,omitzero"`
	Until        time.Time `json:"until,omitzero"` // UTC; zero = not told
	Expired      bool      `json:"expired"`
	// BuiltIn says that it is the one EMQX comes with.
	BuiltIn bool `json:"builtIn"`
	// SingleNode says that it allows no second node.
	SingleNode bool `json:"singleNode"`
}

// LicenseSettings are the shares of the limit at which the alarm
// license_quota rises and clears, 0 to 1; zero = not told, or not to be set.
type LicenseSettings struct {
	HighWatermark float64 `json:"highWatermark,omitempty"`
	LowWatermark  float64 `json:"lowWatermark,omitempty"`
}
