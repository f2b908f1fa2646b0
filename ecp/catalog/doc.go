// Package catalog keeps what hosted clusters are made from: images, sizes, registries,
// licenses, load-balancer profiles, Kubernetes targets, and the pool that all clusters
// are booked in.
//
// A [Catalog] needs a store and a [change.Writer], and no Manager. Each of its fields is
// one kind of [Entries]. Clusters copy what they are made from, so that a change of an
// entry does not touch them, and an entry that something uses cannot be deleted. Secrets
// of entries stand in records of their own, encrypted; no method for users returns them.
package catalog
