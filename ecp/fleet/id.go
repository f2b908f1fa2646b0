package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
)

// newID draws a random id; whoever stores it checks that it is new.
func newID() ecp.ID { return ecp.ID("emqx-" + random.RandomHex(4)) }

func newOperationID() ecp.OperationID { return ecp.OperationID("op-" + random.RandomHex(8)) }
