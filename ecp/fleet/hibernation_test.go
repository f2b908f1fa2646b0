package fleet_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// nights is a cluster that sleeps 20 minutes of each hour. A bubble begins at midnight UTC,
// on 1 January 2000.
const nights = `{"hibernation":{"sleep":"20 * * * *","wake":"40 * * * *"}}`

// awaits waits until a time of the bubble's first day.
func (r *rig) awaits(hour, minute int) {
	r.t.Helper()
	at := time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC)
	require.True(r.t, time.Now().Before(at), "it is %s already", time.Now().UTC())
	<-time.After(time.Until(at))
	synctest.Wait()
}

func (r *rig) patch(c ecp.Cluster, patch string) {
	r.t.Helper()
	_, err := c.Do(asSystem(), ecp.Update{Patch: []byte(patch)})
	require.NoError(r.t, err)
}

// booked checks the pool against the clusters, and returns what is booked.
func (r *rig) booked() int {
	r.t.Helper()
	sum, used := 0, 0
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) error {
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			sum += rec.Booked()
		}
		p, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
		used = p.UsedConnections
		return err
	}))
	require.Equal(r.t, sum, used, "the pool's own count")
	return used
}

func onSchedule(i ecp.Info) ecp.Condition {
	return ecp.ConditionOf(i.Status.Conditions, ecp.CondOnSchedule)
}

func TestClusterSleepsAndWakes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		before := r.get(c)
		r.patch(c, nights)
		require.Equal(t, before.Generation, r.get(c).Generation, "nodes have nothing to do with it")
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		d := r.watch(c)
		h := r.get(c).Hibernation
		require.False(t, h.Asleep)
		require.Equal(t, time.Date(2000, 1, 1, 0, 20, 0, 0, time.UTC), h.NextSleep.UTC())
		require.Equal(t, time.Date(2000, 1, 1, 0, 40, 0, 0, time.UTC), h.NextWake.UTC())
		r.awaits(0, 19)
		require.Equal(t, 10, r.booked())
		r.awaits(0, 23)
		info := r.get(c)
		require.Equal(t, ecp.Stopped, info.Status.State)
		require.True(t, info.Hibernation.Asleep)
		require.Empty(t, r.found(c).Nodes)
		require.Zero(t, r.booked())
		r.awaits(0, 39)
		require.Equal(t, ecp.Stopped, r.get(c).Status.State)
		r.awaits(0, 43)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		require.False(t, r.get(c).Hibernation.Asleep)
		require.Equal(t, 10, r.booked())
		require.Equal(t, "running stopping stopped starting running", d.states())
		require.Equal(t, ecp.True, onSchedule(r.get(c)).Status)

		ops, err := r.m.Operations(asSystem(), c.ID(), fleet.OperationOptions{})
		require.NoError(t, err)
		require.Equal(t, ecp.OpStart, ops.Items[0].Kind)
		require.Equal(t, ecp.OpStop, ops.Items[1].Kind)
		require.Equal(t, "schedule", ops.Items[1].Actor)
		audit, err := r.m.Changes.Audit(asSystem(), change.AuditOptions{Actor: "schedule"})
		require.NoError(t, err)
		require.Len(t, audit.Items, 2)
		require.Equal(t, "start", audit.Items[0].Action)
		require.Equal(t, string(c.ID()), audit.Items[0].Key)
	})
}

func TestWhatPeopleDoCountsMoreThanTheSchedule(t *testing.T) {
	start, stop := ecp.Command(ecp.Start{}), ecp.Command(ecp.Stop{})
	noSchedule := ecp.Update{Patch: []byte(`{"hibernation":null}`)}
	for name, x := range map[string]struct {
		minute                  int // at which commands are given
		do                      []ecp.Command
		asleep, awake, sleeping ecp.State // when it is to be so by its schedule
	}{
		"nobody does anything":       {25, nil, ecp.Stopped, ecp.Running, ecp.Stopped},
		"start wakes it":             {25, []ecp.Command{start}, ecp.Running, ecp.Running, ecp.Stopped},
		"stopped by day stays so":    {10, []ecp.Command{stop}, ecp.Stopped, ecp.Stopped, ecp.Stopped},
		"stop of a sleeper stays so": {25, []ecp.Command{stop}, ecp.Stopped, ecp.Stopped, ecp.Stopped},
		"start, then stop":           {25, []ecp.Command{start, stop}, ecp.Stopped, ecp.Stopped, ecp.Stopped},
		"stop, then start":           {10, []ecp.Command{stop, start}, ecp.Stopped, ecp.Running, ecp.Stopped},
		"no schedule any more":       {25, []ecp.Command{noSchedule}, ecp.Stopped, ecp.Stopped, ecp.Stopped},
		"none, then start":           {25, []ecp.Command{noSchedule, start}, ecp.Running, ecp.Running, ecp.Running},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				r.patch(c, nights)
				r.awaits(0, x.minute)
				for _, cmd := range x.do {
					r.do(c, cmd)
					<-time.After(3 * time.Minute)
				}
				r.awaits(0, 38)
				require.Equal(t, x.asleep, r.get(c).Status.State, "when it is to sleep")
				r.booked()
				r.awaits(0, 55)
				require.Equal(t, x.awake, r.get(c).Status.State, "when it is to be awake")
				r.booked()
				r.awaits(1, 38)
				require.Equal(t, x.sleeping, r.get(c).Status.State, "when it is to sleep again")
				r.booked()
			})
		})
	}
}

func TestWakeWaitsForThePool(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.patch(c, `{"connections":600,"hibernation":{"sleep":"20 * * * *","wake":"40 * * * *"}}`)
		r.awaits(0, 30)
		require.Zero(t, r.booked())
		other, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "b",
			Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 1, Connections: 500}}})
		require.NoError(t, err, "the sleeper's connections are to be had")
		_, err = c.Do(asSystem(), ecp.Start{})
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded, "a person is told at once")
		r.awaits(0, 50)
		info := r.get(c)
		require.Equal(t, ecp.Stopped, info.Status.State)
		require.Equal(t, ecp.False, onSchedule(info).Status)
		require.Equal(t, ecp.ReasonPoolFull, onSchedule(info).Reason)
		require.Contains(t, onSchedule(info).Message, "is 600; 500 of 1000 connections are free")
		require.Equal(t, 500, r.booked())
		r.do(r.m.Cluster(other.ID), ecp.Delete{Force: true})
		r.awaits(0, 58)
		require.Equal(t, ecp.Running, r.get(c).Status.State, "it is tried again")
		require.Equal(t, ecp.True, onSchedule(r.get(c)).Status)
		require.Equal(t, 600, r.booked())
	})
}

func TestConnectionsStayBookedWhereAskedFor(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.patch(c, `{"hibernation":{"sleep":"20 * * * *","keepQuota":true}}`)
		r.awaits(0, 30)
		require.Equal(t, ecp.Stopped, r.get(c).Status.State)
		require.Equal(t, 10, r.booked())
		r.patch(c, `{"hibernation":{"keepQuota":false}}`)
		r.awaits(0, 50)
		require.Zero(t, r.booked())
		r.patch(c, `{"hibernation":{"keepQuota":true}}`)
		require.Equal(t, 10, r.booked())
		r.do(c, ecp.Delete{})
		r.gone(c)
		require.Zero(t, r.booked())
	})
}

// A daemon that was away does the newest thing that was due, and nothing before it.
func TestScheduleAfterTheDaemonWasAway(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.patch(c, nights)
		r.stop()
		r.awaits(4, 55)
		r.make(r.store, &r.applied)
		r.run()
		r.awaits(4, 58)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		ops, err := r.m.Operations(asSystem(), c.ID(), fleet.OperationOptions{})
		require.NoError(t, err)
		require.Len(t, ops.Items, 1, "it was awake when the daemon left, and is to be awake now")
		r.stop()
		r.awaits(6, 30)
		r.make(r.store, &r.applied)
		r.run()
		r.awaits(6, 35)
		require.Equal(t, ecp.Stopped, r.get(c).Status.State)
	})
}

func TestSleepWaitsForAnOperation(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.patch(c, nights)
		r.awaits(0, 19)
		op := r.do(c, ecp.Restart{})
		r.awaits(0, 20)
		<-time.After(20 * time.Second)
		synctest.Wait()
		info := r.get(c)
		require.Contains(t, []ecp.State{ecp.Updating, ecp.Syncing}, info.Status.State)
		require.Equal(t, ecp.False, onSchedule(info).Status)
		require.Contains(t, onSchedule(info).Message, "stop has been due since 2000-01-01 00:20 UTC")
		require.Contains(t, onSchedule(info).Message, string(op.ID))
		r.ends(op, ecp.PhaseSucceeded)
		r.reaches(c, ecp.Stopped)
		require.True(t, r.get(c).Hibernation.Asleep)
	})
}
