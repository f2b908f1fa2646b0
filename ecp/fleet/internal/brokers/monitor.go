package brokers

import (
	"context"
	"sync"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Brokers is what the Manager says to the brokers of hosted clusters while it works on them.
type Brokers struct {
	Observed *observed.Clusters
	Probes   sync.WaitGroup // clients that ask whether MQTT is served; waited for after all passes
	// bound ends a context when the lease on a target is lost.
	Wake      func(ecp.ID)
	WithLease func(ctx context.Context, target string, p ecp.Provisioner) (context.Context, context.CancelFunc, error)
}
