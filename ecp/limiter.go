package ecp

import (
	"context"
)

// ConnectionLimiter is a Broker whose connection limit can be set at run time,
// for the whole cluster.
type ConnectionLimiter interface {
	// ConnectionLimit says which limit is in force.
	ConnectionLimit(ctx context.Context) (ConnectionLimit, error)
	// SetConnectionLimit sets the limit and gives what is in force then: that
	// may be less than n where the licence itself allows less. Clients that
	// are connected stay. It never loads a licence. Where the broker takes the
	// number and drops it the error is unsupported and its chain has
	// [ErrLicenseNotBusinessCritical]; nothing has then changed.
	//
	// To release a cluster that is somebody else's, set [ConnectionLimit.Set]
	// as it was before the first change.
	SetConnectionLimit(ctx context.Context, n int) (ConnectionLimit, error)
}

// ErrLicenseNotBusinessCritical says why a broker dropped a limit: only a
// licence of customer type 3 takes one.
var ErrLicenseNotBusinessCritical = &BrokerError{Code: "LicenseNotBusinessCritical", Message: "the licence takes no limit at run time"}

// ConnectionLimit is how many connections a cluster takes.
type ConnectionLimit struct {
	// Settable says that the broker takes a limit at run time; Why says why not.
	Settable bool   `json:"settable"`
	Why      string `json:"why,omitempty"`
	// Set is the number set at run time, which the licence may cap; 0 where
	// none can be set.
	Set int `json:"set,omitempty"`
	// InForce is the limit that clients meet; 0 = not told.
	InForce int `json:"inForce,omitempty"`
	// Sessions says that sessions of clients that are away count, too, as they
	// do from 5.8.5 on.
	Sessions bool `json:"sessions"`
}
