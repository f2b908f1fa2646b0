package ecp

// EMQXVersion returns the EMQX version that a record tells of: that of the image, or
// what agents have reported last. It is empty where no agent has.
func (r ClusterRecord) EMQXVersion() string {
	if r.Mode == Adopted {
		return r.Status.Version
	}
	return r.Resolved.Image.Version
}
