package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// pastEntry is the part of the history that is looked at here.
type pastEntry struct {
	At, Since, Until, ReceivedAt time.Time
	Kind, Name, From, To         string
	Replayed                     bool
}

// said is what an entry says, without its times.
func (e pastEntry) said() string { return strings.Join([]string{e.Kind, e.Name, e.From, e.To}, " ") }

// history returns what there is of a cluster's past, the oldest first; without that the
// server was away, which is told from half a minute on, as on a slow machine.
func (d *daemon) history(t *testing.T, id string) []pastEntry {
	t.Helper()
	var list struct{ Items []pastEntry }
	d.call(t, "GET", "/api/v1/clusters/"+id+"/history", "", &list, 200)
	slices.Reverse(list.Items)
	return slices.DeleteFunc(list.Items, func(e pastEntry) bool { return e.Kind == "server" })
}

// TestWhileTheServerIsAway: what happens to a broker while the daemon does not run is
// told when it runs again, once, in order and with its own times; so is when the agent
// did not run either. The state is that of now.
func TestWhileTheServerIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	// 4.4 does not list a node that is down
	for version, down := range map[string]string{"5.8.9": "stopped", "4.4.24": ""} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
			node, other := sim.Join("emqx@10.0.0.1"), sim.Join("emqx@10.0.0.2")
			data, address := filepath.Join(t.TempDir(), "data"), processtest.FreeAddress(t)
			d := dev(t, data, "--listen", address, "--agents-dir", processtest.Agents(t))
			id, agent := d.runBeside(t, node)
			d.reaches(t, id, "running")
			require.Empty(t, d.history(t, id), "nothing has happened")

			code, took := d.Terminate(t)
			require.Zero(t, code)
			require.Less(t, took, mostEnd)
			var times []time.Time // between what happens
			mark := func() { times = append(times, time.Now()) }
			mark()
			node.RaiseAlarm("too_many_processes", "process usage is high", nil)
			agent.noticed(t)
			mark()
			node.ClearAlarm("too_many_processes")
			agent.noticed(t)
			mark()
			other.Kill()
			agent.noticed(t)
			mark()
			agent.Kill()
			other.Revive()
			agent.start(t)
			agent.noticed(t)
			mark()

			d = dev(t, data, "--listen", address, "--agents-dir", processtest.Agents(t))
			d.reaches(t, id, "running")
			d.toldOf(t, id, times, []string{
				"alarm too_many_processes  active", "alarm too_many_processes active over",
				"member emqx@10.0.0.2 running " + down,
				"gap   not_running", "member emqx@10.0.0.2 " + down + " running",
			})
		})
	}
}

// toldOf waits for the history, whose entries lie between times.
func (d *daemon) toldOf(t *testing.T, id string, times []time.Time, want []string) {
	t.Helper()
	var entries []pastEntry
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		entries = d.history(t, id)
		return len(entries) >= len(want), fmt.Sprintf("%+v", entries)
	})
	var said []string
	for i, e := range entries {
		said = append(said, e.said())
		from := min(i, 3) // the last two are of one time
		assert.WithinRange(t, e.At, times[from].Add(-time.Millisecond), times[from+1], e.said())
		assert.True(t, e.Replayed, e.said())
		assert.True(t, e.ReceivedAt.After(times[4]), e.said())
	}
	assert.Equal(t, want, said)
	gap := entries[3]
	assert.WithinRange(t, gap.Since, times[2], gap.Until)
	assert.WithinRange(t, gap.Until, times[3], times[4])

	var c struct {
		Status struct {
			State string
			Nodes []struct{ Name, Status string }
		}
	}
	a := d.call(t, "GET", "/api/v1/clusters/"+id, "", &c, 200)
	assert.Equal(t, "running", c.Status.State, "%s", a.body)
	assert.Len(t, c.Status.Nodes, 2, "%s", a.body)
	again, err := json.Marshal(d.history(t, id))
	require.NoError(t, err)
	before, err := json.Marshal(entries)
	require.NoError(t, err)
	assert.JSONEq(t, string(before), string(again), "once")
}
