package httpapi

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// catalogRoutes are about what clusters are made from, and the pool.
func (a *api) catalogRoutes() {
	addResource(a, a.images())
	addResource(a, a.sizes())
	addResource(a, a.registries())
	addResource(a, a.licenses())
	addResource(a, a.lbProfiles())
	addResource(a, a.targets())
	addResource(a, a.pool())
}

// catalogProblems are the codes that changes of catalogues may be refused with.
var catalogProblems = []ecp.Code{ecp.CodeExists, ecp.CodeConflict, ecp.CodeQuotaExceeded, ecp.CodeUnsupported}

type imageEntry struct {
	ID        string `json:"id" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; what a spec names; never changes"`
	Reference string `json:"reference" required:"true" doc:"what Kubernetes pulls"`
	Version   string `json:"version" required:"true" doc:"EMQX version, e.g. 5.8.9"`
	Default   bool   `json:"default" required:"false" doc:"taken when a spec names none; there is exactly one"`

	Architectures []string `json:"architectures,omitempty" required:"false" maxItems:"16" doc:"processors the image is made for, in Kubernetes' words, e.g. amd64 and arm64: nodes are placed on such machines only; on any when left out"`
}

func (a *api) images() resource[ecp.Image] {
	m := a.manager
	c := catalogEntry[ecp.Image, imageEntry]{
		key: "id", get: m.Catalog.Images.Get, set: func(i *ecp.Image, n int64) { i.Revision = n },
		form: func(i ecp.Image) imageEntry {
			return imageEntry{i.ID, i.Reference, i.Version, i.Default, i.Architectures}
		},
		entry: func(b imageEntry, i ecp.Image) ecp.Image {
			i.ID, i.Reference, i.Version, i.Default = b.ID, b.Reference, b.Version, b.Default
			i.Architectures = b.Architectures
			return i
		},
		create: func(ctx context.Context, i ecp.Image, _ imageEntry) (ecp.Image, error) {
			return m.Catalog.Images.Create(ctx, i, "")
		},
		update: func(ctx context.Context, i ecp.Image, _ body) (ecp.Image, error) {
			return m.Catalog.Images.Update(ctx, i, nil)
		},
	}
	return resource[ecp.Image]{
		path: "/api/v1/images", at: "/{image}", one: "Image", many: "Images", word: "image", words: "the images a " +
			"hosted cluster can be made from",
		key: func(i ecp.Image) string { return i.ID }, revision: func(i ecp.Image) int64 { return i.Revision },
		refuses: catalogProblems,
		list:    m.Catalog.Images.List, get: m.Catalog.Images.Get, create: c.add, change: c.change,
		form: schemaOf[imageEntry], patch: patchOf[imageEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.Images.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type sizeEntry struct {
	Name    string       `json:"name" required:"true" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" doc:"what a spec names; never changes"`
	CPU     quantityPair `json:"cpu" required:"true"`
	Memory  quantityPair `json:"memory" required:"true"`
	Storage storageEntry `json:"storage" required:"true" doc:"the volume of each node"`
	Default bool         `json:"default" required:"false" doc:"taken when a spec names none; there is exactly one"`
}

type quantityPair struct {
	Request string `json:"request" required:"false" doc:"Kubernetes quantity, e.g. 500m or 4Gi"`
	Limit   string `json:"limit" required:"false" doc:"not less than the request"`
}

type storageEntry struct {
	Class string `json:"class" required:"false" doc:"storage class; the platform's default when left out"`
	Size  string `json:"size" required:"false" doc:"Kubernetes quantity, e.g. 10Gi"`
}

func (a *api) sizes() resource[ecp.Size] {
	m := a.manager
	c := catalogEntry[ecp.Size, sizeEntry]{
		key: "name", get: m.Catalog.Sizes.Get, set: func(z *ecp.Size, n int64) { z.Revision = n },
		form: func(z ecp.Size) sizeEntry {
			return sizeEntry{z.Name, quantityPair(z.CPU), quantityPair(z.Memory), storageEntry(z.Storage), z.Default}
		},
		entry: func(b sizeEntry, z ecp.Size) ecp.Size {
			z.Name, z.Storage, z.Default = b.Name, ecp.Storage(b.Storage), b.Default
			z.CPU, z.Memory = ecp.Resource(b.CPU), ecp.Resource(b.Memory)
			return z
		},
		create: func(ctx context.Context, z ecp.Size, _ sizeEntry) (ecp.Size, error) {
			return m.Catalog.Sizes.Create(ctx, z, "")
		},
		update: func(ctx context.Context, z ecp.Size, _ body) (ecp.Size, error) {
			return m.Catalog.Sizes.Update(ctx, z, nil)
		},
	}
	return resource[ecp.Size]{
		path: "/api/v1/sizes", at: "/{size}", one: "Size", many: "Sizes", word: "size",
		words: "the sizes a node can have",
		key:   func(z ecp.Size) string { return z.Name }, revision: func(z ecp.Size) int64 { return z.Revision },
		refuses: catalogProblems,
		list:    m.Catalog.Sizes.List, get: m.Catalog.Sizes.Get, create: c.add, change: c.change,
		form: schemaOf[sizeEntry], patch: patchOf[sizeEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.Sizes.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type registryEntry struct {
	Name     string `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	Host     string `json:"host" required:"true" doc:"with its port, as in image references"`
	User     string `json:"user" required:"true"`
	Password string `json:"password" required:"false" writeOnly:"true" doc:"stored encrypted; never shown"`
}

func (a *api) registries() resource[ecp.Registry] {
	m := a.manager
	c := catalogEntry[ecp.Registry, registryEntry]{
		key: "name", get: m.Catalog.Registries.Get, set: func(r *ecp.Registry, n int64) { r.Revision = n },
		form: func(r ecp.Registry) registryEntry { return registryEntry{r.Name, r.Host, r.User, ""} },
		entry: func(b registryEntry, r ecp.Registry) ecp.Registry {
			r.Name, r.Host, r.User = b.Name, b.Host, b.User
			return r
		},
		create: func(ctx context.Context, r ecp.Registry, b registryEntry) (ecp.Registry, error) {
			return m.Catalog.Registries.Create(ctx, r, ecp.Secret(b.Password))
		},
		update: func(ctx context.Context, r ecp.Registry, patch body) (ecp.Registry, error) {
			return m.Catalog.Registries.Update(ctx, r, patch.secret("password"))
		},
	}
	return resource[ecp.Registry]{
		path: "/api/v1/registries", at: "/{registry}", one: "Registry", many: "Registries", word: "registry",
		words:    "the registries that want a password",
		key:      func(r ecp.Registry) string { return r.Name },
		revision: func(r ecp.Registry) int64 { return r.Revision },
		refuses:  catalogProblems,
		list:     m.Catalog.Registries.List, get: m.Catalog.Registries.Get,
		create: c.add, change: c.change, form: schemaOf[registryEntry],
		patch: patchOf[registryEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.Registries.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type licenseEntry struct {
	Name    string            `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	Format  ecp.LicenseFormat `json:"format" required:"true" enum:"v4,v5" doc:"v4 is a file, v5 a key; never changes"`
	Default bool              `json:"default" required:"false" doc:"taken for new clusters; one for each format"`
	Content string            `json:"content" required:"true" writeOnly:"true" doc:"the file or the key; stored encrypted, never shown"`
}

func (a *api) licenses() resource[ecp.License] {
	m := a.manager
	c := catalogEntry[ecp.License, licenseEntry]{
		key: "name", get: m.Catalog.Licenses.Get, set: func(l *ecp.License, n int64) { l.Revision = n },
		form: func(l ecp.License) licenseEntry { return licenseEntry{l.Name, l.Format, l.Default, ""} },
		entry: func(b licenseEntry, l ecp.License) ecp.License {
			l.Name, l.Format, l.Default = b.Name, b.Format, b.Default
			return l
		},
		create: func(ctx context.Context, l ecp.License, b licenseEntry) (ecp.License, error) {
			return m.Catalog.Licenses.Create(ctx, l, ecp.Secret(b.Content))
		},
		update: func(ctx context.Context, l ecp.License, patch body) (ecp.License, error) {
			return m.Catalog.Licenses.Update(ctx, l, patch.secret("content"))
		},
	}
	return resource[ecp.License]{
		path: "/api/v1/emqx-licenses", at: "/{license}", one: "License", many: "Licenses", word: "EMQX license",
		words: "the EMQX licenses",
		key:   func(l ecp.License) string { return l.Name }, revision: func(l ecp.License) int64 { return l.Revision },
		refuses: catalogProblems,
		list:    m.Catalog.Licenses.List,
		get:     m.Catalog.Licenses.Get, create: c.add, change: c.change, form: schemaOf[licenseEntry],
		patch: patchOf[licenseEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.Licenses.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type lbProfileEntry struct {
	Name           string            `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	MinConnections int               `json:"minConnections" required:"false" minimum:"0" maximum:"100000000" doc:"for clusters that book at least as many"`
	MaxConnections int               `json:"maxConnections" required:"false" minimum:"0" maximum:"100000000" doc:"and at most as many; 0 is without end"`
	Annotations    map[string]string `json:"annotations" required:"true" doc:"put on the access Service; the cluster's own win"`
}

func (a *api) lbProfiles() resource[ecp.LBProfile] {
	m := a.manager
	c := catalogEntry[ecp.LBProfile, lbProfileEntry]{
		key: "name", get: m.Catalog.LBProfiles.Get, set: func(l *ecp.LBProfile, n int64) { l.Revision = n },
		form: func(l ecp.LBProfile) lbProfileEntry {
			return lbProfileEntry{l.Name, l.MinConnections, l.MaxConnections, l.Annotations}
		},
		entry: func(b lbProfileEntry, l ecp.LBProfile) ecp.LBProfile {
			l.Name, l.Annotations = b.Name, b.Annotations
			l.MinConnections, l.MaxConnections = b.MinConnections, b.MaxConnections
			return l
		},
		create: func(ctx context.Context, l ecp.LBProfile, _ lbProfileEntry) (ecp.LBProfile, error) {
			return m.Catalog.LBProfiles.Create(ctx, l, "")
		},
		update: func(ctx context.Context, l ecp.LBProfile, _ body) (ecp.LBProfile, error) {
			return m.Catalog.LBProfiles.Update(ctx, l, nil)
		},
	}
	return resource[ecp.LBProfile]{
		path: "/api/v1/lb-profiles", at: "/{profile}", one: "LBProfile", many: "LBProfiles",
		word:     "load-balancer profile",
		words:    "the load-balancer profiles; where two fit, the older wins",
		key:      func(l ecp.LBProfile) string { return l.Name },
		revision: func(l ecp.LBProfile) int64 { return l.Revision },
		refuses:  catalogProblems,
		list:     m.Catalog.LBProfiles.List, get: m.Catalog.LBProfiles.Get,
		create: c.add, change: c.change, form: schemaOf[lbProfileEntry],
		patch: patchOf[lbProfileEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.LBProfiles.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type targetEntry struct {
	Name        string `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; what a spec names; never changes"`
	Description string `json:"description" required:"false" maxLength:"500"`
	Kubeconfig  string `json:"kubeconfig" required:"true" writeOnly:"true" doc:"stored encrypted; never shown"`

	Network networkEntry `json:"network,omitzero" required:"false" doc:"what clusters are made with that are made from now on"`
}

type networkEntry struct {
	ClusterDomain  string             `json:"clusterDomain,omitempty" required:"false" maxLength:"150" doc:"DNS domain of the Kubernetes cluster; cluster.local when left out"`
	IPFamily       ecp.IPFamily       `json:"ipFamily,omitempty" required:"false" enum:"IPv4,IPv6" doc:"in which nodes talk to one another, and the first of Services; when left out IPv4 for nodes, and for Services what Kubernetes gives of its own"`
	IPFamilyPolicy ecp.IPFamilyPolicy `json:"ipFamilyPolicy,omitempty" required:"false" enum:"SingleStack,PreferDualStack,RequireDualStack" doc:"of the Services for clients and people; with two families EMQX listens on both"`
}

func (a *api) targets() resource[ecp.TargetInfo] {
	m := a.manager
	info := func(ctx context.Context, t ecp.Target, err error) (ecp.TargetInfo, error) {
		if err != nil {
			return ecp.TargetInfo{}, err
		}
		return m.Target(ctx, t.Name)
	}
	c := catalogEntry[ecp.TargetInfo, targetEntry]{
		key: "name", get: m.Target, set: func(t *ecp.TargetInfo, n int64) { t.Revision = n },
		form: func(t ecp.TargetInfo) targetEntry {
			return targetEntry{t.Name, t.Description, "", networkEntry(t.Network)}
		},
		entry: func(b targetEntry, t ecp.TargetInfo) ecp.TargetInfo {
			t.Name, t.Description, t.Network = b.Name, b.Description, ecp.TargetNetwork(b.Network)
			return t
		},
		create: func(ctx context.Context, t ecp.TargetInfo, b targetEntry) (ecp.TargetInfo, error) {
			made, err := m.Catalog.Targets.Create(ctx, t.Target, ecp.Secret(b.Kubeconfig))
			return info(ctx, made, err)
		},
		update: func(ctx context.Context, t ecp.TargetInfo, patch body) (ecp.TargetInfo, error) {
			changed, err := m.Catalog.Targets.Update(ctx, t.Target, patch.secret("kubeconfig"))
			return info(ctx, changed, err)
		},
	}
	return resource[ecp.TargetInfo]{
		path: "/api/v1/kubernetes-targets", at: "/{target}", one: "Target", many: "Targets", word: "Kubernetes target",
		words:    "the Kubernetes targets, with their health",
		key:      func(t ecp.TargetInfo) string { return t.Name },
		revision: func(t ecp.TargetInfo) int64 { return t.Revision },
		refuses:  catalogProblems,
		list:     m.Targets, get: m.Target, create: c.add, change: c.change, form: schemaOf[targetEntry],
		patch: patchOf[targetEntry],
		remove: func(ctx context.Context, key string) error {
			return m.Catalog.Targets.Delete(ctx, key, ifRevision(ctx))
		},
	}
}

type poolEntry struct {
	Connections    int       `json:"connections" required:"false" minimum:"0" doc:"MQTT connections in all; 0 is unlimited"`
	LargestCluster int       `json:"largestCluster" required:"false" minimum:"0" doc:"most connections one cluster may book; 0 is unlimited"`
	Clusters       int       `json:"clusters" required:"false" minimum:"0" doc:"number of clusters; 0 is unlimited"`
	ExpiresAt      time.Time `json:"expiresAt,omitzero" required:"false" doc:"nothing more is booked from then on; never when left out"`
}

func (a *api) pool() resource[ecp.Pool] {
	m := a.manager
	get := func(ctx context.Context, _ string) (ecp.Pool, error) { return m.Pool(ctx) }
	c := catalogEntry[ecp.Pool, poolEntry]{
		get: get, set: func(p *ecp.Pool, n int64) { p.Revision = n },
		form: func(p ecp.Pool) poolEntry { return poolEntry{p.Connections, p.LargestCluster, p.Clusters, p.ExpiresAt} },
		entry: func(b poolEntry, p ecp.Pool) ecp.Pool {
			p.Connections, p.LargestCluster, p.Clusters = b.Connections, b.LargestCluster, b.Clusters
			p.ExpiresAt = b.ExpiresAt
			return p
		},
		update: func(ctx context.Context, p ecp.Pool, _ body) (ecp.Pool, error) {
			return m.Catalog.UpdatePool(ctx, p)
		},
	}
	return resource[ecp.Pool]{
		path: "/api/v1/pool", one: "Pool", word: "pool of what all clusters together may use, and what is booked",
		revision: func(p ecp.Pool) int64 { return p.Revision }, refuses: catalogProblems,
		get: get, change: c.change, patch: patchOf[poolEntry],
	}
}
