package ecp

// Quiet reports whether the write that made r of the record before it changed
// nothing that is shown of a cluster: notes of the Manager for itself only.
func (r ClusterRecord) Quiet() bool { return r.Status.QuietAt != 0 && r.Status.QuietAt == r.Revision }
