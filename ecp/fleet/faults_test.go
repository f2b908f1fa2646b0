package fleet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// passing are faults that the cluster gets over, by itself or when they end:
// what is shown meanwhile, and that nothing was lost on the way.
var passing = []struct {
	name  string
	wreck func(*rig, ecp.ID) error
	shown ecp.State // waited for before it is mended
	why   ecp.Reason
	mend  func(*rig, ecp.ID) error // nil = it mends itself
	diary string
}{
	{"a node dies", func(r *rig, id ecp.ID) error { return r.sim.KillNode(id, 1) }, ecp.Degraded, ecp.ReasonNodeDown,
		func(r *rig, id ecp.ID) error { return r.sim.ReviveNode(id, 1) }, "running degraded running"},
	{
		"a pod is deleted", func(r *rig, id ecp.ID) error { return r.sim.DeletePod(id, 0) }, ecp.Degraded,
		ecp.ReasonNodeDown,
		nil, "running degraded running",
	},
	{"a pod cannot start", func(r *rig, id ecp.ID) error {
		return r.sim.Break(id, 2, "ImagePullBackOff")
	}, ecp.Degraded, ecp.ReasonNodeDown,
		func(r *rig, id ecp.ID) error { return r.sim.Break(id, 2, "") }, "running degraded running"},
	{"all die", func(r *rig, id ecp.ID) error { return r.sim.KillAll(id) }, ecp.Abnormal, ecp.ReasonNothingServes,
		func(r *rig, id ecp.ID) error { return r.sim.ReviveAll(id) }, "running abnormal running"},
	{
		"scaled to 0 by hand", func(r *rig, id ecp.ID) error { return r.sim.ScaleByHand(id, 0) }, ecp.Abnormal,
		ecp.ReasonNothingServes,
		nil, "running abnormal running",
	},
	{
		"scaled to 2 by hand", func(r *rig, id ecp.ID) error { return r.sim.ScaleByHand(id, 2) }, ecp.Degraded,
		ecp.ReasonNodeDown,
		nil, "running degraded running",
	},
	{"scaled to 5 by hand", func(r *rig, id ecp.ID) error { return r.sim.ScaleByHand(id, 5) }, ecp.Running, "",
		nil, "running"},
	{"the Service is deleted", func(r *rig, id ecp.ID) error { return r.sim.DeleteService(id) }, ecp.Running, "",
		nil, "running"},
}

func TestFaultsThatPass(t *testing.T) {
	for _, f := range passing {
		t.Run(f.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.running()
				kept := claims(r.found(c))
				require.NoError(t, f.wreck(r, c.ID()))
				st := r.reaches(c, f.shown).Status
				if f.why != "" {
					require.Equal(t, f.why, st.Reason)
					require.NotEmpty(t, st.Message)
					<-time.After(time.Second)
				}
				if f.mend != nil {
					<-time.After(time.Minute)
					require.Equal(t, f.shown, r.get(c).Status.State, "it stays as long as the fault")
					require.NoError(t, f.mend(r, c.ID()))
				}
				r.until("what was wanted is there again", func() bool {
					o := r.found(c)
					return o.Converged && len(o.Drift) == 0 && len(o.Nodes) == 3
				}, func() any { return r.found(c) })
				r.reaches(c, ecp.Running)
				require.Equal(t, f.diary, d.states())
				require.Contains(t, claims(r.found(c)), kept, "no claim was made anew")
			})
		})
	}
}

// losses do not come back by themselves.
var losses = []struct {
	name string
	lose func(*rig, ecp.ID) error
	why  ecp.Reason
}{
	{"a claim", func(r *rig, id ecp.ID) error { return r.sim.DeleteClaim(id, 1) }, ecp.ReasonDataLost},
	{"the Secret", func(r *rig, id ecp.ID) error { return r.sim.DeleteAuth(id) }, ecp.ReasonSecretLost},
	{"the namespace", func(r *rig, id ecp.ID) error { return r.sim.DeleteNamespace(id) }, ecp.ReasonDataLost},
}

func TestLosses(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, d := r.running()
				kept := r.found(c)
				require.NoError(t, l.lose(r, c.ID()))
				st := r.reaches(c, ecp.Abnormal).Status
				require.Equal(t, l.why, st.Reason)
				require.Contains(t, st.Message, "has gone; nothing is made anew by itself")
				<-time.After(time.Minute) // what is on its way out goes
				writes := r.sim.Writes()
				r.stop() // a new process does not know better
				r.make(r.store, &r.applied)
				r.run()
				r.looked(20)
				require.Equal(t, writes, r.sim.Writes(), "nothing is made anew")
				require.Equal(t, l.why, r.get(c).Status.Reason)

				r.ends(r.do(r.m.Cluster(c.ID()), ecp.Repair{}), ecp.PhaseSucceeded)
				require.Equal(t, "running abnormal updating syncing running", d.states())
				now := r.found(c)
				require.NotEqual(t, claims(kept), claims(now))
				require.Len(t, now.Volumes, 3)
				r.looked(3)
				require.Equal(t, ecp.Running, r.get(r.m.Cluster(c.ID())).Status.State)
			})
		})
	}
}

func TestLossWhileStopped(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		require.NoError(t, r.sim.DeleteClaim(c.ID(), 0))
		require.Equal(t, ecp.ReasonDataLost, r.reaches(c, ecp.Abnormal).Status.Reason)
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		require.Equal(t, "running stopping stopped abnormal stopping stopped", d.states())
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
	})
}

func TestDeleteAfterALoss(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				require.NoError(t, l.lose(r, c.ID()))
				r.reaches(c, ecp.Abnormal)
				end := r.do(c, ecp.Delete{})
				r.ends(end, ecp.PhaseSucceeded)
				r.gone(c)
				require.False(t, r.found(c).Exists)
				r.leftover(c, end)
			})
		})
	}
}

func TestPodsInAStoppedCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		require.NoError(t, r.sim.ScaleByHand(c.ID(), 2))
		r.until("taken away again", func() bool { return len(r.found(c).Nodes) == 0 }, func() any { return r.found(c) })
		r.reaches(c, ecp.Stopped)
		require.Equal(t, "running stopping stopped stopping stopped", d.states())
	})
}

func TestTheNamespaceIsSomebodyElses(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		require.NoError(t, r.sim.SetForeign(c.ID(), "team-a"))
		writes := r.sim.Writes()
		d := r.watch(c)
		r.run()
		require.NotEmpty(t, r.ends(create, ecp.PhaseFailed).Error)
		st := r.get(c).Status
		require.Equal(t, ecp.ReasonForeignOwner, st.Reason)
		require.Contains(t, st.Message, "team-a")
		applies := r.m.Stats().Applies
		<-time.After(time.Hour)
		require.Equal(t, writes, r.sim.Writes(), "it is not touched")
		require.Equal(t, applies, r.m.Stats().Applies, "nor is it tried to")

		require.NoError(t, r.sim.SetForeign(c.ID(), ""))
		r.reaches(c, ecp.Running)
		require.Equal(t, "creating abnormal running", d.states())

		require.NoError(t, r.sim.SetForeign(c.ID(), "team-b"))
		r.reaches(c, ecp.Abnormal)
		writes = r.sim.Writes()
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		r.gone(c)
		require.Equal(t, writes, r.sim.Writes())
		require.Equal(t, "team-b", r.found(c).ForeignOwner)
	})
}

// Unseen is not broken.
func TestNothingCanBeReached(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		before, writes := r.found(c), r.sim.Writes()
		since := time.Now()
		r.sim.SetUnreachable(true)
		r.until("stale", func() bool { return !r.get(c).Status.StaleFrom.IsZero() },
			func() any { return r.get(c).Status })
		st := r.get(c).Status
		require.WithinDuration(t, since, st.StaleFrom, time.Second)
		for _, kind := range []ecp.ConditionType{
			ecp.CondProvisioned, ecp.CondAvailable, ecp.CondReady, ecp.CondManagementReachable, ecp.CondSettled,
			ecp.CondHealthy,
		} {
			require.Equal(t, ecp.Unknown, ecp.ConditionOf(st.Conditions, kind).Status, kind)
		}
		<-time.After(time.Hour)
		info := r.get(c)
		require.Equal(t, ecp.Running, info.Status.State)
		require.Equal(t, st.StaleFrom, info.Status.StaleFrom)
		require.Equal(t, 3, info.ReadyNodes, "what was seen last")
		r.sim.SetUnreachable(false)
		r.settled(c)
		require.Zero(t, r.get(c).Status.StaleFrom)
		require.Equal(t, "running", d.states())
		require.Equal(t, writes, r.sim.Writes())
		require.Equal(t, before.Nodes, r.found(c).Nodes)
	})
}

func TestCreateWhileNothingCanBeReached(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sim.SetUnreachable(true)
		c, create := r.create("a")
		d := r.watch(c)
		r.run()
		<-time.After(2 * time.Hour)
		require.Equal(t, ecp.Creating, r.get(c).Status.State, "the deadline stands still")
		r.sim.SetUnreachable(false)
		r.ends(create, ecp.PhaseSucceeded)
		require.Equal(t, "creating running", d.states())
	})
}

func TestStopWhileNothingCanBeReached(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.SetUnreachable(true)
		<-time.After(time.Hour)
		stop := r.do(c, ecp.Stop{})
		<-time.After(time.Hour)
		r.sim.SetUnreachable(false)
		r.until("fresh", func() bool { return r.get(c).Status.StaleFrom.IsZero() },
			func() any { return r.get(c).Status })
		require.WithinRange(t, r.get(c).Status.Deadline, time.Now().Add(4*time.Minute), time.Now().Add(5*time.Minute),
			"its own time, no more")
		r.ends(stop, ecp.PhaseSucceeded)
	})
}

func TestNothingIsEverDispatched(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sim.FailApply(errors.New("webhook: password=hunter2"))
		c, create := r.create("a")
		d := r.watch(c)
		r.run()
		failed := r.ends(create, ecp.PhaseFailed)
		require.NotContains(t, failed.Error, "hunter2")
		st := r.get(c).Status
		require.Equal(t, ecp.Nonexistent, st.State)
		require.Equal(t, ecp.ReasonNotDispatched, st.Reason)
		require.WithinDuration(t, st.Since, r.get(c).CreatedAt, 95*time.Second)
		_, err := c.Do(asSystem(), ecp.Start{})
		require.ErrorContains(t, err, "legal now: repair, transfer, delete")

		r.sim.FailApply(nil)
		<-time.After(time.Hour)
		require.Equal(t, ecp.Nonexistent, r.get(c).Status.State, "it is a person's turn")
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		require.Equal(t, "creating nonexistent creating running", d.states())
	})
}

func TestDeleteOfTheNonexistent(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sim.FailApply(errors.New("away"))
		c, _ := r.create("a")
		r.run()
		r.reaches(c, ecp.Nonexistent)
		end := r.do(c, ecp.Delete{})
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
		r.leftover(c, end)
	})
}

func TestCreateIsOverdue(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		d := r.watch(c)
		r.run()
		r.until("pods", func() bool { return len(r.found(c).Nodes) == 3 }, func() any { return r.found(c) })
		require.NoError(t, r.sim.Break(c.ID(), 1, "ImagePullBackOff"))
		began := time.Now()
		failed := r.ends(create, ecp.PhaseFailed)
		require.Contains(t, failed.Error, "2 of 3 nodes are ready")
		require.Contains(t, failed.Error, "ImagePullBackOff")
		require.GreaterOrEqual(t, time.Since(began), 14*time.Minute)
		require.NoError(t, r.sim.Break(c.ID(), 1, ""))
		r.reaches(c, ecp.Running)
		require.Equal(t, "creating abnormal running", d.states())
		r.settled(c)
	})
}

func TestApplyFailsForAWhile(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.FailApply(&ecp.Error{Code: ecp.CodeUnavailable, Message: "webhook away"})
		stop := r.do(c, ecp.Stop{})
		r.until("the operation says why", func() bool {
			op, err := r.m.Operation(asSystem(), stop.ID)
			require.NoError(t, err)
			return op.Error == "webhook away"
		}, func() any { return r.get(c).Status })
		r.sim.FailApply(nil)
		require.Empty(t, r.ends(stop, ecp.PhaseSucceeded).Error)
	})
}

func TestStopIsOverdueAndNeverGivenUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.sim.FailApply(errors.New("away"))
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseFailed)
		require.Equal(t, ecp.ReasonStopFailed, r.get(c).Status.Reason)
		r.sim.FailApply(nil)
		r.reaches(c, ecp.Stopped)
		require.Equal(t, "running stopping abnormal stopped", d.states())
	})
}

// After a stop that failed there is nothing to restart: every operation ends.
func TestRestartAfterAFailedStop(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.FailApply(errors.New("away"))
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseFailed)
		_, err := c.Plan(asSystem(), ecp.Restart{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		_, err = c.Do(asSystem(), ecp.Restart{})
		require.ErrorContains(t, err, "powered off")
		r.sim.FailApply(nil)
		r.reaches(c, ecp.Stopped)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
	})
}

func TestDeletionIsOverdueAndNeverGivenUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.sim.FailApply(errors.New("away"))
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseFailed)
		end := r.do(c, ecp.Delete{})
		st := r.reaches(c, ecp.Abnormal).Status
		require.Equal(t, ecp.ReasonDeleteFailed, st.Reason)
		op, err := r.m.Operation(asSystem(), end.ID)
		require.NoError(t, err)
		require.False(t, op.Phase.Final(), "a deletion does not fail")
		require.NotEmpty(t, op.Error)
		r.sim.FailApply(nil)
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
		require.Equal(t, "running stopping abnormal stopping abnormal stopped gone", d.states())
	})
}
