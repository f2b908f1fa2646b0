package adopt

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// What agents have kept of the time in which they were not heard is fetched when a
// report says that there is something new: nothing is asked of the others, and no stream
// stands open. A few agents are asked at once, and what they tell is stored in a few
// transactions, however many come back together.
const (
	historyFetchers = 8
	historyPatience = 20 * time.Second // for one agent
	historyBatch    = 200              // entries of one agent in one go
	historyAtOnce   = 64               // agents whose entries are stored in one transaction
	// historyEvery is what one agent may have stored in the long run, after a burst of
	// one batch: what is beyond waits with it, and what it then drops is a gap.
	historyEvery = 5 * time.Second
	// historyFailure is how many entries a failure counts as: who keeps a fetcher waiting
	// does not do so at every report.
	historyFailure = 20
)

// historySource is what a historyQueue needs of an [agentproto.Server].
type historySource interface {
	History(ctx context.Context, agent string, q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error]
}

// historyStore is what it needs of an [fleet.Manager].
type historyStore interface {
	Key(ctx context.Context, agent ecp.AgentID) (ecp.AgentRecord, error)
	StoreHistory(ctx context.Context, all []agents.AgentHistory) error
}

// historyQueue fetches what agents have kept. Its queue is fed by reports.
type historyQueue struct {
	mu     sync.Mutex
	queue  []historyJob                        // guarded by mu, as all below
	queued map[ecp.AgentID]bool                // is in the queue, or being fetched
	upto   map[ecp.AgentID]agentproto.Position // how far was stored
	next   map[ecp.AgentID]time.Time           // when all that was stored would have come at the rate that is allowed
	wake   chan struct{}                       // of historyFetchers
}

// historyJob is an agent that has something new.
type historyJob struct {
	agent     ecp.AgentID
	connected time.Time     // since when
	skew      time.Duration // how far its clock is ahead of ours
	newest    agentproto.Position
}

// fetchedHistory is what an agent has told; nothing = it had nothing to tell.
type fetchedHistory struct {
	agents.AgentHistory
	nothing bool
}

func newHistoryQueue() *historyQueue {
	return &historyQueue{queued: map[ecp.AgentID]bool{}, upto: map[ecp.AgentID]agentproto.Position{},
		next: map[ecp.AgentID]time.Time{},
		wake: make(chan struct{}, historyFetchers)}
}

// offer puts an agent into the queue whose report says that it has something new.
func (t *historyQueue) offer(j historyJob, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j.newest == (agentproto.Position{}) || t.upto[j.agent] == j.newest || t.queued[j.agent] ||
		t.next[j.agent].Sub(now) > historyBatch/2*historyEvery {
		return
	}
	t.queued[j.agent] = true
	t.queue = append(t.queue, j)
	select {
	case t.wake <- struct{}{}:
	default: // all are awake
	}
}

// forget forgets agents that are gone.
func (t *historyQueue) forget(agent ecp.AgentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.upto, agent)
	delete(t.next, agent)
}

func (t *historyQueue) take() (historyJob, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return historyJob{}, false
	}
	j := t.queue[0]
	t.queue = t.queue[1:]
	return j, true
}

// done ends a job. Where it failed, the agent's next report tries again.
func (t *historyQueue) done(h fetchedHistory, stored bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.queued, h.Agent)
	cost := historyFailure
	if stored {
		t.upto[h.Agent] = agentproto.Position(h.Upto)
		cost = max(len(h.Entries), 1)
	}
	next := t.next[h.Agent]
	if next.Before(now) {
		next = now
	}
	t.next[h.Agent] = next.Add(time.Duration(cost) * historyEvery)
}

// keepHistory fetches and stores until ctx ends.
func (h *Hub) keepHistory(ctx context.Context) {
	source, able := h.server.(historySource)
	if !able {
		return
	}
	fetched := make(chan fetchedHistory)
	var fetchers sync.WaitGroup
	for range historyFetchers {
		fetchers.Go(func() { h.fetchHistories(ctx, source, fetched) })
	}
	h.storeHistories(ctx, fetched)
	fetchers.Wait()
}

func (h *Hub) fetchHistories(ctx context.Context, source historySource, fetched chan<- fetchedHistory) {
	for {
		j, ok := h.history.take()
		if !ok {
			select {
			case <-h.history.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		out, err := h.fetchHistory(ctx, source, j)
		if err != nil {
			h.log.DebugContext(ctx, "what an agent has kept cannot be read", "agent", j.agent, "error", err)
			h.history.done(out, false, h.now())
			continue
		}
		select {
		case fetched <- out:
		case <-ctx.Done():
			return
		}
	}
}

// fetchHistory reads what an agent has kept since it was last asked. It begins where
// the store says, and not where this process remembers.
func (h *Hub) fetchHistory(ctx context.Context, source historySource, j historyJob) (out fetchedHistory, err error) {
	out.Agent = j.agent
	store, able := h.boundTo().(historyStore)
	if !able {
		return out, errors.ErrUnsupported
	}
	rec, err := store.Key(ctx, j.agent)
	if err != nil {
		return out, err
	}
	if out.Upto = rec.History; j.newest == agentproto.Position(rec.History) { // stored before this process began
		out.nothing = true
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyPatience)
	defer cancel()
	var records []agentproto.HistoryRecord
	q := agentproto.HistoryQuery{After: agentproto.Position(rec.History),
		Kinds: []agentproto.HistoryKind{agentproto.HistoryAlarm, agentproto.HistoryState, agentproto.HistoryGap}}
	for r, err := range source.History(ctx, string(j.agent), q) {
		if err != nil {
			return out, err
		}
		records = append(records, r)
		if out.Upto = ecp.HistoryPosition(r.Position()); len(records) == historyBatch {
			break
		}
	}
	out.nothing = len(records) == 0
	out.Entries = entriesOf(records, j, h.now())
	return out, nil
}

// storeHistories stores what was fetched: what is there, up to some agents at once.
func (h *Hub) storeHistories(ctx context.Context, fetched <-chan fetchedHistory) {
	for {
		var some []fetchedHistory
		select {
		case one := <-fetched:
			some = append(some, one)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(some) < historyAtOnce; {
			select {
			case one := <-fetched:
				some = append(some, one)
			default:
				more = false
			}
		}
		err := h.storeSome(ctx, some)
		if err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "what agents have kept was not stored; it is fetched again", "agents", len(some),
				ecp.ErrorAttr(err))
		}
		now := h.now()
		for _, one := range some {
			h.history.done(one, err == nil, now)
		}
	}
}

func (h *Hub) storeSome(ctx context.Context, some []fetchedHistory) error {
	store, able := h.boundTo().(historyStore)
	if !able {
		return errors.ErrUnsupported
	}
	var all []agents.AgentHistory
	for _, one := range some {
		if !one.nothing {
			all = append(all, one.AgentHistory)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return store.StoreHistory(ctx, all)
}
