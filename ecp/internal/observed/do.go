package observed

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// NoCluster says that there is no such cluster, or none that the actor may
// know of; cause tells the two apart for the audit.
func NoCluster(op string, id ecp.ID, cause error) error {
	return &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: fmt.Sprintf("there is no cluster %q", id), Cause: cause}
}
