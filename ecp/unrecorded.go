package ecp

import (
	"context"
	"time"
)

// ClusterLister is a Provisioner that can list what it finds of clusters, whoever
// asked for them: after an older database was put back some have no record.
type ClusterLister interface {
	// List lists every cluster of ours on the platform, in no order. Like
	// Observe it fails as unavailable where nothing can be seen.
	Clusters(ctx context.Context) ([]FoundCluster, error)
}

// FoundCluster is a cluster as the platform names it.
type FoundCluster struct {
	ID      ID
	Name    string // "" = not known, as Project
	Project string
	Since   time.Time // when it was made
}
