package httpapi

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
)

// catalogRoutes are about what clusters are made from, and the pool.
func (a *api) catalogRoutes() {
	a.images()
	a.sizes()
	a.registries()
	a.licenses()
	a.certificates()
	a.lbProfiles()
	a.targets()
	a.pool()
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

func (a *api) images() {
	res := resource[ecp.Image]{
		path: "/api/v1/images", at: "/{image}", one: "Image", many: "Images", word: "image", words: "the images a " +
			"hosted cluster can be made from",
	}
	addEntries(a, a.manager.Catalog.Images, res, catalogEntry[ecp.Image, imageEntry]{
		key: "id", name: func(i ecp.Image) string { return i.ID },
		revision: func(i *ecp.Image) *int64 { return &i.Revision },
		form: func(i ecp.Image) imageEntry {
			return imageEntry{i.ID, i.Reference, i.Version, i.Default, i.Architectures}
		},
		entry: func(b imageEntry, i ecp.Image) ecp.Image {
			i.ID, i.Reference, i.Version, i.Default = b.ID, b.Reference, b.Version, b.Default
			i.Architectures = b.Architectures
			return i
		},
	})
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

func (a *api) sizes() {
	res := resource[ecp.Size]{
		path: "/api/v1/sizes", at: "/{size}", one: "Size", many: "Sizes", word: "size",
		words: "the sizes a node can have",
	}
	addEntries(a, a.manager.Catalog.Sizes, res, catalogEntry[ecp.Size, sizeEntry]{
		key: "name", name: func(z ecp.Size) string { return z.Name },
		revision: func(z *ecp.Size) *int64 { return &z.Revision },
		form: func(z ecp.Size) sizeEntry {
			return sizeEntry{z.Name, quantityPair(z.CPU), quantityPair(z.Memory), storageEntry(z.Storage), z.Default}
		},
		entry: func(b sizeEntry, z ecp.Size) ecp.Size {
			z.Name, z.Storage, z.Default = b.Name, ecp.Storage(b.Storage), b.Default
			z.CPU, z.Memory = ecp.Resource(b.CPU), ecp.Resource(b.Memory)
			return z
		},
	})
}

type registryEntry struct {
	Name     string `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	Host     string `json:"host" required:"true" doc:"with its port, as in image references"`
	User     string `json:"user" required:"true"`
	Password string `json:"password" required:"false" writeOnly:"true" doc:"stored encrypted; never shown"`
}

func (a *api) registries() {
	res := resource[ecp.Registry]{
		path: "/api/v1/registries", at: "/{registry}", one: "Registry", many: "Registries", word: "registry",
		words: "the registries that want a password",
	}
	addEntries(a, a.manager.Catalog.Registries, res, catalogEntry[ecp.Registry, registryEntry]{
		key: "name", name: func(r ecp.Registry) string { return r.Name },
		revision: func(r *ecp.Registry) *int64 { return &r.Revision }, secret: "password",
		form: func(r ecp.Registry) registryEntry { return registryEntry{r.Name, r.Host, r.User, ""} },
		entry: func(b registryEntry, r ecp.Registry) ecp.Registry {
			r.Name, r.Host, r.User = b.Name, b.Host, b.User
			return r
		},
	})
}

type licenseEntry struct {
	Name    string            `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	Format  ecp.LicenseFormat `json:"format" required:"true" enum:"v4,v5" doc:"v4 is a file, v5 a key; never changes"`
	Default bool              `json:"default" required:"false" doc:"taken for new clusters; one for each format"`
	Content string            `json:"content" required:"true" writeOnly:"true" doc:"the file or the key; stored encrypted, never shown"`
}

func (a *api) licenses() {
	res := resource[ecp.License]{
		path: "/api/v1/emqx-licenses", at: "/{license}", one: "License", many: "Licenses", word: "EMQX license",
		words: "the EMQX licenses",
	}
	addEntries(a, a.manager.Catalog.Licenses, res, catalogEntry[ecp.License, licenseEntry]{
		key: "name", name: func(l ecp.License) string { return l.Name },
		revision: func(l *ecp.License) *int64 { return &l.Revision }, secret: "content",
		form: func(l ecp.License) licenseEntry { return licenseEntry{l.Name, l.Format, l.Default, ""} },
		entry: func(b licenseEntry, l ecp.License) ecp.License {
			l.Name, l.Format, l.Default = b.Name, b.Format, b.Default
			return l
		},
	})
}

type certificateEntry struct {
	Name  string `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; what a spec names; never changes"`
	Chain string `json:"chain" required:"true" doc:"certificates in PEM: the server's own first, then that of each issuer"`
	Key   string `json:"key" required:"true" writeOnly:"true" doc:"the private key in PEM, without a password; stored encrypted, never shown"`
}

func (a *api) certificates() {
	cat := a.manager.Catalog
	info := func(ctx context.Context, e ecp.Certificate, err error) (catalog.CertificateInfo, error) {
		if err != nil {
			return catalog.CertificateInfo{}, err
		}
		return cat.CertificateInfo(ctx, e.Name)
	}
	addResource(a, withEntries(resource[catalog.CertificateInfo]{
		path: "/api/v1/certificates", at: "/{certificate}", one: "Certificate", many: "Certificates",
		word:  "TLS certificate",
		words: "the TLS certificates that clusters can serve, with when they end and which clusters use them",
		list:  cat.CertificateInfos, get: cat.CertificateInfo, remove: removeFrom(cat.Certificates),
	}, catalogEntry[catalog.CertificateInfo, certificateEntry]{
		key: "name", name: func(e catalog.CertificateInfo) string { return e.Name },
		revision: func(e *catalog.CertificateInfo) *int64 { return &e.Revision }, secret: "key",
		form: func(e catalog.CertificateInfo) certificateEntry { return certificateEntry{e.Name, e.Chain, ""} },
		entry: func(b certificateEntry, e catalog.CertificateInfo) catalog.CertificateInfo {
			e.Name, e.Chain = b.Name, b.Chain
			return e
		},
		create: func(ctx context.Context, e catalog.CertificateInfo, key ecp.Secret) (catalog.CertificateInfo, error) {
			made, err := cat.Certificates.Create(ctx, e.Certificate, key)
			return info(ctx, made, err)
		},
		update: func(ctx context.Context, e catalog.CertificateInfo, key *ecp.Secret) (catalog.CertificateInfo, error) {
			changed, err := cat.Certificates.Update(ctx, e.Certificate, key)
			return info(ctx, changed, err)
		},
	}))
}

type lbProfileEntry struct {
	Name           string            `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$" doc:"slug; never changes"`
	MinConnections int               `json:"minConnections" required:"false" minimum:"0" maximum:"100000000" doc:"for clusters that book at least as many"`
	MaxConnections int               `json:"maxConnections" required:"false" minimum:"0" maximum:"100000000" doc:"and at most as many; 0 is without end"`
	Annotations    map[string]string `json:"annotations" required:"true" doc:"put on the access Service; the cluster's own win"`
}

func (a *api) lbProfiles() {
	res := resource[ecp.LBProfile]{
		path: "/api/v1/lb-profiles", at: "/{profile}", one: "LBProfile", many: "LBProfiles",
		word:  "load-balancer profile",
		words: "the load-balancer profiles; where two fit, the older wins",
	}
	addEntries(a, a.manager.Catalog.LBProfiles, res, catalogEntry[ecp.LBProfile, lbProfileEntry]{
		key: "name", name: func(l ecp.LBProfile) string { return l.Name },
		revision: func(l *ecp.LBProfile) *int64 { return &l.Revision },
		form: func(l ecp.LBProfile) lbProfileEntry {
			return lbProfileEntry{l.Name, l.MinConnections, l.MaxConnections, l.Annotations}
		},
		entry: func(b lbProfileEntry, l ecp.LBProfile) ecp.LBProfile {
			l.Name, l.Annotations = b.Name, b.Annotations
			l.MinConnections, l.MaxConnections = b.MinConnections, b.MaxConnections
			return l
		},
	})
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

func (a *api) targets() {
	m := a.manager
	info := func(ctx context.Context, t ecp.Target, err error) (ecp.TargetInfo, error) {
		if err != nil {
			return ecp.TargetInfo{}, err
		}
		return m.Target(ctx, t.Name)
	}
	addResource(a, withEntries(resource[ecp.TargetInfo]{
		path: "/api/v1/kubernetes-targets", at: "/{target}", one: "Target", many: "Targets", word: "Kubernetes target",
		words: "the Kubernetes targets, with their health", list: m.Targets, get: m.Target,
		remove: removeFrom(m.Catalog.Targets),
	}, catalogEntry[ecp.TargetInfo, targetEntry]{
		key: "name", name: func(t ecp.TargetInfo) string { return t.Name },
		revision: func(t *ecp.TargetInfo) *int64 { return &t.Revision }, secret: "kubeconfig",
		form: func(t ecp.TargetInfo) targetEntry {
			return targetEntry{t.Name, t.Description, "", networkEntry(t.Network)}
		},
		entry: func(b targetEntry, t ecp.TargetInfo) ecp.TargetInfo {
			t.Name, t.Description, t.Network = b.Name, b.Description, ecp.TargetNetwork(b.Network)
			return t
		},
		create: func(ctx context.Context, t ecp.TargetInfo, secret ecp.Secret) (ecp.TargetInfo, error) {
			made, err := m.Catalog.Targets.Create(ctx, t.Target, secret)
			return info(ctx, made, err)
		},
		update: func(ctx context.Context, t ecp.TargetInfo, secret *ecp.Secret) (ecp.TargetInfo, error) {
			changed, err := m.Catalog.Targets.Update(ctx, t.Target, secret)
			return info(ctx, changed, err)
		},
	}))
}

type poolEntry struct {
	Connections    int       `json:"connections" required:"false" minimum:"0" doc:"MQTT connections in all; 0 is unlimited"`
	LargestCluster int       `json:"largestCluster" required:"false" minimum:"0" doc:"most connections one cluster may book; 0 is unlimited"`
	Clusters       int       `json:"clusters" required:"false" minimum:"0" doc:"number of clusters; 0 is unlimited"`
	ExpiresAt      time.Time `json:"expiresAt,omitzero" required:"false" doc:"nothing more is booked from then on; never when left out"`
}

func (a *api) pool() {
	m := a.manager
	addResource(a, withEntries(resource[ecp.Pool]{
		path: "/api/v1/pool", one: "Pool", word: "pool of what all clusters together may use, and what is booked",
		get: func(ctx context.Context, _ string) (ecp.Pool, error) { return m.Pool(ctx) },
	}, catalogEntry[ecp.Pool, poolEntry]{
		revision: func(p *ecp.Pool) *int64 { return &p.Revision },
		form: func(p ecp.Pool) poolEntry {
			return poolEntry{p.Connections, p.LargestCluster, p.Clusters, p.ExpiresAt}
		},
		entry: func(b poolEntry, p ecp.Pool) ecp.Pool {
			p.Connections, p.LargestCluster, p.Clusters = b.Connections, b.LargestCluster, b.Clusters
			p.ExpiresAt = b.ExpiresAt
			return p
		},
		update: func(ctx context.Context, p ecp.Pool, _ *ecp.Secret) (ecp.Pool, error) {
			return m.Catalog.UpdatePool(ctx, p)
		},
	}))
}
