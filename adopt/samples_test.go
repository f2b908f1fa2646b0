package adopt

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/monitor"
)

// figures is the record of a sample.
func figures(seq uint64, at time.Time, over time.Duration, received int64) agentproto.HistoryRecord {
	return agentproto.HistoryRecord{Epoch: 5, Seq: seq, At: at, Kind: agentproto.HistorySample,
		Sample: &agentproto.Sample{OverMS: over.Milliseconds(), Connections: 7, Received: received}}
}

// serving lets agents beside nodes of their own serve.
func (r *rig) serving(agents ...ecp.AgentID) {
	r.t.Helper()
	if r.server.past == nil {
		r.server.past = map[string][]agentproto.HistoryRecord{}
	}
	for _, a := range agents {
		r.register(a, "emqx@"+string(a))
	}
	for _, a := range agents {
		r.connect(a)
		require.True(r.t, r.report(a, says("emqx@"+string(a), "emqx@"+string(a), "emqx@x")))
	}
	pass(10 * time.Second)
}

// TestSamples: what agents have kept comes from all that are connected; one of an older
// program is left out; that nobody tells anything is said, with the reason.
func TestSamples(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, err := r.hub.Samples(r.t.Context(), testCluster, time.Now().Add(-time.Hour))
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "no agent of the cluster is connected")

		r.serving("a", "b", "c")
		_, err = r.hub.Samples(r.t.Context(), testCluster, time.Now().Add(-time.Hour))
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.Contains(t, err.Error(), "openecp.buffer.age")

		ago := func(d time.Duration) time.Time { return time.Now().UTC().Add(-d) }
		r.server.past["a"] = []agentproto.HistoryRecord{figures(1, ago(2*time.Hour), 10*time.Second, 1),
			lost(2, "emqx@x", ago(time.Hour)), figures(3, ago(30*time.Minute), 10*time.Second, 2), figures(4,
				ago(time.Minute),
				10*time.Second, 3)}
		r.server.past["b"] = []agentproto.HistoryRecord{}
		all, err := r.hub.Samples(r.t.Context(), testCluster, time.Now().Add(-time.Hour))
		require.NoError(t, err)
		require.Len(t, all, 2, "an agent without samples tells, one of an older program does not")
		require.Len(t, all[0], 2, "what is older was not asked for")
		require.Empty(t, all[1])
		require.Equal(t, ecp.AgentSample{Over: 10 * time.Second,
			TrafficSample: ecp.TrafficSample{At: ago(time.Minute), Connections: 7, Received: 3}}, all[0][1])

		r.server.slow = time.Minute
		begun := time.Now()
		_, err = r.hub.Samples(r.t.Context(), testCluster, time.Now().Add(-time.Hour))
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "agent a: it took longer than 15s; ask for a shorter window")
		require.Equal(t, samplingPatience, time.Since(begun))
	})
}

// TestSamplesOfManyAgents: of a large cluster a few are asked.
func TestSamplesOfManyAgents(t *testing.T) {
	inBubble(t, func(r *rig) {
		var agents []ecp.AgentID
		for n := range 3 * samplingAgents {
			agents = append(agents, ecp.AgentID(fmt.Sprintf("a%02d", n)))
		}
		r.serving(agents...)
		asked := r.server.asked
		_, err := r.hub.Samples(r.t.Context(), testCluster, time.Now().Add(-time.Hour))
		require.Error(t, err)
		require.Equal(t, samplingAgents, r.server.asked-asked)
	})
}

// tells is an agent's history without a server.
type tells []agentproto.HistoryRecord

func (s tells) History(context.Context, string, agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	return func(yield func(agentproto.HistoryRecord, error) bool) {
		for _, r := range s {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// readAt is what is made of an agent's history at a moment.
func readAt(t interface{ Context() context.Context }, now time.Time, window, ahead time.Duration,
	records tells) *sampling {
	h := newHub(Config{Name: "ecp"})
	h.now = func() time.Time { return now }
	a := &sampling{agent: "a", ahead: ahead}
	h.readSamples(t.Context(), records, a, now.Add(-window))
	return a
}

// TestReadSamples: times by our clock, whatever the agent's did, and no time twice.
func TestReadSamples(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	const s = time.Second
	sample := func(ago, over time.Duration) agentproto.HistoryRecord {
		return figures(1, now.Add(-ago), over, 1)
	}
	for _, c := range []struct {
		name    string
		ahead   time.Duration
		records tells
		ago     []time.Duration
		over    []time.Duration
	}{
		{"as told", 0, tells{sample(30*s, 10*s), sample(20*s, 10*s)}, []time.Duration{30 * s, 20 * s},
			[]time.Duration{10 * s, 10 * s}},
		{"clock ahead", time.Hour, tells{sample(-time.Hour+30*s, 10*s)}, []time.Duration{30 * s},
			[]time.Duration{10 * s}},
		{"clock behind", -time.Hour, tells{sample(time.Hour+30*s, 10*s)}, []time.Duration{30 * s},
			[]time.Duration{10 * s}},
		{"clock set back", 0, tells{sample(50*s, 10*s), sample(20*s, 10*s), sample(10*s, 10*s), sample(25*s, 10*s),
			sample(15*s, 10*s)},
			[]time.Duration{50 * s, 25 * s, 15 * s}, []time.Duration{10 * s, 10 * s, 10 * s}},
		{"the future", 0, tells{sample(-time.Hour, 10*s), sample(30*s, 10*s)}, []time.Duration{30 * s},
			[]time.Duration{10 * s}},
		{"overlapping", 0, tells{sample(30*s, 10*s), sample(25*s, 60*s)}, []time.Duration{30 * s, 25 * s},
			[]time.Duration{10 * s, 5 * s}},
		{"of no time", 0, tells{sample(30*s, 0), sample(20*s, -5*s)}, nil, nil},
		{"of too long a time", 0, tells{sample(30*s, 24*time.Hour)}, []time.Duration{30 * s},
			[]time.Duration{longestSample}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := readAt(t, now, time.Hour, c.ahead, c.records)
			require.NoError(t, a.err)
			require.True(t, a.told)
			require.Len(t, a.kept, len(c.ago))
			for i, got := range a.kept {
				require.Equal(t, c.ago[i], now.Sub(got.At), "sample %d", i)
				require.Equal(t, c.over[i], got.Over, "sample %d", i)
			}
		})
	}
}

// TestReadManySamples: a long window is told from its beginning to its end in few
// samples, without a message lost and without filling what is missing.
func TestReadManySamples(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	const window, missing = 24 * time.Hour, time.Hour
	var records tells
	for at := now.Add(-window + time.Second); !at.After(now); at = at.Add(time.Second) {
		if d := now.Sub(at); d < 5*time.Hour || d >= 5*time.Hour+missing {
			records = append(records, figures(uint64(len(records)+1), at, time.Second, 3))
		}
	}
	a := readAt(t, now, window, 0, records)
	require.NoError(t, a.err)
	require.LessOrEqual(t, len(a.kept), samplingSteps+2)
	var messages int64
	var covered time.Duration
	for _, s := range a.kept {
		messages, covered = messages+s.Received, covered+s.Over
	}
	require.Equal(t, int64(3*len(records)), messages)
	require.Equal(t, window-missing, covered)
	require.Equal(t, now, a.kept[len(a.kept)-1].At)
}

// TestSamplesAreBounded: whatever an agent tells, samples are in order, of the window,
// apart from each other and within the bounds; too many are said to be.
func TestSamplesAreBounded(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var records tells
		for n := range rapid.Uint64Range(0, 40).Draw(t, "records") {
			at := now.Add(-time.Duration(rapid.Int64Range(-120, 4000).Draw(t, "ago")) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "wild") == 0 {
				at = time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "at"), 0)
			}
			r := figures(n+1, at, 0, rapid.Int64().Draw(t, "received"))
			r.Sample.OverMS = rapid.OneOf(rapid.Int64(), rapid.Int64Range(1, 60_000)).Draw(t, "over")
			r.Sample.Connections, r.Sample.Sessions = rapid.Int().Draw(t, "connections"), rapid.Int().Draw(t,
				"sessions")
			records = append(records, r)
		}
		window := time.Duration(rapid.Int64Range(1, int64(monitor.LongestSeries/time.Second)).Draw(t,
			"window")) * time.Second
		last := time.Time{}
		for _, s := range readAt(t, now, window, time.Duration(rapid.Int64Range(0, 2).Draw(t, "ahead"))*time.Hour,
			records).kept {
			require.True(t, s.At.After(now.Add(-window)))
			require.False(t, s.At.After(now.Add(skewNoticed)))
			require.Positive(t, s.Over)
			require.False(t, s.At.Add(-s.Over).Before(last), "no moment twice")
			for _, n := range []int64{int64(s.Connections), int64(s.Sessions), s.Received} {
				require.GreaterOrEqual(t, n, int64(0))
				require.LessOrEqual(t, n, int64(mostMessages)*int64(len(records)))
			}
			last = s.At
		}
	})
	var many tells
	for n := range uint64(4 * samplesOfOne) { // no two follow each other
		many = append(many, figures(n+1, now.Add(time.Duration(n+1)*2*time.Second-24*time.Hour), 100*time.Millisecond,
			1))
	}
	a := readAt(t, now, 24*time.Hour, 0, many)
	require.ErrorContains(t, a.err, "more than any agent keeps")
	require.True(t, a.told)
	require.LessOrEqual(t, len(a.kept), samplesOfOne+1)
}
