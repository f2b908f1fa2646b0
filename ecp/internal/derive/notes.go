package derive

import (
	"github.com/openecp/openecp/ecp"
)

// Rolled says that a change replaces nodes.
func Rolled(before, after ecp.ClusterRecord) bool {
	if after.Restarts != before.Restarts {
		return true
	}
	for _, field := range Differing(before.Spec, after.Spec) {
		if Rolls[field] {
			return true
		}
	}
	return false
}
