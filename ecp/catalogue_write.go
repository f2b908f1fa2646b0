package ecp

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var (
	slugForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
	sizeNameForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	referenceForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

func validateSlug(p *problems, field, value string) {
	if !slugForm.MatchString(value) {
		p.add(field, `is not of 1 to 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends`)
	}
}

var images = &shelf[Image]{
	kind: KindImage, what: "image", id: "id", read: RightCatalog,
	key: func(i Image) string { return i.ID }, rev: func(i *Image) *int64 { return &i.Revision }, dflt: func(i *Image) *bool { return &i.Default },
	check: func(p *problems, i *Image) {
		validateSlug(p, "id", i.ID)
		if len(i.Reference) > 255 || !referenceForm.MatchString(i.Reference) {
			p.add("reference", `is not what Kubernetes can pull, such as "registry.example.com/emqx/emqx-enterprise:5.8.9"`)
		}
		if why := wrongImageVersion(i.Version, i.Reference); why != "" {
			p.add("version", "%s", why)
		}
		validateArchitectures(p, i.Architectures)
	},
	uses: func(tx Tx, i Image) ([]use, error) {
		u, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Image == i.ID })
		return []use{u}, err
	},
}

// Images lists the image catalogue.
func (c *Catalog) Images(ctx context.Context) ([]Image, error) { return images.list(ctx, c) }

// Image gives an image by its id.
func (c *Catalog) Image(ctx context.Context, id string) (Image, error) { return images.get(ctx, c, id) }

// CreateImage adds an image to the catalogue.
func (c *Catalog) CreateImage(ctx context.Context, i Image) (Image, error) {
	return images.create(ctx, c, i, "")
}

// UpdateImage replaces an image of the catalogue; its revision is the one that
// was read, 0 = whatever. Clusters keep the image they were made with.
func (c *Catalog) UpdateImage(ctx context.Context, i Image) (Image, error) {
	return images.update(ctx, c, i, nil)
}

// DeleteImage removes an image that no cluster's spec names.
func (c *Catalog) DeleteImage(ctx context.Context, id string, ifRevision int64) error {
	return images.delete(ctx, c, id, ifRevision)
}

var sizes = &shelf[Size]{
	kind: KindSize, what: "size", id: "name", read: RightCatalog,
	key: func(s Size) string { return s.Name }, rev: func(s *Size) *int64 { return &s.Revision }, dflt: func(s *Size) *bool { return &s.Default },
	check: func(p *problems, s *Size) {
		if !sizeNameForm.MatchString(s.Name) {
			p.add("name", `is not of 1 to 63 letters, digits, "-", "_" and "."`)
		}
		validateResource(p, "cpu", s.CPU)
		validateResource(p, "memory", s.Memory)
		validateBytes(p, "memory.request", s.Memory.Request, 1)
		validateBytes(p, "memory.limit", s.Memory.Limit, leastMemory)
		if q, ok := quantity(s.Storage.Size); !ok || q <= 0 {
			p.add("storage.size", `is %q; a quantity such as "10Gi" is wanted`, s.Storage.Size)
		}
		validateBytes(p, "storage.size", s.Storage.Size, leastStorage)
		if s.Storage.Class != "" && !isSubdomain(s.Storage.Class) {
			p.add("storage.class", "is %q, which is not the name of a storage class", s.Storage.Class)
		}
	},
	uses: func(tx Tx, s Size) ([]use, error) {
		u, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Size == s.Name })
		return []use{u}, err
	},
}

// Sizes lists the size catalogue.
func (c *Catalog) Sizes(ctx context.Context) ([]Size, error) { return sizes.list(ctx, c) }

// Size gives a size by its name.
func (c *Catalog) Size(ctx context.Context, name string) (Size, error) {
	return sizes.get(ctx, c, name)
}

// CreateSize adds a size to the catalogue.
func (c *Catalog) CreateSize(ctx context.Context, s Size) (Size, error) {
	return sizes.create(ctx, c, s, "")
}

// UpdateSize replaces a size of the catalogue; its revision is the one that
// was read, 0 = whatever. Clusters keep the size they were made with.
func (c *Catalog) UpdateSize(ctx context.Context, s Size) (Size, error) {
	return sizes.update(ctx, c, s, nil)
}

// DeleteSize removes a size that no cluster's spec names.
func (c *Catalog) DeleteSize(ctx context.Context, name string, ifRevision int64) error {
	return sizes.delete(ctx, c, name, ifRevision)
}

func validateResource(p *problems, field string, r Resource) {
	request, ok := quantity(r.Request)
	if !ok || request <= 0 {
		p.add(field+".request", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Request)
	}
	limit, fine := quantity(r.Limit)
	if !fine || limit <= 0 {
		p.add(field+".limit", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Limit)
	}
	if ok && fine && limit < request {
		p.add(field+".limit", "is less than the request")
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
func validateBytes(p *problems, field, amount string, least float64) {
	q, ok := quantity(amount)
	switch {
	case !ok || q <= 0:
	case strings.HasSuffix(amount, "m"):
		p.add(field, `is %q, which is thousandths of a byte; Mi and M are the units of megabytes, e.g. "512Mi"`, amount)
	case q < least || q != math.Trunc(q):
		p.add(field, `is %q; whole bytes are wanted, at least %.0f: EMQX does not start with less`, amount, least)
	}
}

var quantityForm = regexp.MustCompile(`^([0-9]{1,15})(\.[0-9]{1,9})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$`)

// quantityUnits are Kubernetes' suffixes.
var quantityUnits = map[string]float64{
	"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
}

// quantity reads a Kubernetes quantity, without exponents.
func quantity(s string) (float64, bool) {
	parts := quantityForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(parts[1]+parts[2], 64)
	return n * quantityUnits[parts[3]], err == nil
}

// Registry is a place images are pulled from that wants a password.
type Registry struct {
	Name        string `json:"name"` // slug; never changes
	Host        string `json:"host"` // with port, as in image references; one registry for each
	User        string `json:"user"`
	PasswordSet bool   `json:"passwordSet"`
	Revision    int64  `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index: hosts are unique.
func (r Registry) Describe() (Kind, string, Index) { return KindRegistry, r.Name, Index{Name: r.Host} }

// Copy gives r itself: it holds no reference.
func (r Registry) Copy() Payload { return r }

// dockerHub is the host of references that name none.
const dockerHub = "docker.io"

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

var registries = &shelf[Registry]{
	kind: KindRegistry, what: "registry", id: "name", read: RightAdmin, secret: "password",
	key: func(r Registry) string { return r.Name }, rev: func(r *Registry) *int64 { return &r.Revision },
	set: func(r *Registry, set bool) { r.PasswordSet = set },
	check: func(p *problems, r *Registry) {
		validateSlug(p, "name", r.Name)
		if len(r.Host) > 253 || !hostForm.MatchString(r.Host) {
			p.add("host", `is %q; a host with or without port is wanted, such as "registry.example.com:5000"`, r.Host)
		}
		if r.User == "" || len(r.User) > 255 || strings.ContainsAny(r.User, ":\n\r\x00") {
			p.add("user", "is missing, too long, or has a colon or a line break")
		}
	},
	prepare: func(w *work, old, r *Registry) error {
		if old != nil {
			r.PasswordSet = old.PasswordSet
		}
		for other, err := range List[Registry](w.Tx, Query{}) {
			if err != nil {
				return err
			}
			if other.Host == r.Host && other.Name != r.Name {
				return &Error{Code: CodeExists, Message: "the host is taken", Fields: []FieldError{{"host", fmt.Sprintf("the registry %q is that of this host already", other.Name)}}}
			}
		}
		return nil
	},
	uses: func(tx Tx, r Registry) ([]use, error) {
		clusters, err := clustersThat(tx, func(c ClusterRecord) bool { return c.Resolved.Registry == r.Name })
		if err != nil {
			return nil, err
		}
		of, err := usesOf(tx, "image", Query{}, func(i Image) (string, bool) { return i.ID, imageHost(i) == r.Host })
		return []use{of, clusters}, err
	},
}

// imageHost is the registry an image is pulled from.
func imageHost(i Image) string {
	host, _, ok := strings.Cut(i.Reference, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return dockerHub
	}
	return host
}

// Registries lists the registries; passwords are not shown.
func (c *Catalog) Registries(ctx context.Context) ([]Registry, error) { return registries.list(ctx, c) }

// Registry gives a registry by its name; the password is not shown.
func (c *Catalog) Registry(ctx context.Context, name string) (Registry, error) {
	return registries.get(ctx, c, name)
}

// CreateRegistry adds a registry; its password is stored encrypted.
func (c *Catalog) CreateRegistry(ctx context.Context, r Registry, password Secret) (Registry, error) {
	return registries.create(ctx, c, r, password)
}

// UpdateRegistry replaces a registry; its revision is the one that was read,
// 0 = whatever. password nil = it stays, "" = it is forgotten. Clusters that use
// it get what it is now at once; no node is replaced for it.
func (c *Catalog) UpdateRegistry(ctx context.Context, r Registry, password *Secret) (Registry, error) {
	out, err := registries.update(ctx, c, r, password)
	if err == nil && c.hooks.RegistryChanged != nil {
		c.hooks.RegistryChanged(ctx, r.Name)
	}
	return out, err
}

// DeleteRegistry removes a registry that no image and no cluster uses.
func (c *Catalog) DeleteRegistry(ctx context.Context, name string, ifRevision int64) error {
	return registries.delete(ctx, c, name, ifRevision)
}

// registryOf finds the registry an image is pulled from; "" if it is none of
// the catalogue's.
func registryOf(tx Tx, i Image) (string, error) {
	for r, err := range List[Registry](tx, Query{}) {
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
func (c *Catalog) UpdatePool(ctx context.Context, p Pool) (Pool, error) {
	q := request{op: "change pool", action: "update", kind: KindPool, key: poolKey, asked: p}
	return submit(ctx, c.changes, q, func(w *work) (Pool, error) {
		if err := w.permit(RightAdmin, ""); err != nil {
			return Pool{}, err
		}
		old, _, err := Get[Pool](w.Tx, poolKey)
		if err != nil {
			return Pool{}, err
		}
		old = shownPool(old)
		if err := checkRevision(p.Revision, old.Revision); err != nil {
			return Pool{}, err
		}
		largest, err := largestCluster(w.Tx)
		if err != nil {
			return Pool{}, err
		}
		if err := checkPool(p, old, largest); err != nil {
			return Pool{}, err
		}
		next := old
		next.Connections, next.LargestCluster, next.Clusters, next.ExpiresAt = p.Connections, p.LargestCluster, p.Clusters, p.ExpiresAt
		if same(old, next) {
			return old, nil
		}
		next.Revision++
		w.note(poolKey, "", old, next)
		return next, Put(w.Tx, next, AnyVersion)
	})
}

func largestCluster(tx Tx) (int, error) {
	largest := 0
	for r, err := range List[ClusterRecord](tx, Query{}) {
		if err != nil {
			return 0, err
		}
		largest = max(largest, r.Booked())
	}
	return largest, nil
}

// checkPool says what is wrong with new limits.
func checkPool(p Pool, used Pool, largest int) error {
	var wrong, below problems
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
			wrong.add(limit.field, "is %d; 0 means without a limit, else a number above 0 is wanted", limit.is)
		case limit.is > 0 && limit.is < limit.used:
			below.add(limit.field, "is %d; %d %s", limit.is, limit.used, limit.what)
		}
	}
	if err := wrong.err(""); err != nil || len(below) == 0 {
		return err
	}
	return &Error{Code: CodeConflict, Message: "a limit cannot go below what is used; make clusters smaller or delete some first", Fields: below}
}

// shownPool gives the pool of an earlier build its first revision.
func shownPool(p Pool) Pool {
	p.Revision = max(p.Revision, 1)
	return p
}
