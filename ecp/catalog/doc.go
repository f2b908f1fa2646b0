// Package catalog keeps what hosted clusters are made from: images, sizes, registries,
// licenses, load-balancer profiles and Kubernetes targets. A [Catalog] needs a store and
// a door for changes, and no Manager. Secrets of entries stand in records of their own,
// encrypted, and no call returns them.
package catalog
