package catalog

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

var (
	slugForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
	sizeNameForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	referenceForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

func validateSlug(p *fault.Fields, field, value string) {
	if !slugForm.MatchString(value) {
		p.Add(field, `is not of 1 to 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends`)
	}
}

var images = &shelf[ecp.Image]{
	kind: ecp.KindImage, what: "image", id: "id", read: ecp.RightCatalog,
	key: func(i ecp.Image) string { return i.ID }, rev: func(i *ecp.Image) *int64 { return &i.Revision }, dflt: func(i *ecp.Image) *bool { return &i.Default },
	check: func(p *fault.Fields, i *ecp.Image) {
		validateSlug(p, "id", i.ID)
		if len(i.Reference) > 255 || !referenceForm.MatchString(i.Reference) {
			p.Add("reference", `is not what Kubernetes can pull, such as "registry.example.com/emqx/emqx-enterprise:5.8.9"`)
		}
		if why := wrongImageVersion(i.Version, i.Reference); why != "" {
			p.Add("version", "%s", why)
		}
		ValidateArchitectures(p, i.Architectures)
	},
	uses: func(tx ecp.Tx, i ecp.Image) ([]change.Use, error) {
		u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Image == i.ID })
		return []change.Use{u}, err
	},
}

// Images lists the image catalogue.
func (c *Catalog) Images(ctx context.Context) ([]ecp.Image, error) { return images.List(ctx, c) }

// Image gives an image by its id.
func (c *Catalog) Image(ctx context.Context, id string) (ecp.Image, error) {
	return images.get(ctx, c, id)
}

// CreateImage adds an image to the catalogue.
func (c *Catalog) CreateImage(ctx context.Context, i ecp.Image) (ecp.Image, error) {
	return images.create(ctx, c, i, "")
}

// UpdateImage replaces an image of the catalogue; its revision is the one that
// was read, 0 = whatever. List keep the image they were made with.
func (c *Catalog) UpdateImage(ctx context.Context, i ecp.Image) (ecp.Image, error) {
	return images.update(ctx, c, i, nil)
}

// DeleteImage removes an image that no cluster's spec names.
func (c *Catalog) DeleteImage(ctx context.Context, id string, ifRevision int64) error {
	return images.delete(ctx, c, id, ifRevision)
}

var sizes = &shelf[ecp.Size]{
	kind: ecp.KindSize, what: "size", id: "name", read: ecp.RightCatalog,
	key: func(s ecp.Size) string { return s.Name }, rev: func(s *ecp.Size) *int64 { return &s.Revision }, dflt: func(s *ecp.Size) *bool { return &s.Default },
	check: func(p *fault.Fields, s *ecp.Size) {
		if !sizeNameForm.MatchString(s.Name) {
			p.Add("name", `is not of 1 to 63 letters, digits, "-", "_" and "."`)
		}
		validateResource(p, "cpu", s.CPU)
		validateResource(p, "memory", s.Memory)
		validateBytes(p, "memory.request", s.Memory.Request, 1)
		validateBytes(p, "memory.limit", s.Memory.Limit, leastMemory)
		if q, ok := ecp.ParseQuantity(s.Storage.Size); !ok || q <= 0 {
			p.Add("storage.size", `is %q; a quantity such as "10Gi" is wanted`, s.Storage.Size)
		}
		validateBytes(p, "storage.size", s.Storage.Size, leastStorage)
		if s.Storage.Class != "" && !validate.IsDNSSubdomain(s.Storage.Class) {
			p.Add("storage.class", "is %q, which is not the name of a storage class", s.Storage.Class)
		}
	},
	uses: func(tx ecp.Tx, s ecp.Size) ([]change.Use, error) {
		u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Size == s.Name })
		return []change.Use{u}, err
	},
}

// Sizes lists the size catalogue.
func (c *Catalog) Sizes(ctx context.Context) ([]ecp.Size, error) { return sizes.List(ctx, c) }

// Size gives a size by its name.
func (c *Catalog) Size(ctx context.Context, name string) (ecp.Size, error) {
	return sizes.get(ctx, c, name)
}

// CreateSize adds a size to the catalogue.
func (c *Catalog) CreateSize(ctx context.Context, s ecp.Size) (ecp.Size, error) {
	return sizes.create(ctx, c, s, "")
}

// UpdateSize replaces a size of the catalogue; its revision is the one that
// was read, 0 = whatever. List keep the size they were made with.
func (c *Catalog) UpdateSize(ctx context.Context, s ecp.Size) (ecp.Size, error) {
	return sizes.update(ctx, c, s, nil)
}

// DeleteSize removes a size that no cluster's spec names.
func (c *Catalog) DeleteSize(ctx context.Context, name string, ifRevision int64) error {
	return sizes.delete(ctx, c, name, ifRevision)
}

func validateResource(p *fault.Fields, field string, r ecp.Resource) {
	request, ok := ecp.ParseQuantity(r.Request)
	if !ok || request <= 0 {
		p.Add(field+".request", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Request)
	}
	limit, fine := ecp.ParseQuantity(r.Limit)
	if !fine || limit <= 0 {
		p.Add(field+".limit", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Limit)
	}
	if ok && fine && limit < request {
		p.Add(field+".limit", "is less than the request")
	}
}

// The least that EMQX starts with, in bytes: below it the kernel ends the
// process while it boots, or its database does not fit. What a load takes is
// much more.
const (
	leastMemory  = 256 << 20
	leastStorage = 64 << 20
)

// validateBytes refuses an amount that is no whole number of bytes, which is
// always a slip of the unit ("512m" is half a byte), and one that is less than
// the least. What is no quantity has been refused before.
func validateBytes(p *fault.Fields, field, amount string, least float64) {
	q, ok := ecp.ParseQuantity(amount)
	switch {
	case !ok || q <= 0:
	case strings.HasSuffix(amount, "m"):
		p.Add(field, `is %q, which is thousandths of a byte; Mi and M are the units of megabytes, e.g. "512Mi"`, amount)
	case q < least || q != math.Trunc(q):
		p.Add(field, `is %q; whole bytes are wanted, at least %.0f: EMQX does not start with less`, amount, least)
	}
}

// dockerHub is the host of references that name none.
const dockerHub = "docker.io"

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// Registries is the catalogue of container registries.
var Registries = &shelf[ecp.Registry]{
	kind: ecp.KindRegistry, what: "registry", id: "name", read: ecp.RightAdmin, Secret: "password",
	key: func(r ecp.Registry) string { return r.Name }, rev: func(r *ecp.Registry) *int64 { return &r.Revision },
	set: func(r *ecp.Registry, set bool) { r.PasswordSet = set },
	check: func(p *fault.Fields, r *ecp.Registry) {
		validateSlug(p, "name", r.Name)
		if len(r.Host) > 253 || !hostForm.MatchString(r.Host) {
			p.Add("host", `is %q; a host with or without port is wanted, such as "registry.example.com:5000"`, r.Host)
		}
		if r.User == "" || len(r.User) > 255 || strings.ContainsAny(r.User, ":\n\r\x00") {
			p.Add("user", "is missing, too long, or has a colon or a line break")
		}
	},
	prepare: func(w *change.Tx, old, r *ecp.Registry) error {
		if old != nil {
			r.PasswordSet = old.PasswordSet
		}
		for other, err := range ecp.List[ecp.Registry](w.Tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if other.Host == r.Host && other.Name != r.Name {
				return &ecp.Error{Code: ecp.CodeExists, Message: "the host is taken", Fields: []ecp.FieldError{{Field: "host", Message: fmt.Sprintf("the registry %q is that of this host already", other.Name)}}}
			}
		}
		return nil
	},
	uses: func(tx ecp.Tx, r ecp.Registry) ([]change.Use, error) {
		clusters, err := ClustersThat(tx, func(c ecp.ClusterRecord) bool { return c.Resolved.Registry == r.Name })
		if err != nil {
			return nil, err
		}
		of, err := change.UsesOf(tx, "image", ecp.Query{}, func(i ecp.Image) (string, bool) { return i.ID, imageHost(i) == r.Host })
		return []change.Use{of, clusters}, err
	},
}

// imageHost is the registry an image is pulled from.
func imageHost(i ecp.Image) string {
	host, _, ok := strings.Cut(i.Reference, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return dockerHub
	}
	return host
}

// Registries lists the registries; passwords are not shown.
func (c *Catalog) Registries(ctx context.Context) ([]ecp.Registry, error) {
	return Registries.List(ctx, c)
}

// Registry gives a registry by its name; the password is not shown.
func (c *Catalog) Registry(ctx context.Context, name string) (ecp.Registry, error) {
	return Registries.get(ctx, c, name)
}

// CreateRegistry adds a registry; its password is stored encrypted.
func (c *Catalog) CreateRegistry(ctx context.Context, r ecp.Registry, password ecp.Secret) (ecp.Registry, error) {
	return Registries.create(ctx, c, r, password)
}

// UpdateRegistry replaces a registry; its revision is the one that was read,
// 0 = whatever. password nil = it stays, "" = it is forgotten. List that use
// it get what it is now at once; no node is replaced for it.
func (c *Catalog) UpdateRegistry(ctx context.Context, r ecp.Registry, password *ecp.Secret) (ecp.Registry, error) {
	out, err := Registries.update(ctx, c, r, password)
	if err == nil && c.hooks.RegistryChanged != nil {
		c.hooks.RegistryChanged(ctx, r.Name)
	}
	return out, err
}

// DeleteRegistry removes a registry that no image and no cluster uses.
func (c *Catalog) DeleteRegistry(ctx context.Context, name string, ifRevision int64) error {
	return Registries.delete(ctx, c, name, ifRevision)
}

// RegistryOf finds the registry an image is pulled from; "" if it is none of
// the catalogue's.
func RegistryOf(tx ecp.Tx, i ecp.Image) (string, error) {
	for r, err := range ecp.List[ecp.Registry](tx, ecp.Query{}) {
		if err != nil {
			return "", err
		}
		if r.Host == imageHost(i) {
			return r.Name, nil
		}
	}
	return "", nil
}

// UpdatePool changes what all clusters together may use: the limits and the
// expiry of p; what is booked is the ledger's. p's revision is the one that
// was read, 0 = whatever. No limit goes below what is booked.
func (c *Catalog) UpdatePool(ctx context.Context, p ecp.Pool) (ecp.Pool, error) {
	q := change.Request{Op: "change pool", Action: "update", Kind: ecp.KindPool, Key: ecp.PoolKey, Asked: p}
	return change.Submit(ctx, c.changes, q, func(w *change.Tx) (ecp.Pool, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return ecp.Pool{}, err
		}
		old, _, err := ecp.Get[ecp.Pool](w.Tx, ecp.PoolKey)
		if err != nil {
			return ecp.Pool{}, err
		}
		old = ShownPool(old)
		if err := change.CheckRevision(p.Revision, old.Revision); err != nil {
			return ecp.Pool{}, err
		}
		largest, err := largestCluster(w.Tx)
		if err != nil {
			return ecp.Pool{}, err
		}
		if err := checkPool(p, old, largest); err != nil {
			return ecp.Pool{}, err
		}
		next := old
		next.Connections, next.LargestCluster, next.Clusters, next.ExpiresAt = p.Connections, p.LargestCluster, p.Clusters, p.ExpiresAt
		if same(old, next) {
			return old, nil
		}
		next.Revision++
		w.Note(ecp.PoolKey, "", old, next)
		return next, ecp.Put(w.Tx, next, ecp.AnyVersion)
	})
}

func largestCluster(tx ecp.Tx) (int, error) {
	largest := 0
	for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
		if err != nil {
			return 0, err
		}
		largest = max(largest, r.Booked())
	}
	return largest, nil
}

// checkPool says what is wrong with new limits.
func checkPool(p ecp.Pool, used ecp.Pool, largest int) error {
	var wrong, below fault.Fields
	for _, limit := range []struct {
		field    string
		is, used int
		what     string
	}{
		{"connections", p.Connections, used.UsedConnections, "connections are booked"},
		{"largestCluster", p.LargestCluster, largest, "are booked by the largest cluster"},
		{"clusters", p.Clusters, used.UsedClusters, "clusters are there"},
	} {
		switch {
		case limit.is < 0:
			wrong.Add(limit.field, "is %d; 0 means without a limit, else a number above 0 is wanted", limit.is)
		case limit.is > 0 && limit.is < limit.used:
			below.Add(limit.field, "is %d; %d %s", limit.is, limit.used, limit.what)
		}
	}
	if err := wrong.Err(""); err != nil || len(below) == 0 {
		return err
	}
	return &ecp.Error{Code: ecp.CodeConflict, Message: "a limit cannot go below what is used; make clusters smaller or delete some first", Fields: below}
}

// ShownPool gives the pool of an earlier build its first revision.
func ShownPool(p ecp.Pool) ecp.Pool {
	p.Revision = max(p.Revision, 1)
	return p
}
