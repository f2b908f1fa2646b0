package ecp

// Who keeps a cluster to its number of connections.
const (
	EnforcedByLicense   = "licence"   // the broker's licence allows no more
	EnforcedByListeners = "listeners" // approximately: each listener of each node takes as many
	EnforcedByNone      = "none"      // nobody does, or it is not known: no node runs, or none has answered
)
