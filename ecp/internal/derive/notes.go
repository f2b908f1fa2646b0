package derive

import (
	"github.com/openecp/openecp/ecp"
)

// ReplacesNodes says that a change replaces nodes.
func ReplacesNodes(before, after ecp.ClusterRecord) bool {
	if after.Restarts != before.Restarts {
		return true
	}
	for _, field := range ChangedFields(before.Spec, after.Spec) {
		if RolledFields[field] {
			return true
		}
	}
	return false
}
