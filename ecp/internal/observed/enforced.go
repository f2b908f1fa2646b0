package observed

import (
	"github.com/openecp/openecp/ecp"
)

// Enforced is how many connections a hosted cluster can have, and who sees to
// that. licensed is what the broker says that its license allows; 0 = it does not
// say. runs: nodes were seen that take clients.
func Enforced(rec ecp.ClusterRecord, licensed int, runs bool) (limit int, by string) {
	limit, by = rec.Spec.Connections(), ecp.EnforcedByNone
	if !runs || rec.Mode != ecp.Hosted {
		return limit, by
	}
	made := rec.Resolved.Connections // what listeners have, until nodes are made anew
	if made == 0 {
		made = limit
	}
	if made <= limit {
		by = ecp.EnforcedByListeners
	}
	if licensed > 0 && licensed <= limit {
		limit, by = licensed, ecp.EnforcedByLicense
	}
	return limit, by
}

// licensed is how many connections the broker says that its license allows.
func licensed(described []ecp.Description) int {
	for _, d := range described {
		if d.Limit > 0 {
			return d.Limit
		}
	}
	return 0
}
