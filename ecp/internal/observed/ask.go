package observed

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

func RunningMembers(d ecp.Description) []derive.Member {
	var out []derive.Member
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			out = append(out, derive.Member{Name: n.Name, Version: n.Version})
		}
	}
	return out
}
