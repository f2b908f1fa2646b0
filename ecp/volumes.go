package ecp

// VolumeInfo is the volume of one node: how large it is, and is to be.
type VolumeInfo struct {
	Ordinal  int    `json:"ordinal"`
	Name     string `json:"name"`     // of the claim
	Capacity string `json:"capacity"` // as the platform tells, e.g. "10Gi"; "" = it does not, or there is none yet
	Wanted   string `json:"wanted"`   // by the cluster's size; a volume that is larger stays so
	// Pending says why it is smaller than wanted; "" = it is not, or nobody said.
	Pending string `json:"pending"`
}

// LargerThan reports whether the volume is larger than one of a size, e.g.
// "10Gi"; false where either is no quantity.
func (s Storage) LargerThan(size string) bool {
	a, ok := ParseQuantity(s.Size)
	b, known := ParseQuantity(size)
	return ok && known && a > b
}
