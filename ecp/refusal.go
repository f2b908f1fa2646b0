package ecp

import (
	"errors"
)

// Refusal is the cause of an invalid error of [Provisioner.Apply]: the platform
// does not take an object as it is, however often it is asked. That is for a
// person to mend, and no outage.
type Refusal struct {
	What string // the object, e.g. "Service emqx-1a2b3c4d-mqtt"
	Why  string // the platform's own words
	// Rest reports whether everything that does not depend on What was converged
	// all the same, nodes included.
	Rest bool
}

// Error names what was refused and why.
func (r *Refusal) Error() string { return r.What + " was refused: " + r.Why }

// RefusalOf returns what an error of Apply says of a definite refusal; nil where
// the same call may succeed later. An invalid error without a Refusal refuses
// everything.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case err != nil && CodeOf(err) == CodeInvalid:
		return &Refusal{What: "the cluster", Why: MessageOf(err)}
	}
	return nil
}

// Refused is what the platform is known to refuse of a cluster.
type Refused struct {
	What       string `json:"what"`
	Generation int64  `json:"generation"` // the first one with which it was
}

// ReasonRefused says that the platform does not take what is wanted, however
// often it is asked.
const ReasonRefused Reason = "Refused"
