package catalog

import (
	"cmp"
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// Catalog keeps what clusters are made of: images, sizes, registries, licenses,
// certificates, load-balancer profiles, Kubernetes targets and the pool; secrets among it are
// stored encrypted. It needs no Manager; all methods may be called at once.
type Catalog struct {
	Images     *Entries[ecp.Image]     // by id
	Sizes      *Entries[ecp.Size]      // by name, as all below
	Registries *Entries[ecp.Registry]  // the secret is the password
	Licenses   *Entries[ecp.License]   // the secret is a key (v5) or the text of a file (v4)
	LBProfiles *Entries[ecp.LBProfile] //
	Targets    *Entries[ecp.Target]    // the secret is the kubeconfig

	Certificates *Entries[ecp.Certificate] // the secret is the private key

	changes *change.Writer
	store   ecp.Store
	now     func() time.Time
	sealer  ecp.Sealer // with nil no secrets can be stored
	hooks   Hooks

	lbProfilesMost int // how many load-balancer profiles there may be
}

// Hooks join a Catalog to what works with its entries. All of them may be nil.
type Hooks struct {
	// TryLicense loads the content of a changed license into a running cluster before it
	// is stored. An error refuses the change; undo loads the previous content again.
	TryLicense func(ctx context.Context, l ecp.License, content ecp.Secret) (undo func(), err error)
	// LicenseChanged and RegistryChanged are called after the secret of an entry has
	// changed.
	LicenseChanged  func(ctx context.Context, name string)
	RegistryChanged func(ctx context.Context, name string)
	// CertificateChanged is called after a certificate was replaced.
	CertificateChanged func(ctx context.Context, name string)
	// TryTarget refuses a configuration that no Provisioner can be made of.
	TryTarget func(ctx context.Context, t ecp.TargetConfig) error
	// BuiltIn reports whether a target is one that the program itself was given.
	BuiltIn func(name string) bool
	// TargetsChanged is called after targets have changed.
	TargetsChanged func()
}

// Config is what a Catalog is made of. Changes is required.
type Config struct {
	// Changes makes the changes that actors ask for; the Catalog keeps its records in
	// the same store.
	Changes *change.Writer
	// Sealer encrypts secrets. With nil none can be stored.
	Sealer ecp.Sealer
	// LBProfiles bounds how many load-balancer profiles there may be. 0 means 100.
	LBProfiles int
	// Hooks join the Catalog to what works with its entries.
	Hooks Hooks
}

// New returns a Catalog. It starts nothing.
func New(c Config) *Catalog {
	cat := &Catalog{
		changes: c.Changes, store: c.Changes.Store, now: c.Changes.Now, sealer: c.Sealer, hooks: c.Hooks,
		lbProfilesMost: cmp.Or(c.LBProfiles, 100),
	}
	cat.Images, cat.Sizes, cat.Registries = cat.images(), cat.sizes(), cat.registries()
	cat.Licenses, cat.LBProfiles, cat.Targets = cat.licenses(), cat.lbProfiles(), cat.targets()
	cat.Certificates = cat.certificates()
	return cat
}

// Kinds returns the codec of the records of a catalog.
func Kinds() ecp.Codec {
	return ecp.CodecOf(ecp.Image{}, ecp.Size{}, ecp.Pool{}, ecp.Registry{}, ecp.License{}, ecp.LBProfile{},
		ecp.Target{}, ecp.Certificate{}, SealedSecret{})
}
