package ecp

import (
	"maps"
	"time"
)

// LBProfile gives load balancers of clusters in a range of connections their
// annotations, e.g. the class of machine a cloud makes them of. Where ranges
// overlap the oldest profile wins.
type LBProfile struct {
	Name           string            `json:"name"`           // slug; never changes
	MinConnections int               `json:"minConnections"` // at least as many are booked
	MaxConnections int               `json:"maxConnections"` // at most as many; 0 = without end
	Annotations    map[string]string `json:"annotations"`    // put on the access Service; the cluster's own win
	CreatedAt      time.Time         `json:"createdAt"`
	Revision       int64             `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (l LBProfile) Describe() (Kind, string, Index) { return KindLBProfile, l.Name, Index{} }

// Copy gives a value that shares nothing with l.
func (l LBProfile) Copy() Payload {
	l.Annotations = maps.Clone(l.Annotations)
	return l
}
