package record_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent/record"
)

// look is one with members in words: "a" runs, "-a" does not.
func look(received int64, members ...string) record.Observation {
	l := record.Observation{Connected: true, Alarmed: true, Traffic: &ecp.Traffic{Connections: 5,
		Nodes: []ecp.NodeTraffic{{Node: "a", Totals: ecp.MessageTotals{Received: received}}}}}
	for _, m := range members {
		status := agentproto.MemberRunning
		if m[0] == '-' {
			m, status = m[1:], agentproto.MemberStopped
		}
		l.Report.Members = append(l.Report.Members, agentproto.Member{Name: m, Status: status})
	}
	return l
}

func failed(code agentproto.ErrorCode) record.Observation {
	return record.Observation{Connected: true,
		Report: agentproto.Report{Errors: []agentproto.ReportError{{Stage: agentproto.StageNodeConnect, Code: code,
			Message: "refused"}}}}
}

func with(l record.Observation, f func(*record.Observation)) record.Observation {
	f(&l)
	return l
}

func words(records []agentproto.HistoryRecord) (out []string) {
	for _, r := range records {
		switch {
		case r.Sample != nil:
			out = append(out, fmt.Sprintf("%d in %ds, %d/%d", r.Sample.Received, r.Sample.OverMS/1000, r.Sample.Running,
				r.Sample.Members))
		case r.Alarm != nil:
			out = append(out, fmt.Sprintf("%s %v", r.Alarm.Name, r.Alarm.Active))
		case r.State != nil:
			out = append(out, fmt.Sprintf("%s%s %s>%s", r.State.About, r.State.Name, r.State.From, r.State.To))
		}
	}
	return out
}

// TestRecorder: what is recorded of looks ten seconds apart, and that a process that is
// started anew goes on from what it kept.
func TestRecorder(t *testing.T) {
	alarm := func(names ...string) func(*record.Observation) {
		return func(l *record.Observation) {
			for _, n := range names {
				l.Alarms = append(l.Alarms, ecp.Alarm{Name: n, Since: time.Unix(100, 0)})
			}
		}
	}
	away := func(l *record.Observation) { l.Connected = false }
	now := time.Now()
	r := record.Restore(nil)
	var since []agentproto.HistoryRecord
	for i, step := range []struct {
		look  record.Observation
		after time.Duration // 0 means ten seconds
		want  []string
	}{
		{look: look(100, "a", "b")},
		{look: look(130, "a", "b"), want: []string{"30 in 10s, 2/2"}},
		{look: with(look(150, "a", "-b"), alarm("cpu")), want: []string{"memberb running>stopped", "cpu true",
			"20 in 10s, 1/2"}},
		{look: with(look(150, "a", "-b"), alarm("cpu")), want: []string{"0 in 10s, 1/2"}},
		{look: with(look(7, "a"), alarm("mem")), want: []string{"memberb stopped>", "mem true", "cpu false",
			"7 in 10s, 1/1"}},
		{look: with(look(8, "a", "c"), func(l *record.Observation) { l.Alarmed = false }),
			want: []string{"memberc >running", "1 in 10s, 2/2"}},
		{look: failed(agentproto.CodeUnreachable), want: []string{"broker ok>unreachable"}},
		{look: failed(agentproto.CodeUnreachable)},
		{look: failed(agentproto.CodeAuthFailed), want: []string{"broker unreachable>auth_failed"}},
		{look: look(1000, "a", "c"), want: []string{"broker auth_failed>ok", "mem false"}},
		{look: look(1001, "a", "c"), want: []string{"1 in 10s, 2/2"}},
		{look: look(9000, "a", "c"), after: time.Hour},
		{look: with(look(9001, "a", "c"), away), want: []string{"1 in 10s, 2/2"}},
		{look: with(look(9001, "a", "c"), away), want: []string{"0 in 10s, 2/2"}},
		{look: with(look(9001, "a", "c"), away), after: 20 * time.Second,
			want: []string{"server connected>lost", "0 in 20s, 2/2"}},
		{look: with(look(9001, "a", "c"), away), want: []string{"0 in 10s, 2/2"}},
		{look: look(9001, "a", "c"), want: []string{"server lost>connected", "0 in 10s, 2/2"}},
	} {
		if step.after == 0 {
			step.after = 10 * time.Second
		}
		now = now.Add(step.after)
		state := r.State()
		records, took := r.Next(now, step.look)
		again, _ := r.Next(now, step.look)
		require.Equal(t, records, again, "what was not written is noticed again")
		require.Equal(t, step.want, words(records), "step %d", i)
		took()
		since = append(since, records...)
		if i > 0 { // what is folded is what held, but for what no record tells
			require.JSONEq(t, string(r.State()), string(record.Fold(state, records)), "step %d", i)
		}
	}
	// Started anew, with a node lost and an alarm raised meanwhile.
	var kept = r.State()
	r = record.Restore(kept)
	records, took := r.Next(now.Add(time.Hour), with(look(9500, "-a", "c"), alarm("cpu")))
	require.Equal(t, []string{"membera running>stopped", "cpu true"}, words(records))
	took()
	records, _ = r.Next(now.Add(time.Hour+10*time.Second), with(look(9510, "-a", "c"), alarm("cpu")))
	require.Equal(t, []string{"10 in 10s, 1/2"}, words(records))
	require.True(t, json.Valid(record.Fold(nil, since)))
	require.NotNil(t, record.Restore([]byte("garbage")))
}
