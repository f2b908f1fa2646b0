package derive

import (
	"github.com/openecp/openecp/ecp"
)

// Unjoined are the reasons of states in which a repair would only wait for nodes
// to count one another.
var Unjoined = map[ecp.Reason]bool{ecp.ReasonPartitioned: true, ecp.ReasonMemberMissing: true, ecp.ReasonSyncFailed: true}
