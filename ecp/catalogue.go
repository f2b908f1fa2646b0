package ecp

import (
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
	Revision      int64    `json:"revision,omitempty"` // grows with every change; the ETag. 0 in what a cluster was made with
}

// Size is an entry of the size catalogue: what one node of a cluster gets.
type Size struct {
	Name     string   `json:"name"` // e.g. "2C4G"; what HostedSpec.Size names
	CPU      Resource `json:"cpu"`
	Memory   Resource `json:"memory"`
	Storage  Storage  `json:"storage"`
	Default  bool     `json:"default"`            // taken when a spec names none
	Revision int64    `json:"revision,omitempty"` // as of an Image
}

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

// DefaultImages is the image catalogue of a fresh installation.
func DefaultImages() []Image {
	return []Image{
		{ID: "emqx-ee-4.4.19", Reference: "emqx/emqx-ee:4.4.19", Version: "4.4.19"},
		{ID: "emqx-ee-4.4.24", Reference: "emqx/emqx-ee:4.4.24", Version: "4.4.24"},
		{ID: "emqx-ee-5.8.9", Reference: "emqx/emqx-enterprise:5.8.9", Version: "5.8.9", Default: true},
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
