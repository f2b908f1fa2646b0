package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// podsOf are the nodes that run, by the pods that they are.
func (r *rig) podsOf(c ecp.Cluster) map[int]string {
	out := map[int]string{}
	for _, n := range r.found(c).Nodes {
		out[n.Ordinal] = n.PodUID
	}
	return out
}

// replacedSince counts the nodes that were made anew.
func (r *rig) replacedSince(c ecp.Cluster, before map[int]string) (n int) {
	for i, uid := range r.podsOf(c) {
		if before[i] != "" && uid != before[i] {
			n++
		}
	}
	return n
}

// windowed is a running cluster whose nodes are replaced from half past of an hour on.
func (r *rig) windowed(hour, duration string) ecp.Cluster {
	c, _ := r.running()
	_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
		ID: "emqx-ee-5.8.10", Version: "5.8.10", Reference: "emqx/emqx-enterprise:5.8.10",
	}, "")
	require.NoError(r.t, err)
	r.patch(c, `{"maintenance":{"windows":[{"start":"30 `+hour+` * * *","duration":"`+duration+`"}]}}`)
	require.Equal(r.t, ecp.Running, r.get(c).Status.State)
	return c
}

func windowStep(o ecp.Operation) ecp.Step {
	for _, s := range o.Steps {
		if s.Name == "maintenance-window" {
			return s
		}
	}
	return ecp.Step{}
}

func TestChangesWaitForTheWindow(t *testing.T) {
	for name, cmd := range map[string]ecp.Command{
		"image":   ecp.Update{Patch: []byte(`{"image":"emqx-ee-5.8.10"}`)},
		"size":    ecp.Update{Patch: []byte(`{"size":"2C4G"}`)},
		"config":  ecp.Update{Patch: []byte(`{"config":{"authorization.no_match":"deny"}}`)},
		"restart": ecp.Restart{},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c := r.windowed("2", "1h")
				opens := time.Date(2000, 1, 1, 2, 30, 0, 0, time.UTC)
				plan, err := c.Plan(asSystem(), cmd)
				require.NoError(t, err)
				require.Equal(t, opens, plan.Begins)
				require.Contains(t, plan.Steps, "maintenance-window")
				before := r.podsOf(c)
				op := r.do(c, cmd)
				r.awaits(2, 29) // longer than it may take
				got, err := r.m.Operation(asSystem(), op.ID)
				require.NoError(t, err)
				require.Equal(t, ecp.PhaseRunning, got.Phase)
				require.Equal(t, ecp.Step{Name: "maintenance-window", Total: 1, Until: opens}, windowStep(got))
				info := r.get(c)
				require.Contains(t, info.Waits, "the maintenance window that opens at 2000-01-01 02:30 UTC")
				require.Equal(t, ecp.True, ecp.ConditionOf(info.Status.Conditions, ecp.CondHealthy).Status)
				require.Zero(t, r.replacedSince(c, before))
				ended := r.ends(op, ecp.PhaseSucceeded)
				require.Equal(t, ecp.Step{Name: "maintenance-window", Done: 1, Total: 1}, windowStep(ended))
				require.Equal(t, 3, r.replacedSince(c, before))
				require.Less(t, time.Now().UTC(), opens.Add(time.Hour))
			})
		})
	}
}

// A node that was begun is brought to its end, and the next one waits for the next window.
func TestNoNodeIsBegunAfterTheWindow(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("*", "1m")
		r.clients(c, 9)
		before := r.podsOf(c)
		op := r.do(c, ecp.Restart{})
		r.awaits(0, 40)
		first := r.replacedSince(c, before)
		require.Contains(t, []int{1, 2}, first)
		require.Nil(t, r.get(c).Status.Draining)
		got, err := r.m.Operation(asSystem(), op.ID)
		require.NoError(t, err)
		require.Equal(t, time.Date(2000, 1, 1, 1, 30, 0, 0, time.UTC), windowStep(got).Until)
		r.awaits(1, 29)
		require.Equal(t, first, r.replacedSince(c, before))
		r.awaits(4, 0)
		require.Equal(t, 3, r.replacedSince(c, before))
		r.ends(op, ecp.PhaseSucceeded)
	})
}

func TestNowDoesNotWait(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("20", "1h")
		before := r.podsOf(c)
		plan, err := c.Plan(asSystem(), ecp.Restart{Now: true})
		require.NoError(t, err)
		require.Zero(t, plan.Begins)
		r.ends(r.do(c, ecp.Restart{Now: true}), ecp.PhaseSucceeded)
		require.Equal(t, 3, r.replacedSince(c, before))

		before = r.podsOf(c)
		op := r.do(c, ecp.Restart{})
		<-time.After(5 * time.Minute)
		require.Zero(t, r.replacedSince(c, before))
		require.Zero(t, r.do(c, ecp.Update{Now: true}), "what waits goes on, and is no operation of its own")
		r.ends(op, ecp.PhaseSucceeded)
		require.Equal(t, 3, r.replacedSince(c, before))

		op = r.do(c, ecp.Restart{})
		<-time.After(5 * time.Minute)
		r.patch(c, `{"maintenance":null}`)
		r.ends(op, ecp.PhaseSucceeded)
	})
}

// What replaces no node is done at once, also where a change waits.
func TestOtherCommandsDoNotWaitForTheWindow(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("20", "1h")
		before := r.podsOf(c)
		for _, patch := range []string{
			`{"connections":20}`, `{"nodes":2}`, `{"nodes":3}`, `{"network":{"type":"NodePort"}}`,
		} {
			plan, err := c.Plan(asSystem(), ecp.Update{Patch: []byte(patch)})
			require.NoError(t, err)
			require.Zero(t, plan.Begins, patch)
			r.ends(r.change(c, patch), ecp.PhaseSucceeded)
		}
		waits := r.change(c, `{"image":"emqx-ee-5.8.10"}`)
		<-time.After(5 * time.Minute)
		grows := r.change(c, `{"nodes":4}`)
		<-time.After(5 * time.Minute)
		require.Len(t, r.found(c).Nodes, 4)
		require.Equal(t, before[0], r.podsOf(c)[0])
		r.ends(waits, ecp.PhaseSuperseded)
		got, err := r.m.Operation(asSystem(), grows.ID)
		require.NoError(t, err)
		require.Equal(t, 20, windowStep(got).Until.Hour(), "what was asked for before waits on")
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Equal(t, "5.8.10", r.get(c).Version, "a start makes all nodes anew")
	})
}

func TestCancelWhileItWaitsForTheWindow(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("20", "1h")
		before := r.podsOf(c)
		op := r.change(c, `{"size":"2C4G"}`)
		<-time.After(5 * time.Minute)
		r.patch(c, `{"hibernation":{"sleep":"0 22 * * *"}}`)
		back, err := r.m.CancelOperation(asSystem(), op.ID)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseCancelled)
		r.ends(back, ecp.PhaseSucceeded)
		require.Zero(t, r.replacedSince(c, before))
		info := r.get(c)
		require.Equal(t, "1C1G", info.Spec.Hosted.Size)
		require.Equal(t, "0 22 * * *", info.Spec.Hosted.Hibernation.Sleep, "what was asked for meanwhile stays")
		require.Len(t, info.Spec.Hosted.Maintenance.Windows, 1)
	})
}

// A cluster whose change waits for days sleeps all the same: the change comes with the start.
func TestSleepWhileAChangeWaits(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("20", "1h")
		r.patch(c, nights)
		op := r.change(c, `{"image":"emqx-ee-5.8.10"}`)
		r.awaits(0, 25)
		require.Equal(t, ecp.Stopped, r.get(c).Status.State)
		r.ends(op, ecp.PhaseSuperseded)
		r.awaits(0, 45)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		require.Equal(t, "5.8.10", r.get(c).Version)
	})
}

// A daemon that begins anew while a change waits goes on waiting, and gives it all its time.
func TestTheWindowOutlivesTheDaemon(t *testing.T) {
	inBubble(t, func(r *rig) {
		c := r.windowed("4", "1h")
		before := r.podsOf(c)
		op := r.do(c, ecp.Restart{})
		r.awaits(1, 0)
		r.stop()
		r.awaits(2, 0)
		r.make(r.store, &r.applied)
		r.run()
		r.awaits(4, 29)
		require.Zero(t, r.replacedSince(c, before))
		r.ends(op, ecp.PhaseSucceeded)
		synctest.Wait()
		require.Equal(t, 3, r.replacedSince(c, before))
	})
}
