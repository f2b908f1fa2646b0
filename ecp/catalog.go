package ecp

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Image is an entry of the image catalogue.
type Image struct {
	ID        string `json:"id"`        // slug, e.g. "emqx-ee-4.4.24"; what HostedSpec.Image names
	Reference string `json:"reference"` // what Kubernetes pulls, e.g. "emqx/emqx-ee:4.4.24"
	Version   string `json:"version"`   // EMQX version, e.g. "4.4.24"
	Default   bool   `json:"default"`   // taken when a spec names none
	// Architectures are those the image is made for, in Kubernetes' words, such as
	// "amd64": nodes are placed on such machines only. Empty means that it is not
	// said, and any machine is taken.
	Architectures []string `json:"architectures,omitempty"`
	// Unverified means that OpenECP was not run on a real EMQX of this version yet, as
	// [Version.Unverified] says. The catalogue sets it; such an image is never the default.
	Unverified bool `json:"unverified,omitempty"`
	// Revision: grows with every change; the ETag. 0 in what a cluster was made with
	Revision int64 `json:"revision,omitempty"`
}

// Describe implements [Payload].
func (i Image) Describe() (Kind, string, Index) { return KindImage, i.ID, Index{} }

// Copy returns i itself: it holds no reference.
func (i Image) Copy() Payload { return i }

// Size is an entry of the size catalogue: what one node of a cluster gets.
type Size struct {
	Name     string   `json:"name"` // e.g. "2C4G"; what HostedSpec.Size names
	CPU      Resource `json:"cpu"`
	Memory   Resource `json:"memory"`
	Storage  Storage  `json:"storage"`
	Default  bool     `json:"default"`            // taken when a spec names none
	Revision int64    `json:"revision,omitempty"` // as of an Image
}

// Describe implements [Payload].
func (s Size) Describe() (Kind, string, Index) { return KindSize, s.Name, Index{} }

// Copy returns s itself: it holds no reference.
func (s Size) Copy() Payload { return s }

// Resource is a Kubernetes resource: quantities such as "500m" or "4Gi".
type Resource struct {
	Request string `json:"request"`
	Limit   string `json:"limit"`
}

// Storage is the volume of one node.
type Storage struct {
	Class string `json:"class,omitempty"` // storage class; "" = the Kubernetes cluster's default
	Size  string `json:"size"`            // quantity, e.g. "10Gi"
}

var quantityForm = regexp.MustCompile(`^([0-9]{1,15})(\.[0-9]{1,9})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$`)

// quantityUnits are Kubernetes' suffixes.
var quantityUnits = map[string]float64{
	"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
}

// ParseQuantity reads a Kubernetes quantity, without exponents.
func ParseQuantity(s string) (float64, bool) {
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

// Describe returns kind, key and index: hosts are unique.
func (r Registry) Describe() (Kind, string, Index) { return KindRegistry, r.Name, Index{Name: r.Host} }

// Copy returns r itself: it holds no reference.
func (r Registry) Copy() Payload { return r }

// LicenseFormat is which EMQX a license is for.
type LicenseFormat string

// The formats.
const (
	LicenseV4 LicenseFormat = "v4" // the text of a license file
	LicenseV5 LicenseFormat = "v5" // a key
)

// License is an EMQX license. Its content is stored encrypted; what is shown of
// it is what could be read from it.
type License struct {
	Name       string        `json:"name"` // slug; never changes
	Format     LicenseFormat `json:"format"`
	Default    bool          `json:"default"`            // taken for new clusters; one for each format
	ContentSet bool          `json:"contentSet"`         //
	Customer   string        `json:"customer,omitempty"` // "" = not known
	Type       string        `json:"type,omitempty"`     // EMQX' customer type in words; "" = not known
	Limit      int           `json:"limit,omitempty"`    // connections or sessions it allows; 0 = not known
	ExpiresAt  time.Time     `json:"expiresAt,omitzero"` // zero = not known
	Revision   int64         `json:"revision"`           // grows with every change; the ETag
}

// Describe implements [Payload].
func (l License) Describe() (Kind, string, Index) { return KindLicense, l.Name, Index{} }

// Copy returns l itself: it holds no reference.
func (l License) Copy() Payload { return l }

// Certificate is a TLS certificate for listeners of hosted clusters. Its private key is
// stored encrypted. All else is what the chain says, and is for everybody to see: EMQX sends
// it to each client.
type Certificate struct {
	Name string `json:"name"` // slug; never changes
	// Chain is in PEM: the server's own certificate first, then that of each issuer.
	Chain  string `json:"chain"`
	KeySet bool   `json:"keySet"`

	Subjects    []string  `json:"subjects"` // of each certificate of the chain, in its order
	Issuer      string    `json:"issuer"`   // of the last one
	DNSNames    []string  `json:"dnsNames"`
	IPAddresses []string  `json:"ipAddresses"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`  // when the first of the chain ends
	SHA256      string    `json:"sha256"`    // fingerprint of the server's own certificate, in hex
	KeySHA256   string    `json:"keySha256"` // of its public key, as in certificate pins
	Revision    int64     `json:"revision"`  // grows with every change; the ETag
}

// Describe implements [Payload].
func (c Certificate) Describe() (Kind, string, Index) { return KindCertificate, c.Name, Index{} }

// Copy returns a value that shares nothing with c.
func (c Certificate) Copy() Payload {
	c.Subjects, c.DNSNames, c.IPAddresses = slices.Clone(c.Subjects), slices.Clone(c.DNSNames),
		slices.Clone(c.IPAddresses)
	return c
}

// LBProfile has the annotations that load balancers of clusters in a range of
// connections get, e.g. the class of machine a cloud makes them of. Where ranges
// overlap the oldest profile wins.
type LBProfile struct {
	Name           string            `json:"name"`           // slug; never changes
	MinConnections int               `json:"minConnections"` // at least as many are booked
	MaxConnections int               `json:"maxConnections"` // at most as many; 0 = without end
	Annotations    map[string]string `json:"annotations"`    // put on the access Service; the cluster's own win
	CreatedAt      time.Time         `json:"createdAt"`
	Revision       int64             `json:"revision"` // grows with every change; the ETag
}

// Describe implements [Payload].
func (l LBProfile) Describe() (Kind, string, Index) { return KindLBProfile, l.Name, Index{} }

// Copy returns a value that shares nothing with l.
func (l LBProfile) Copy() Payload {
	l.Annotations = maps.Clone(l.Annotations)
	return l
}

// Pool is what all clusters together may use, and what they have booked. It
// is one record: the row every reservation goes through.
type Pool struct {
	Connections    int `json:"connections"`    // MQTT connections in all; 0 = unlimited
	LargestCluster int `json:"largestCluster"` // most connections one cluster may book; 0 = unlimited
	Clusters       int `json:"clusters"`       // number of clusters; 0 = unlimited

	UsedConnections int `json:"usedConnections"` // sum over all clusters; kept by the ledger
	UsedClusters    int `json:"usedClusters"`

	ExpiresAt time.Time `json:"expiresAt,omitzero"` // nothing more is booked from then on; zero = never
	Revision  int64     `json:"revision,omitempty"` // grows when limits or expiry change; the ETag
}

// Describe implements [Payload].
func (p Pool) Describe() (Kind, string, Index) { return KindPool, PoolKey, Index{} }

// Copy returns p itself: it holds no reference.
func (p Pool) Copy() Payload { return p }

// DefaultImages is the image catalogue of a fresh installation. The tag of 6.x is that of
// EMQX's own chart (deploy/charts/emqx-enterprise of github.com/emqx/emqx at 6.2.2).
func DefaultImages() []Image {
	return []Image{
		{ID: "emqx-ee-4.4.19", Reference: "emqx/emqx-ee:4.4.19", Version: "4.4.19"},
		{ID: "emqx-ee-4.4.24", Reference: "emqx/emqx-ee:4.4.24", Version: "4.4.24"},
		{ID: "emqx-ee-5.8.9", Reference: "emqx/emqx-enterprise:5.8.9", Version: "5.8.9", Default: true},
		{ID: "emqx-ee-6.2.2", Reference: "emqx/emqx-enterprise:6.2.2", Version: "6.2.2", Unverified: true},
	}
}

// DefaultSizes is the size catalogue of a fresh installation.
func DefaultSizes() []Size {
	size := func(name, cpu, memory, storage string, dflt bool) Size {
		return Size{
			Name: name, CPU: Resource{Request: cpu, Limit: cpu}, Memory: Resource{Request: memory, Limit: memory},
			Storage: Storage{Size: storage}, Default: dflt,
		}
	}
	return []Size{
		size("1C1G", "1", "1Gi", "10Gi", true),
		size("2C4G", "2", "4Gi", "20Gi", false),
		size("4C8G", "4", "8Gi", "40Gi", false),
	}
}

// DefaultPool is the pool of a fresh installation: a million connections, a
// hundred thousand of them for one cluster, a thousand clusters.
func DefaultPool() Pool {
	return Pool{Connections: 1_000_000, LargestCluster: 100_000, Clusters: 1_000}
}
