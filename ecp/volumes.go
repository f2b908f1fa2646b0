package ecp

import (
	"cmp"
	"fmt"
)

// VolumeInfo is the volume of one node: how large it is, and is to be.
type VolumeInfo struct {
	Ordinal  int    `json:"ordinal"`
	Name     string `json:"name"`     // of the claim
	Capacity string `json:"capacity"` // as the platform tells, e.g. "10Gi"; "" = it does not, or there is none yet
	Wanted   string `json:"wanted"`   // by the cluster's size; a volume that is larger stays so
	// Pending says why it is smaller than wanted; "" = it is not, or nobody said.
	Pending string `json:"pending"`
}

// volumesOf are the volumes of a cluster, as last seen.
func volumesOf(rec ClusterRecord, found Observation) []VolumeInfo {
	var out []VolumeInfo
	for _, v := range found.Volumes {
		if !v.Going {
			out = append(out, VolumeInfo{Ordinal: v.Ordinal, Name: v.Name, Capacity: v.Capacity, Wanted: rec.Resolved.Size.Storage.Size, Pending: v.Pending})
		}
	}
	return out
}

// smallVolumes names the volumes that are smaller than wanted, and why; "" =
// there is none.
func (v view) smallVolumes() string {
	var parts []string
	for _, c := range v.look.Found.Volumes {
		if c.Pending != "" && !c.Going {
			parts = append(parts, "the volume "+c.Name+": "+c.Pending)
		}
	}
	return joinCauses(parts...)
}

// volumeNotes say in a plan what becomes of volumes when the size is another.
func volumeNotes(was ClusterRecord, d decision) []string {
	from, to := was.Resolved.Size.Storage.Size, d.rec.Resolved.Size.Storage.Size
	a, ok := quantity(from)
	b, known := quantity(to)
	switch {
	case d.nothing || !ok || !known || a == b:
		return nil
	case a < b:
		return []string{fmt.Sprintf("volumes grow from %s to %s, each while its node runs or when it starts, as the storage class has it; those of nodes that come later are made as the first ones were, and grown then", from, to)}
	}
	return []string{fmt.Sprintf("volumes stay as large as they are: none becomes smaller (%s would do)", to)}
}

// mayStore refuses a size that keeps its volumes in another storage class than
// the cluster's are in: no volume moves. Where one of both is the platform's
// default, only the platform knows.
func mayStore(wrong *problems, s HostedSpec, was, is Size) {
	from, to := cmp.Or(s.Storage, was.Storage.Class), cmp.Or(s.Storage, is.Storage.Class)
	if from != "" && to != "" && from != to {
		wrong.add("spec.size", "is %q, whose volumes are of the storage class %q; those of this cluster are of %q, and no volume changes its class: take a size of that class, or make a new cluster", is.Name, to, from)
	}
}

// LargerThan reports whether the volume is larger than one of a size, e.g.
// "10Gi"; false where either is no quantity.
func (s Storage) LargerThan(size string) bool {
	a, ok := quantity(s.Size)
	b, known := quantity(size)
	return ok && known && a > b
}
