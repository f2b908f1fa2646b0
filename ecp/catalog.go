package ecp

import (
	"context"
	"time"
)

// Catalog keeps what clusters are made of: images, sizes, registries, licences,
// load-balancer profiles, Kubernetes targets and the pool; secrets among it are
// stored encrypted. It needs no Manager; all methods may be called at once.
type Catalog struct {
	changes *Writer
	store   Store
	now     func() time.Time
	sealer  Sealer // nil = no secrets can be stored
	limits  Limits
	hooks   catalogHooks
}

// catalogHooks join a Catalog to what works with its entries. All of them may be nil.
type catalogHooks struct {
	// TryLicense gives the content of a changed licence to a running cluster before
	// it is stored. An error refuses the change; undo puts the content before back.
	TryLicense func(ctx context.Context, l Licence, content Secret) (undo func(), err error)
	// LicenceChanged and RegistryChanged are called after the secret of an entry has
	// changed.
	LicenceChanged  func(ctx context.Context, name string)
	RegistryChanged func(ctx context.Context, name string)
	// TryTarget refuses a configuration that no Provisioner can be made of.
	TryTarget func(ctx context.Context, t TargetConfig) error
	// BuiltIn reports whether a target is one that the program itself was given.
	BuiltIn func(name string) bool
	// TargetsChanged is called after targets have changed.
	TargetsChanged func()
}

func newCatalog(changes *Writer, sealer Sealer, limits Limits, hooks catalogHooks) *Catalog {
	return &Catalog{changes: changes, store: changes.store, now: changes.now, sealer: sealer, limits: limits.withDefaults(), hooks: hooks}
}
