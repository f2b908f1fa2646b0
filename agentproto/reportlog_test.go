package agentproto

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestReportLogAgainstModel compares the ring with a slice that keeps
// everything.
func TestReportLogAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(-1, 7).Draw(t, "size")
		log := NewReportLog(size)
		var all []Report
		for i := range rapid.IntRange(0, 20).Draw(t, "appends") {
			r := log.Append(Report{Node: fmt.Sprint(i)})
			require.Equal(t, Position{log.epoch, uint64(i + 1)}, r.Position())
			all = append(all, r)
		}
		after := Position{
			Epoch: rapid.SampledFrom([]uint64{0, log.epoch, log.epoch + 1}).Draw(t, "epoch"),
			Seq:   rapid.Uint64Range(0, 25).Draw(t, "seq"),
		}
		want := all[len(all)-min(len(all), max(size, 1)):]
		if after.Epoch == log.epoch && after.Seq <= uint64(len(all)) {
			for len(want) > 0 && want[0].Seq <= after.Seq {
				want = want[1:]
			}
		}
		got := log.Since(after)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i], got[i])
		}
		require.Equal(t, uint64(len(all)), log.Last().Seq)
	})
}

func TestReportLogNewest(t *testing.T) {
	log := NewReportLog(3)
	require.Empty(t, log.Since(Newest))
	for range 5 {
		last := log.Append(Report{})
		require.Equal(t, []Report{last}, log.Since(Newest))
	}
}

func TestReportLogWakesReaders(t *testing.T) {
	log := NewReportLog(3)
	_, changed := log.since(Position{})
	var wg sync.WaitGroup
	wg.Go(func() { log.Append(Report{}) })
	<-changed
	wg.Wait()
	assert.Len(t, log.Since(Position{}), 1)
}

func TestEpochsFitEveryJSONDecoder(t *testing.T) {
	for range 1000 {
		e := drawEpoch()
		require.Positive(t, e)
		require.LessOrEqual(t, e, uint64(1)<<53)
	}
}

func TestReportTravels(t *testing.T) {
	in := Report{
		Epoch: 1 << 53, Seq: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Node: "emqx@a", Version: "5.8.6", Edition: "enterprise", Uptime: 90 * time.Second,
		Members:     []Member{{Name: "emqx@a", Status: MemberRunning, UptimeMS: 5}},
		Connections: 3, Limit: 10, LimitCall: true, LicenseType: 1,
		Errors:    []ReportError{{StageMetricsFetch, CodeTimeout, "no answer"}},
		Dashboard: true, Logs: "/opt/emqx/log",
	}
	raw, err := json.Marshal(in)
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"uptimeMs":90000`)
	var out Report
	require.NoError(t, json.Unmarshal(raw, &out))
	assert.Equal(t, in, out)

	require.NoError(t, json.Unmarshal([]byte(`{"uptimeMs":9223372036854775807,"new":1}`), &out))
	assert.Positive(t, out.Uptime)
}

func TestReportComplete(t *testing.T) {
	members := []Member{{Name: "a", Status: MemberRunning}}
	for stage, want := range map[Stage]bool{
		"": true, StageNodeConnect: false, StageClusterFetch: false, StageMetricsFetch: true, StageLogsFetch: true,
		StageTunnel: true,
	} {
		r := Report{Members: members}
		if stage != "" {
			r.Errors = []ReportError{{Stage: stage, Code: CodeInternal}}
		}
		assert.Equal(t, want, r.Complete(), "stage %q", stage)
	}
	assert.False(t, Report{}.Complete())
}
