package ecp

// ReasonForeignMember means that EMQX has members that are no nodes of the cluster.
const ReasonForeignMember Reason = "ForeignMember"

// ForeignMember is a member of an EMQX cluster that is no node of ours: what
// somebody's own scaling has left behind, or a broker that was joined by hand.
type ForeignMember struct {
	Name string `json:"name"` // EMQX node name
	// Running is false where EMQX reports it as stopped. One that may run is
	// left alone: it would lose its clients and its data.
	Running bool `json:"running"`
}

// HasForeign reports whether members that are no nodes were seen when the cluster was
// last looked at.
func HasForeign(st Status) bool {
	return ConditionOf(st.Conditions, CondHealthy).Reason == ReasonForeignMember
}
