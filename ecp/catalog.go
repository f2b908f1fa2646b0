package ecp

import (
	"cmp"
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
	hooks   catalogHooks

	lbProfilesMost int // how many load-balancer profiles there may be
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

// catalogConfig is what a Catalog is made of. Changes is required.
type catalogConfig struct {
	// Changes makes the changes that actors ask for; the Catalog keeps its records in
	// the same store.
	Changes *Writer
	// Sealer encrypts secrets. With nil none can be stored.
	Sealer Sealer
	// LBProfiles bounds how many load-balancer profiles there may be. 0 means 100.
	LBProfiles int
	// Hooks join the Catalog to what works with its entries.
	Hooks catalogHooks
}

// newCatalog returns a Catalog. It starts nothing.
func newCatalog(c catalogConfig) *Catalog {
	return &Catalog{
		changes: c.Changes, store: c.Changes.store, now: c.Changes.now, sealer: c.Sealer, hooks: c.Hooks,
		lbProfilesMost: cmp.Or(c.LBProfiles, 100),
	}
}

// catalogKinds returns the codec of the records of a catalog.
func catalogKinds() Codec {
	return CodecOf(Image{}, Size{}, Pool{}, Registry{}, Licence{}, LBProfile{}, Target{}, sealedSecret{})
}
