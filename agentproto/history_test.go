package agentproto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kept is a history in memory.
type kept struct {
	records []HistoryRecord
	fails   error         // after the records
	hold    chan struct{} // nil means nothing waits
}

func (k *kept) History(ctx context.Context, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		if k.hold != nil {
			select {
			case <-k.hold:
			case <-ctx.Done():
				return
			}
		}
		for _, r := range k.records {
			if r.Epoch == q.After.Epoch && r.Seq <= q.After.Seq || !q.Wants(r) {
				continue
			}
			if !yield(r, nil) {
				return
			}
		}
		if k.fails != nil {
			yield(HistoryRecord{}, k.fails)
		}
	}
}

func record(seq uint64, kind HistoryKind) HistoryRecord {
	r := HistoryRecord{Epoch: 9, Seq: seq, At: time.Date(2026, 11, 29, 8, 0, int(seq), 0, time.UTC), Kind: kind}
	switch kind {
	case HistorySample:
		r.Sample = &Sample{OverMS: 1000, Connections: int(seq)}
	case HistoryAlarm:
		r.Alarm = &Alarm{Name: "cpu", Active: true, Nodes: []string{"emqx@10.0.0.1"}}
	case HistoryState:
		r.State = &Change{About: AboutMember, Name: "emqx@10.0.0.1", From: "running", To: "stopped"}
	case HistoryGap:
		r.Gap = &Gap{Until: r.At, Why: GapNotRunning}
	}
	return r
}

// readHistory reads what a query selects.
func readHistory(t *testing.T, s *Server, agent string, q HistoryQuery) (got []string, err error) {
	t.Helper()
	for r, e := range s.History(t.Context(), agent, q) {
		if e != nil {
			return got, e
		}
		got = append(got, fmt.Sprintf("%d %s", r.Seq, r.Kind))
	}
	return got, nil
}

// TestHistory: an agent's records through both carriers, selected, in order, once; a
// replay that nobody reads holds up no report.
func TestHistory(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		log := NewReportLog(4)
		log.Append(Report{Node: "emqx@10.0.0.1"})
		k := &kept{records: []HistoryRecord{record(1, HistoryGap), record(2, HistorySample), record(3, HistoryAlarm),
			record(4, HistorySample), record(5, HistoryState)}}
		a := r.connected(tunnel, func(c *AgentConfig) { c.History, c.Reports = k, log })

		for _, c := range []struct {
			name string
			q    HistoryQuery
			want []string
		}{
			{"all", HistoryQuery{}, []string{"1 gap", "2 sample", "3 alarm", "4 sample", "5 state"}},
			{"after", HistoryQuery{After: Position{9, 4}}, []string{"5 state"}},
			{"kinds", HistoryQuery{Kinds: []HistoryKind{HistoryAlarm, HistoryState}}, []string{"3 alarm", "5 state"}},
			{"times", HistoryQuery{Since: record(2, HistorySample).At, Until: record(4, HistorySample).At},
				[]string{"2 sample", "3 alarm"}},
			{"nothing new", HistoryQuery{After: Position{9, 5}}, nil},
		} {
			got, err := readHistory(t, r.server, a.id, c.q)
			require.NoError(t, err, c.name)
			require.Equal(t, c.want, got, c.name)
		}

		for range 3 * maxHistories { // nothing is left of a reader that has had enough
			for _, err := range r.server.History(t.Context(), a.id, HistoryQuery{}) {
				require.NoError(t, err)
				break
			}
		}
		k.fails = errors.New("disk on fire")
		_, err := readHistory(t, r.server, a.id, HistoryQuery{})
		require.Error(t, err, "a cut answer is not the whole")

		k.hold = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		for _, err := range r.server.History(ctx, a.id, HistoryQuery{}) {
			require.Error(t, err)
		}
		for report, err := range r.server.Reports(t.Context(), a.id, Position{}) {
			require.NoError(t, err)
			require.Equal(t, "emqx@10.0.0.1", report.Node)
			break
		}
	})
}

// TestHistoryOfOlderAgents: an agent without a history, or one of a program that
// knows no such call, is told apart from a failure.
func TestHistoryOfOlderAgents(t *testing.T) {
	r := newRig(t)
	a := r.connected(TunnelAuto)
	_, err := readHistory(t, r.server, a.id, HistoryQuery{})
	require.ErrorIs(t, err, ErrNoHistory)
	_, err = readHistory(t, r.server, "agent-nobody", HistoryQuery{})
	require.ErrorIs(t, err, ErrNotConnected)
	for _, query := range []string{"?epoch=x", "?since=yesterday"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://control"+pathHistory+query,
			http.NoBody)
		require.NoError(t, err)
		res, err := r.server.Transport(a.id, HostControl).RoundTrip(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusNotFound, res.StatusCode)
	}
}

// TestDecodeHistory: what an agent may not send.
func TestDecodeHistory(t *testing.T) {
	line := func(r HistoryRecord) string {
		text, err := EncodeHistory(r)
		require.NoError(t, err)
		return string(text) + "\n"
	}
	good := line(record(2, HistorySample))
	for _, c := range []struct {
		name, in string
		q        HistoryQuery
		says     string
	}{
		{"not JSON", "hello\n", HistoryQuery{}, "not a history record"},
		{"no position", `{"at":"2026-11-29T08:00:00Z","kind":"sample","sample":{}}` + "\n", HistoryQuery{},
			"no position"},
		{"no kind", `{"epoch":1,"seq":1}` + "\n", HistoryQuery{}, "kind"},
		{"another kind's", `{"epoch":1,"seq":1,"kind":"alarm","sample":{}}` + "\n", HistoryQuery{},
			"not what its kind says"},
		{"two", `{"epoch":1,"seq":1,"kind":"alarm","alarm":{},"sample":{}}` + "\n", HistoryQuery{},
			"not what its kind says"},
		{"twice", good + good, HistoryQuery{}, "comes after"},
		{"before the position", good, HistoryQuery{After: Position{9, 2}}, "comes after"},
		{"not asked for", good, HistoryQuery{Kinds: []HistoryKind{HistoryAlarm}}, "not asked for"},
		{"cut", strings.TrimSuffix(good, "\n"), HistoryQuery{}, "unexpected EOF"},
		{"long", `{"epoch":1,"seq":1,"kind":"sample","x":"` + strings.Repeat("x", 2*maxHistoryBytes) + `"}` + "\n",
			HistoryQuery{}, "larger than"},
		{"a time that is none", `{"epoch":1,"seq":1,"kind":"sample","at":"0","sample":{}}` + "\n", HistoryQuery{},
			"not a history record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			for _, err = range decodeHistories(strings.NewReader(c.in), c.q) {
				if err != nil {
					break
				}
			}
			require.ErrorContains(t, err, c.says)
		})
	}
	for r, err := range decodeHistories(
		strings.NewReader(`{"epoch":1,"seq":1,"kind":"state","state":{"about":"x\u001b","name":"a\nb","movedMs":-5}}`+
			"\n"), HistoryQuery{}) {
		require.NoError(t, err)
		require.Equal(t, Change{About: "x", Name: "a b", MovedMS: -5}, *r.State)
	}
	r, err := DecodeHistory([]byte(
		`{"epoch":1,"seq":1,"kind":"sample","sample":{"connections":-1,"received":-9,"overMs":-1}}`))
	require.NoError(t, err)
	require.Equal(t, Sample{}, *r.Sample)
}

// FuzzHistory: whatever comes, what is read can be written and read again, and is
// fit to be shown.
func FuzzHistory(f *testing.F) {
	for _, k := range []HistoryKind{HistorySample, HistoryAlarm, HistoryState, HistoryGap} {
		line, err := EncodeHistory(record(3, k))
		require.NoError(f, err)
		f.Add(line)
	}
	f.Add([]byte(`{"epoch":1,"seq":1,"at":"9999-12-31T23:59:59Z","kind":"alarm","alarm":{"nodes":["\u202e"],"since":"0001-01-01T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := DecodeHistory(line)
		if err != nil {
			return
		}
		text, err := EncodeHistory(r)
		if errors.Is(err, errHistoryTooLarge) { // escapes of what was plain
			return
		}
		require.NoError(t, err)
		again, err := DecodeHistory(text)
		require.NoError(t, err)
		require.Equal(t, toJSON(t, r), toJSON(t, again))
		require.NotContains(t, string(text), "\u202e")
	})
}
