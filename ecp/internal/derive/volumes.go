package derive

import (
	"github.com/openecp/openecp/ecp"
)

// VolumesOf are the volumes of a cluster, as last seen.
func VolumesOf(rec ecp.ClusterRecord, found ecp.Observation) []ecp.VolumeInfo {
	var out []ecp.VolumeInfo
	for _, v := range found.Volumes {
		if !v.Terminating {
			out = append(out, ecp.VolumeInfo{Ordinal: v.Ordinal, Name: v.Name, Capacity: v.Capacity, Wanted: rec.Resolved.Size.Storage.Size, Pending: v.Pending})
		}
	}
	return out
}

// smallVolumes names the volumes that are smaller than wanted, and why; "" =
// there is none.
func (v View) smallVolumes() string {
	var parts []string
	for _, c := range v.Snapshot.Found.Volumes {
		if c.Pending != "" && !c.Terminating {
			parts = append(parts, "the volume "+c.Name+": "+c.Pending)
		}
	}
	return joinCauses(parts...)
}
