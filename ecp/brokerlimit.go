package ecp

import (
	"fmt"
	"slices"
	"time"
)

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

// FormerLimit reports whether the broker had a number before the first change from here.
func FormerLimit(l BrokerLimit, n int) bool { return l.Former != nil && *l.Former == n }

// LimitDropped is how a broker was that took a connection limit and dropped it. As
// long as it is reported to be the same, no other try is made.
type LimitDropped struct {
	Why         string `json:"why"`
	LicenseType int    `json:"licenseType"`
	Version     string `json:"version,omitempty"`
	Limit       int    `json:"limit,omitempty"` // in force then
}

// Booked is how many connections the cluster holds in the pool: what is asked for,
// or more while its broker may have been given more from here.
func (r ClusterRecord) Booked() int {
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

// LimitLeft says what stays behind at a broker whose cluster is removed without
// putting its own limit back; "" means nothing does.
func (r ClusterRecord) LimitLeft() string {
	l := r.Status.Limit
	if l == nil || l.Untouched() {
		return ""
	}
	has := fmt.Sprintf("the limit of %d connections that was set from here", l.Set)
	if len(l.Sent) > 0 {
		numbers := slices.Clone(l.Sent)
		if l.Set > 0 {
			numbers = append(numbers, l.Set)
		}
		slices.Sort(numbers)
		has = fmt.Sprintf("one of the limits that were sent from here (%s connections)", JoinNumbers(slices.Compact(numbers)))
	}
	former := "which it had before is not known"
	if l.Former != nil {
		former = fmt.Sprintf("before the first change it was %d", *l.Former)
	}
	return "EMQX may keep " + has + "; " + former + ": set it there by hand"
}

// JoinNumbers lists numbers for people, as in "1883, 8883".
func JoinNumbers(all []int) (out string) {
	for i, n := range all {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprint(n)
	}
	return out
}
