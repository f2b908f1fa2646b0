package adopt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// History tells what an agent has kept behind a position.
func (s *fakeServer) History(ctx context.Context, agent string,
	q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	return func(yield func(agentproto.HistoryRecord, error) bool) {
		s.mu.Lock()
		s.asked++
		s.busy++
		s.busiest = max(s.busiest, s.busy)
		records, slow := s.past[agent], s.slow
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.busy--
			s.mu.Unlock()
		}()
		if records == nil {
			yield(agentproto.HistoryRecord{}, agentproto.ErrNoHistory)
			return
		}
		if !waits(ctx, slow) {
			yield(agentproto.HistoryRecord{}, ctx.Err())
			return
		}
		for _, r := range records {
			if (r.Epoch != q.After.Epoch || r.Seq > q.After.Seq) && q.Wants(r) && !yield(r, nil) {
				return
			}
		}
	}
}

func (m *fakeManager) StoreHistory(_ context.Context, all []agents.AgentHistory) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	for _, h := range all {
		a := m.agents[h.Agent]
		a.History = h.Upto
		m.agents[h.Agent] = a
	}
	m.stored = append(m.stored, all)
	return nil
}

// lost is the record of a node that was lost.
func lost(seq uint64, node string, at time.Time) agentproto.HistoryRecord {
	return agentproto.HistoryRecord{Epoch: 5, Seq: seq, At: at, Kind: agentproto.HistoryState,
		State: &agentproto.Change{About: agentproto.AboutMember, Name: node, From: "running", To: "stopped"}}
}

func upto(r agentproto.Report, seq uint64) agentproto.Report {
	r.History = agentproto.Position{Epoch: 5, Seq: seq}
	return r
}

// TestHistoryIsFetchedOnce: what an agent has kept is fetched when its report says that
// there is something, stored once, and no state moves for it.
func TestHistoryIsFetchedOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		r.server.past = map[string][]agentproto.HistoryRecord{"a": {lost(1, "emqx@b", time.Now().Add(-time.Hour)),
			lost(2, "emqx@c", time.Now().Add(-time.Minute))}}
		r.connect("a")
		r.report("a", says("emqx@a", "emqx@a"))
		require.Zero(t, r.server.asked, "an agent that says nothing of a history is not asked")
		r.wakes()
		pass(10 * time.Second)
		r.report("a", upto(says("emqx@a", "emqx@a"), 2))
		require.Zero(t, r.wakes(), "the past wakes nobody")
		require.Len(t, r.manager.stored, 1)
		h := r.manager.stored[0][0]
		require.Equal(t, ecp.HistoryPosition{Epoch: 5, Seq: 2}, h.Upto)
		require.Len(t, h.Entries, 2)
		require.Equal(t, "emqx@b", h.Entries[0].Name)
		require.True(t, h.Entries[1].Replayed)
		for range 3 {
			pass(10 * time.Second)
			r.report("a", upto(says("emqx@a", "emqx@a"), 2))
		}
		require.Equal(t, 1, r.server.asked, "nothing is new")

		// What cannot be stored is fetched again, and what happens while the agent is connected is no replay.
		r.manager.refuse = errors.New("disk on fire")
		r.server.past["a"] = append(r.server.past["a"], lost(4, "emqx@d", time.Now()))
		r.report("a", upto(says("emqx@a", "emqx@a"), 4))
		r.manager.refuse = nil
		pass(10 * time.Second)
		r.report("a", upto(says("emqx@a", "emqx@a"), 4))
		require.Len(t, r.manager.stored, 2)
		h = r.manager.stored[1][0]
		require.Equal(t, []any{1, "emqx@d", false}, []any{len(h.Entries), h.Entries[0].Name, h.Entries[0].Replayed})
	})
}

// TestHistoryOfFleet: of many agents that come back at once few are asked at a time, and
// few transactions are made; those with nothing new are not asked at all.
func TestHistoryOfFleet(t *testing.T) {
	const agents = 300
	inBubble(t, func(r *rig) {
		r.server.past, r.server.slow = map[string][]agentproto.HistoryRecord{}, 50*time.Millisecond
		name := func(n int) ecp.AgentID { return ecp.AgentID(fmt.Sprintf("a%03d", n)) }
		for n := range agents {
			r.register(name(n), fmt.Sprintf("emqx@%d", n))
			if n%3 == 0 { // stored before this process began
				a := r.manager.agents[name(n)]
				a.History = ecp.HistoryPosition{Epoch: 5, Seq: 1}
				r.manager.agents[name(n)] = a
			}
			r.server.past[string(name(n))] = []agentproto.HistoryRecord{lost(1, "emqx@b", time.Now().Add(-time.Hour))}
			r.connect(name(n))
		}
		members := []string{"emqx@x"}
		for n := range agents {
			r.report(name(n), upto(says(fmt.Sprintf("emqx@%d", n), append(members, fmt.Sprintf("emqx@%d", n))...), 1))
		}
		pass(time.Minute)
		stored := 0
		for _, some := range r.manager.stored {
			stored += len(some)
		}
		require.Equal(t, agents*2/3, stored)
		require.Equal(t, agents*2/3, r.server.asked)
		require.LessOrEqual(t, r.server.busiest, historyFetchers)
	})
}

// TestHistoryIsPaced: an agent whose past never ends is not read for ever.
func TestHistoryIsPaced(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "emqx@a")
		var past []agentproto.HistoryRecord
		for n := range uint64(20 * historyBatch) {
			past = append(past, lost(n+1, fmt.Sprint("emqx@", n), time.Now().Add(-time.Hour)))
		}
		r.server.past = map[string][]agentproto.HistoryRecord{"a": past}
		r.connect("a")
		for range 6 * 60 { // an hour
			pass(10 * time.Second)
			r.report("a", upto(says("emqx@a", "emqx@a"), uint64(len(past))))
		}
		stored := 0
		for _, some := range r.manager.stored {
			stored += len(some[0].Entries)
		}
		require.LessOrEqual(t, stored, 2*historyBatch+int(time.Hour/historyEvery))
		require.GreaterOrEqual(t, stored, int(time.Hour/historyEvery)-historyBatch)
	})
}

// TestEntriesOf: times by our clock, whatever the agent's did.
func TestEntriesOf(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	j := historyJob{agent: "a", connected: now.Add(-time.Minute)}
	moved := func(seq uint64, at time.Time, by time.Duration) agentproto.HistoryRecord {
		return agentproto.HistoryRecord{Epoch: 5, Seq: seq, At: at, Kind: agentproto.HistoryState,
			State: &agentproto.Change{About: agentproto.AboutClock, MovedMS: by.Milliseconds()}}
	}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name    string
		skew    time.Duration
		records []agentproto.HistoryRecord
		want    []time.Duration // before now
		unsure  []bool
	}{
		{"as told", 0, []agentproto.HistoryRecord{lost(1, "a", ago(time.Hour)), lost(2, "b", ago(time.Second))},
			[]time.Duration{time.Hour, time.Second}, []bool{false, false}},
		{"clock ahead", time.Hour, []agentproto.HistoryRecord{lost(1, "a", now)}, []time.Duration{time.Hour},
			[]bool{false}},
		{"clock was ahead", 0, []agentproto.HistoryRecord{lost(1, "a", now.Add(59*time.Minute)),
			moved(2, ago(30*time.Second), -time.Hour), lost(3, "b", ago(time.Second))},
			[]time.Duration{time.Minute, 30 * time.Second, time.Second}, []bool{false, false, false}},
		{"the future", 0, []agentproto.HistoryRecord{lost(1, "a", now.AddDate(5, 0, 0)), lost(2, "b", ago(time.Hour))},
			[]time.Duration{time.Hour, time.Hour}, []bool{true, false}},
		{"1970", 0, []agentproto.HistoryRecord{lost(1, "a", time.Unix(5, 0)), lost(2, "b", ago(time.Hour))},
			[]time.Duration{oldestHistory, time.Hour}, []bool{true, false}},
		{"out of order", 0, []agentproto.HistoryRecord{lost(1, "a", ago(time.Hour)), lost(2, "b", ago(3*time.Hour))},
			[]time.Duration{3 * time.Hour, 3 * time.Hour}, []bool{true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := j
			j.skew = c.skew
			got := entriesOf(c.records, j, now)
			require.Len(t, got, len(c.want))
			for i, e := range got {
				require.Equal(t, ago(c.want[i]), e.At, "entry %d", i)
				require.Equal(t, c.unsure[i], e.Uncertain, "entry %d", i)
				require.Equal(t, c.records[i].Seq, e.Place.Seq)
			}
		})
	}
}

// TestEntriesAreBounded: whatever an agent tells, entries are within the bounds, in
// order, and none is of the future.
func TestEntriesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		var records []agentproto.HistoryRecord
		for n := range rapid.Uint64Range(0, 20).Draw(t, "records") {
			at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "at"), 0)
			r := lost(n+1, rapid.String().Draw(t, "name"), at)
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 1:
				r.State = &agentproto.Change{About: agentproto.AboutClock, MovedMS: rapid.Int64().Draw(t, "moved")}
			case 2:
				r.State, r.Gap = nil, &agentproto.Gap{From: at, Until: at, Why: "x"}
			case 3:
				r.State, r.Alarm = nil, &agentproto.Alarm{Since: at, Nodes: make([]string, 500)}
			}
			records = append(records, r)
		}
		last := time.Time{}
		for _, e := range entriesOf(records, historyJob{skew: time.Duration(rapid.Int64().Draw(t, "skew"))}, now) {
			require.False(t, e.At.Before(last), "in order")
			require.False(t, e.At.After(now))
			require.False(t, e.At.Before(now.Add(-oldestHistory)))
			require.False(t, e.Since.After(now.Add(mostClockAhead)))
			require.LessOrEqual(t, len(e.Name), maxName)
			require.LessOrEqual(t, len(e.Nodes), mostNodesNamed)
			last = e.At
		}
	})
	synctest.Test(t, func(t *testing.T) { // an agent that keeps nothing is asked once a while, and costs nothing else
		h := newHistoryQueue()
		h.offer(historyJob{agent: "a", newest: agentproto.Position{Epoch: 1, Seq: 1}}, time.Now())
		j, ok := h.take()
		require.True(t, ok)
		h.done(fetchedHistory{AgentHistory: agents.AgentHistory{Agent: j.agent}}, false, time.Now())
		for range 100 {
			h.offer(j, time.Now())
			if _, ok := h.take(); ok {
				h.done(fetchedHistory{AgentHistory: agents.AgentHistory{Agent: j.agent}}, false, time.Now())
			}
		}
		h.offer(j, time.Now())
		_, ok = h.take()
		require.False(t, ok, "one who fails is left alone for a while")
	})
}
