package observed

import (
	"log/slog"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// List is what is known of clusters beyond their records: what was last seen of
// each, and the ways to their brokers.
type Clusters struct {
	Store        ecp.Store
	Changes      *change.Writer
	Catalog      *catalog.Catalog
	Provisioners map[string]ecp.Provisioner
	Added        func(target string) ecp.Provisioner // those of targets that were added at run time
	Adapters     map[int]ecp.Adapter                 // by major version
	Link         ecp.Link                            // nil = none
	AgentAddress string
	Sealer       ecp.Sealer
	Log          *slog.Logger
	Now          func() time.Time
	Tick         func() time.Time // the monotonic clock
	Timings      ecp.Timings
	Queries      sched.BrokerLimiter // of users' questions to brokers
	Counters     counters
	Index        listIndex // for lists

	Mu       sync.Mutex
	Memories map[ecp.ID]*Memory // what was seen, by cluster; guarded by mu
	// Changed are clusters whose secrets have changed since they were applied;
	// guarded by mu.
	Changed map[ecp.ID]bool
	// Relicensed are clusters whose license has changed and that EMQX has not been
	// given yet; guarded by mu.
	Relicensed map[ecp.ID]bool
}
