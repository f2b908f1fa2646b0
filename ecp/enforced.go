package ecp

// Who keeps a cluster to its number of connections.
const (
	EnforcedByLicence   = "licence"   // the broker's licence allows no more
	EnforcedByListeners = "listeners" // approximately: each listener of each node takes as many
	EnforcedByNone      = "none"      // nobody does, or it is not known: no node runs, or none has answered
)

// enforced is how many connections a hosted cluster can have, and who sees to
// that. licensed is what the broker says that its licence allows; 0 = it does not
// say. runs: nodes were seen that take clients.
func enforced(rec ClusterRecord, licensed int, runs bool) (limit int, by string) {
	limit, by = rec.Spec.Connections(), EnforcedByNone
	if !runs || rec.Mode != Hosted {
		return limit, by
	}
	made := rec.Resolved.Connections // what listeners have, until nodes are made anew
	if made == 0 {
		made = limit
	}
	if made <= limit {
		by = EnforcedByListeners
	}
	if licensed > 0 && licensed <= limit {
		limit, by = licensed, EnforcedByLicence
	}
	return limit, by
}

// licensed is how many connections the broker says that its licence allows.
func licensed(described []Description) int {
	for _, d := range described {
		if d.Limit > 0 {
			return d.Limit
		}
	}
	return 0
}
