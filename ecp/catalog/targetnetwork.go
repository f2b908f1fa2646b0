package catalog

import (
	"strings"

	"github.com/openecp/openecp/ecp"
)

// movedFrom names the fields that make up the names and the way of nodes and that
// differ from those of another network; empty means none.
func movedFrom(n ecp.TargetNetwork, old ecp.TargetNetwork) string {
	var fields []string
	if n.WithDefaults().ClusterDomain != old.WithDefaults().ClusterDomain {
		fields = append(fields, "clusterDomain")
	}
	if n.IPFamily != old.IPFamily {
		fields = append(fields, "ipFamily")
	}
	return strings.Join(fields, " and ")
}
