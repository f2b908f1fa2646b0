package fleet_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// TestTrafficHistory: where the broker keeps no series it is what its agents have kept,
// and where they have not either, both say so; the broker's own series is left as it is.
func TestTrafficHistory(t *testing.T) {
	now := time.Now().UTC()
	kept := func(ago ...time.Duration) (out []ecp.AgentSample) {
		for _, d := range ago {
			out = append(out,
				ecp.AgentSample{Over: 10 * time.Second, TrafficSample: ecp.TrafficSample{At: now.Add(-d), Received: 4}})
		}
		return out
	}
	noSeries := emqxsim.Fault{
		Path:        "/api/v4/monitor/metrics/**",
		Status:      http.StatusNotFound,
		Body:        "Not found.",
		ContentType: "text/plain",
	}
	slow := &ecp.Error{Code: ecp.CodeUnavailable, Message: "agent b is slow"}
	old := &ecp.Error{Code: ecp.CodeUnsupported, Message: "its agents keep no samples"}
	for _, c := range []struct {
		name          string
		all           [][]ecp.AgentSample
		err           error
		samples, gaps int
		says          []string
	}{
		{"kept", [][]ecp.AgentSample{kept(40*time.Minute, 20*time.Minute, 10*time.Second)}, nil, 3, 3, nil},
		{
			"by two", [][]ecp.AgentSample{kept(40*time.Minute, 20*time.Minute), kept(20*time.Minute, 10*time.Second)},
			nil, 3, 3, nil,
		},
		{"kept nothing", [][]ecp.AgentSample{nil}, nil, 0, 1, nil},
		{"not whole", [][]ecp.AgentSample{kept(10 * time.Second)}, slow, 1, 1, []string{"agent b is slow"}},
		{"of older programs", nil, old, 0, 0, []string{"it has no figures over time", "its agents keep no samples"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutpost(t, "4.4.24", 2)
			o.sim.AddFault(noSeries)
			o.link.Kept = func(since time.Time) ([][]ecp.AgentSample, error) {
				require.WithinDuration(t, now.Add(-time.Hour), since, time.Minute)
				return c.all, c.err
			}
			series, gaps, err := o.m.Monitor.TrafficHistory(asSystem(), o.id, time.Hour)
			require.Len(t, series, c.samples)
			require.Len(t, gaps, c.gaps)
			require.Equal(t, c.all != nil, gaps != nil)
			require.Equal(t, c.err != nil, err != nil)
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
			if c.all == nil {
				require.ErrorIs(t, err, ecp.ErrUnsupported)
			}
		})
	}
	t.Run("of the broker", func(t *testing.T) {
		o := newOutpost(t, "5.8.9", 1)
		remove := o.sim.AddFault(emqxsim.Fault{
			Path:        "/api/v5/monitor",
			Status:      http.StatusOK,
			Body:        `[{"time_stamp":1795425640000,"received":3}]`,
			ContentType: "application/json",
		})
		asked := 0
		o.link.Kept = func(time.Time) ([][]ecp.AgentSample, error) {
			asked++
			return [][]ecp.AgentSample{kept(time.Minute, 30*time.Second)}, nil
		}
		series, gaps, err := o.m.Monitor.TrafficHistory(asSystem(), o.id, time.Hour)
		require.NoError(t, err)
		require.Nil(t, gaps)
		require.Equal(t, []ecp.TrafficSample{{At: time.UnixMilli(1795425640000).UTC(), Received: 3}}, series)
		require.Zero(t, asked)
		remove()
		series, gaps, err = o.m.Monitor.TrafficHistory(asSystem(), o.id, time.Hour)
		require.NoError(t, err)
		require.Len(t, series, 2, "it has kept nothing")
		require.NotNil(t, gaps)
		_, _, err = o.m.Monitor.TrafficHistory(t.Context(), o.id, time.Hour)
		require.ErrorIs(t, err, ecp.ErrDenied)
		_, _, err = o.m.Monitor.TrafficHistory(asSystem(), o.id, 0)
		require.ErrorIs(t, err, ecp.ErrInvalid)
	})
}
