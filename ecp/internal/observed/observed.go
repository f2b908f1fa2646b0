package observed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// Config is what [Clusters] works with. Its maps may still be filled before the first use.
type Config struct {
	Store        ecp.Store
	Changes      *change.Writer
	Catalog      *catalog.Catalog
	Provisioners map[string]ecp.Provisioner          // by target
	Added        func(target string) ecp.Provisioner // of targets that were added at run time
	Adapters     map[int]ecp.Adapter                 // by major version
	Link         ecp.Link                            // nil means that no agents can connect
	AgentAddress string                              // that agents dial; empty means that none is configured
	Sealer       ecp.Sealer                          // nil means that no key is configured
	Log          *slog.Logger
	Now          func() time.Time
	Tick         func() time.Time // the monotonic clock
	Timings      ecp.Timings
}

// Clusters is what is known of clusters beyond their records: what was last observed of
// each, and the ways to their brokers.
type Clusters struct {
	Config
	Queries  sched.BrokerLimiter // bounds the questions of users to brokers
	Counters Counters
	index    listIndex

	mu             sync.Mutex
	memories       map[ecp.ID]*Memory // guarded by mu
	secretsChanged map[ecp.ID]bool    // clusters to be applied for that alone; guarded by mu
	licenseChanged map[ecp.ID]bool    // clusters whose EMQX was not given the new license yet; guarded by mu
}

// Counters count what was done since the process began.
type Counters struct{ Passes, Applies, ApplyFailures, Writes, Queries, Unanswered atomic.Uint64 }

// New returns Clusters of which nothing was observed yet.
func New(c Config) *Clusters {
	return &Clusters{
		Config: c, index: newListIndex(),
		memories: map[ecp.ID]*Memory{}, secretsChanged: map[ecp.ID]bool{}, licenseChanged: map[ecp.ID]bool{},
	}
}

// LogFailure logs what a pass over a cluster could not do, unless the program is ending.
func (m *Clusters) LogFailure(ctx context.Context, doing string, id ecp.ID, err error) {
	if ctx.Err() != nil || errors.Is(err, ecp.ErrLostOwnership) {
		return
	}
	m.Log.WarnContext(ctx, "pass did not succeed", "doing", doing, "cluster", id, ecp.ErrorAttr(err))
}
