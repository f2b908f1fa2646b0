package fleet_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// TestConnectionLimitLife: set, changed up and down, given back; what is booked is
// what the broker has, and a license is never sent.
func TestConnectionLimitLife(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		require.True(t, r.feature().Available, r.feature().Why)
		before := r.rec()
		op, err := r.set(500)
		require.NoError(t, err)
		require.Equal(t, ecp.OpUpdate, op.Kind)
		require.Equal(t, ecp.PhaseQueued, op.Phase)
		require.Equal(t, "limit-read 0/0 limit-set 0/0 limit-verified 0/0 ", done(op))
		r.exact()
		rec := r.rec()
		require.Equal(t, 500, rec.Booked(), "at once")
		require.Equal(t, before.Generation+1, rec.Generation)
		require.Equal(t, 25, r.has(), "nobody has asked the broker yet")

		rec = r.pass(1, time.Second)
		require.Equal(t, 500, r.has())
		require.Equal(t, ecp.PhaseSucceeded, r.ops()[0].Phase, "%+v", r.ops()[0])
		require.Equal(t, "limit-read 1/1 limit-set 1/1 limit-verified 1/1 ", done(r.ops()[0]))
		require.Empty(t, rec.Status.Operation)
		require.Equal(t, ecp.True, ecp.ConditionOf(rec.Status.Conditions, ecp.CondSettled).Status)
		require.Equal(t, ecp.True, ecp.ConditionOf(rec.Status.Conditions, ecp.CondUpToDate).Status)
		require.Equal(t, rec.Generation, ecp.ConditionOf(rec.Status.Conditions, ecp.CondSettled).Generation)
		info, err := r.m.Cluster(r.id).Get(asSystem())
		require.NoError(t, err)
		require.Equal(t, ecp.ConnectionsInfo{Limit: 500, EnforcedBy: ecp.EnforcedByLicense}, info.Current,
			"not what the report before told")

		again, err := r.set(500)
		require.NoError(t, err)
		require.Zero(t, again, "that holds already")
		r.becomes(800, ecp.PhaseSucceeded)
		require.Equal(t, 800, r.has())

		_, err = r.set(300)
		require.NoError(t, err)
		require.Equal(t, 800, r.rec().Booked(), "EMQX may keep to the old number yet")
		r.exact()
		r.settle()
		require.Equal(t, 300, r.has())
		require.Equal(t, 300, r.rec().Booked())
		r.exact()

		plan, err := r.m.Cluster(r.id).Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":0}`)})
		require.NoError(t, err)
		require.Contains(t, plan.Notes, "EMQX gets the limit back that it had before the first change from here: 25")
		require.Equal(t, []string{"limit-read", "limit-set", "limit-verified"}, plan.Steps)
		op, err = r.set(0)
		require.NoError(t, err)
		require.Equal(t, 300, r.rec().Booked())
		r.exact()
		r.settle()
		require.Equal(t, 25, r.has())
		require.Zero(t, r.rec().Booked())
		require.Nil(t, r.rec().Status.Limit)
		require.False(t, slices.ContainsFunc(r.rec().Status.Conditions,
			func(c ecp.Condition) bool { return c.Type == ecp.CondUpToDate }))
		r.exact()
		for _, sent := range r.sent {
			require.Equal(t, "PUT /api/v5/license/setting", sent)
		}
		require.Len(t, r.sent, 4)
		require.NotEmpty(t, op.ID)
	})
}

// TestLimitThatIsThereAlready: what EMQX had is what it gets back, and never 0 where
// nothing had to be sent.
func TestLimitThatIsThereAlready(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.byHand(50)
		r.becomes(50, ecp.PhaseSucceeded)
		require.Empty(t, r.sent)
		r.becomes(0, ecp.PhaseSucceeded)
		require.Equal(t, 50, r.has())
		r.becomes(50, ecp.PhaseSucceeded)
		r.becomes(80, ecp.PhaseSucceeded)
		r.becomes(0, ecp.PhaseSucceeded)
		require.Equal(t, 50, r.has())
		r.exact()
	})
}

// TestLimitsAreRefused: what can never work, or not now, is refused at once, and
// nothing is booked.
func TestLimitsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		sim     emqxsim.ClusterConfig
		prepare func(*limitRig)
		ask     int
		code    ecp.Code
		why     string
	}{
		{"too old", emqxsim.ClusterConfig{
			Version: "5.6.1",
			License: &emqxsim.License{Limit: 1000},
		}, nil, 5, ecp.CodeUnsupported, "needs EMQX 5.7.0 or later"},
		{"another license", emqxsim.ClusterConfig{
			License: &emqxsim.License{Limit: 1000, CustomerType: emqxsim.LargeCustomer},
		}, nil, 5, ecp.CodeUnsupported, "needs a business critical license (type 3)"},
		{"4.4 does not list the call", emqxsim.ClusterConfig{
			Version: "4.4.24",
		}, nil, 5, ecp.CodeUnsupported, "does not list the call"},
		{
			"no agent", emqxsim.ClusterConfig{}, func(r *limitRig) { r.away = true; r.report() }, 5,
			ecp.CodeUnsupported, "needs a connected agent",
		},
		{
			"more than the pool has", emqxsim.ClusterConfig{}, nil, 2001, ecp.CodeQuotaExceeded,
			"2000 of 2000 connections are free",
		},
		{"negative", emqxsim.ClusterConfig{}, nil, -1, ecp.CodeInvalid, "0 to 100000000 connections are allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLimitRig(t, c.sim, func(r *limitRig) {
				r.pass(1, time.Second)
				if c.prepare != nil {
					c.prepare(r)
				}
				before := r.rec()
				_, err := r.set(c.ask)
				var e *ecp.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.code, e.Code)
				require.Equal(t, "spec.connections", e.Fields[0].Field)
				require.Contains(t, e.Fields[0].Message, c.why)
				require.Equal(t, before, r.rec())
				require.Empty(t, r.sent)
				r.exact()
			})
		})
	}
}

// readOnly is what an agent answers that lets nobody change anything.
const readOnly = `{"code":"READ_ONLY","message":"the agent is read-only: whoever set it up lets nobody change anything through it"}`

// TestLimitAtBrokers: how brokers behave, and what becomes of a limit of 300 where
// 100 was set before.
func TestLimitAtBrokers(t *testing.T) {
	const put = "/api/v5/license/setting"
	for _, c := range []struct {
		name  string
		fault func(*limitRig)
		phase ecp.Phase
		says  string
		note  string
		has   int
	}{
		{name: "takes it", phase: ecp.PhaseSucceeded, has: 300},
		{name: "caps it", fault: func(r *limitRig) {
			smaller := critical
			smaller.Limit = 200
			r.sim.SetLicense(smaller)
		}, phase: ecp.PhaseSucceeded, note: "EMQX keeps to 200 connections: its license allows no more", has: 300},
		{name: "refuses it", fault: func(r *limitRig) {
			r.instead = answers(400, `{"code":"BAD_REQUEST","message":"Bad license setting"}`)
		}, phase: ecp.PhaseFailed, says: "Bad license setting", has: 100},
		{name: "is behind a read-only agent", fault: func(r *limitRig) {
			r.instead = answers(403, readOnly)
		}, phase: ecp.PhaseFailed, says: "the agent is read-only", has: 100},
		{name: "is behind an agent that refuses it itself", fault: func(r *limitRig) {
			r.deny = &ecp.Error{Code: ecp.CodeDenied, Message: "the agent is read-only"}
		}, phase: ecp.PhaseFailed, says: "the agent is read-only", has: 100},
		{name: "is behind an agent that is busy", fault: func(r *limitRig) {
			r.deny = &ecp.Error{Code: ecp.CodeThrottled, Message: "too many"}
		}, phase: ecp.PhaseFailed, says: "its time was over", has: 100},
		{name: "has lost the license since the last report", fault: func(r *limitRig) {
			r.sim.SetLicense(emqxsim.License{Limit: 100, CustomerType: emqxsim.LargeCustomer})
			r.kind = 3
		}, phase: ecp.PhaseFailed, says: "LicenseNotBusinessCritical"},
		{name: "drops it", fault: func(r *limitRig) {
			r.instead = answers(200, `{"connection_high_watermark":"80%","connection_low_watermark":"75%"}`)
		}, phase: ecp.PhaseFailed, says: "LicenseNotBusinessCritical", has: 100},
		{name: "echoes another number", fault: func(r *limitRig) {
			r.instead = answers(200, `{"connection_high_watermark":"80%","connection_low_watermark":"75%","dynamic_max_connections":100}`)
		}, phase: ecp.PhaseFailed, says: "LicenseNotBusinessCritical", has: 100},
		{name: "answers 500 to the end", fault: func(r *limitRig) {
			r.instead = answers(500, `{"code":"INTERNAL_ERROR","message":"x"}`)
		}, phase: ecp.PhaseFailed, says: "its time was over", has: 100},
		{name: "sets it and says that it did not", fault: func(r *limitRig) {
			r.sim.AddFault(emqxsim.Fault{Method: http.MethodPut, Path: put, Status: 500, Body: `{"code":"INTERNAL_ERROR","message":"x"}`})
		}, phase: ecp.PhaseSucceeded, has: 300},
		{name: "answers 503 for a while", fault: func(r *limitRig) {
			r.sim.AddFault(emqxsim.Fault{Path: put, Status: 503, Times: 9})
		}, phase: ecp.PhaseSucceeded, has: 300},
		{name: "sets it and hangs up", fault: func(r *limitRig) {
			r.sim.AddFault(emqxsim.Fault{Method: http.MethodPut, Path: put, Half: true, Times: 3})
		}, phase: ecp.PhaseSucceeded, has: 300},
		{name: "cannot be reached for a while", fault: func(r *limitRig) {
			r.sim.AddFault(emqxsim.Fault{Refuse: true, Path: "/api/v5/license**", Times: 8})
		}, phase: ecp.PhaseSucceeded, has: 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
				r.becomes(100, ecp.PhaseSucceeded)
				_, err := r.set(300)
				require.NoError(t, err)
				require.Equal(t, 300, r.rec().Booked())
				if c.fault != nil {
					c.fault(r)
				}
				for range 200 {
					r.exact()
					if r.ops()[0].Phase.Final() {
						break
					}
					r.pass(1, 2*time.Second)
					r.showAnyway()
				}
				op := r.ops()[0]
				require.Equal(t, c.phase, op.Phase, "%+v", op)
				require.Equal(t, c.note, op.Note)
				r.pass(10, 4*time.Second) // what is not known in the end is found out
				want := 300
				if c.phase == ecp.PhaseFailed {
					want = 100
					require.Contains(t, op.Error, c.says)
				} else {
					require.Empty(t, op.Error)
				}
				require.Equal(t, want, r.rec().Spec.Connections(), "what is recorded")
				require.Equal(t, want, r.rec().Booked(), "what is booked")
				r.exact()
				if c.has != 0 {
					require.Equal(t, c.has, r.actual(), "what EMQX has")
				}
				for _, sent := range r.sent {
					require.Equal(t, "PUT "+put, sent)
				}
			})
		})
	}
}

// TestDroppedLimitIsNotTriedAgain: the feature says that the broker drops limits,
// until it is reported to be another one.
func TestDroppedLimitIsNotTriedAgain(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{License: &emqxsim.License{Limit: 1000, CustomerType: emqxsim.LargeCustomer}},
		func(r *limitRig) {
			r.kind = 3
			r.report()
			op := r.becomes(300, ecp.PhaseFailed)
			require.Contains(t, op.Error, "LicenseNotBusinessCritical: only a business critical license takes a limit")
			require.Zero(t, r.rec().Booked())
			require.Nil(t, r.rec().Status.Limit, "nothing from here is there")
			require.Empty(t, r.sent, "it says so before anything is sent")
			require.Contains(t, r.feature().Why, "LicenseNotBusinessCritical: only a business critical license")
			_, err := r.set(300)
			require.ErrorIs(t, err, ecp.ErrUnsupported)
			r.report()
			r.pass(3, time.Second)
			require.False(t, r.feature().Available, "the same again")

			r.kind = 0
			r.report()
			r.pass(1, time.Second)
			require.Equal(t, "needs a business critical license (type 3)", r.feature().Why)
			r.sim.SetLicense(critical)
			r.report()
			r.pass(1, time.Second)
			require.True(t, r.feature().Available, r.feature().Why)
			r.becomes(300, ecp.PhaseSucceeded)
			r.exact()
		})
}

// TestLimitOf44: where the broker lists the call, its words are other ones and the
// rest is the same. What it allows is kept apart from what was set.
func TestLimitOf44(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{Version: "4.4.24", License: &emqxsim.License{Limit: 1000}}, func(r *limitRig) {
		r.sim.SetDynamicLicense(http.MethodPut, "max_connections")
		r.report()
		r.pass(1, time.Second)
		r.becomes(600, ecp.PhaseSucceeded)
		require.Equal(t, 600, r.has())
		op := r.becomes(1500, ecp.PhaseSucceeded)
		require.Equal(t, 1000, r.has())
		require.Equal(t, 1500, r.rec().Booked())
		require.Empty(t, op.Error)
		r.exact()
		require.Equal(t, ecp.True, ecp.ConditionOf(r.settle().Status.Conditions, ecp.CondUpToDate).Status)
		r.becomes(600, ecp.PhaseSucceeded)
		r.becomes(0, ecp.PhaseSucceeded)
		require.Equal(t, 1000, r.has())
		r.exact()

		r.sim.SetDynamicLicense(http.MethodPut, "limit") // the field has another name
		op = r.becomes(600, ecp.PhaseFailed)
		require.Contains(t, op.Error, "does not accept the number in the field max_connections")
		require.Zero(t, r.rec().Booked())
	})
}

// TestLimitIsNotFoughtOver: somebody else's number is shown, left, and overwritten
// only when that is asked for; it is not taken away when the cluster goes.
func TestLimitIsNotFoughtOver(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.becomes(500, ecp.PhaseSucceeded)
		sent := len(r.sent)
		r.byHand(700)
		r.pass(1, time.Second)
		r.report()
		rec := r.pass(1, 100*time.Millisecond)
		require.Equal(t, ecp.True, ecp.ConditionOf(rec.Status.Conditions, ecp.CondUpToDate).Status, "seen once")
		<-time.After(10 * time.Second)
		r.report()
		rec = r.pass(1, time.Second)
		c := ecp.ConditionOf(rec.Status.Conditions, ecp.CondUpToDate)
		require.Equal(t, ecp.False, c.Status)
		require.Equal(t, ecp.ReasonLimitDiffers, c.Reason)
		require.Contains(t, c.Message, "500 connections were set from here")
		require.Equal(t, ecp.Running, rec.Status.State, "it is not broken")
		info, err := r.m.Cluster(r.id).Get(asSystem())
		require.NoError(t, err)
		require.Equal(t, ecp.ConnectionsInfo{Limit: 700, EnforcedBy: ecp.EnforcedByLicense}, info.Current)
		r.pass(20, 10*time.Second)
		require.Len(t, r.sent, sent, "it is their cluster")
		require.Equal(t, 500, r.rec().Booked())

		name := "other"
		op, err := r.m.Cluster(r.id).Do(asSystem(), ecp.Update{Name: &name})
		require.NoError(t, err)
		require.Zero(t, op, "a new name sets no limit")
		r.report()
		r.becomes(500, ecp.PhaseSucceeded)
		require.Equal(t, 500, r.has(), "it was asked for")
		require.Equal(t, ecp.True, ecp.ConditionOf(r.settle().Status.Conditions, ecp.CondUpToDate).Status)

		r.byHand(900)
		op = r.becomes(0, ecp.PhaseSucceeded)
		require.Equal(t, 900, r.has())
		require.Contains(t, op.Note, "somebody else has set 900 at EMQX since; that was left")
		require.Zero(t, r.rec().Booked())
		r.exact()
	})
}

// TestAgentGoesWhileALimitIsSet: it is waited for, for as long as the operation
// has; what may have reached EMQX stays booked until that is known, and is taken back.
func TestAgentGoesWhileALimitIsSet(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.becomes(100, ecp.PhaseSucceeded)
		_, err := r.set(300)
		require.NoError(t, err)
		r.away = true
		r.report()
		r.pass(10, 10*time.Second)
		require.Equal(t, ecp.PhaseRunning, r.ops()[0].Phase)
		require.Contains(t, r.ops()[0].Error, "no agent of the cluster is connected")
		r.away = false
		r.report()
		r.pass(2, 5*time.Second)
		require.Equal(t, ecp.PhaseSucceeded, r.ops()[0].Phase)
		require.Equal(t, 300, r.has())

		// It is sent, and the agent goes before EMQX has answered.
		_, err = r.set(600)
		require.NoError(t, err)
		r.life.afterIt = http.MethodPut
		r.pass(1, time.Second)
		require.True(t, r.life.dead)
		require.Equal(t, 600, r.has())
		r.away = true
		r.restart()
		r.pass(40, 10*time.Second)
		op := r.ops()[0]
		require.Equal(t, ecp.PhaseFailed, op.Phase, "%+v", op)
		require.Contains(t, op.Error, "its time was over: no agent of the cluster is connected")
		rec := r.rec()
		require.Equal(t, 300, rec.Spec.Connections())
		require.Equal(t, 600, rec.Booked(), "EMQX may have it")
		c := ecp.ConditionOf(rec.Status.Conditions, ecp.CondUpToDate)
		require.Equal(t, ecp.ReasonLimitDiffers, c.Reason)
		r.exact()
		r.away = false
		r.report()
		rec = r.settle()
		require.Equal(t, 300, r.has())
		require.Equal(t, 300, rec.Booked())
		r.exact()
	})
}

// TestCancelOfALimit: what was before comes back, as an operation of its own.
func TestCancelOfALimit(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		for _, before := range []int{0, 100} {
			if before > 0 {
				r.becomes(before, ecp.PhaseSucceeded)
			}
			op, err := r.set(300)
			require.NoError(t, err)
			r.away = true
			r.report()
			r.pass(2, 5*time.Second)
			back, err := r.m.CancelOperation(asSystem(), op.ID)
			require.NoError(t, err)
			require.Equal(t, before, r.rec().Spec.Connections())
			r.away = false
			r.report()
			r.settle()
			for _, o := range r.ops() {
				switch o.ID {
				case op.ID:
					require.Equal(t, ecp.PhaseCancelled, o.Phase)
				case back.ID:
					require.Equal(t, ecp.PhaseSucceeded, o.Phase, "%+v", o)
				}
			}
			require.Equal(t, max(before, 25), r.has())
			require.Equal(t, before, r.rec().Booked())
			r.exact()
		}
	})
}

// TestDeleteReleasesTheLimit: first EMQX gets its own number back, through agents
// that stay for that; a release that fails is shown and tried again.
func TestDeleteReleasesTheLimit(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.becomes(500, ecp.PhaseSucceeded)
		fail := r.sim.AddFault(emqxsim.Fault{
			Method: http.MethodPut,
			Path:   "/api/v5/license/setting",
			Status: 500,
			Body:   `{"code":"INTERNAL_ERROR","message":"x"}`,
		})
		<-time.After(time.Hour)
		r.report()
		op, err := r.m.Cluster(r.id).Do(asSystem(), ecp.Delete{})
		require.NoError(t, err)
		require.Equal(t, "limit-released 0/0 quota-released 0/0 ", done(op))
		rec := r.pass(1, time.Second)
		require.Equal(t, ecp.Abnormal, rec.Status.State)
		require.Equal(t, ecp.ReasonQuotaReleaseFailed, rec.Status.Reason)
		require.Contains(t, rec.Status.Message, "EMQX has not got its own limit of 25 back")
		require.Contains(t, rec.Status.Message, "delete with force")
		require.Equal(t, 500, rec.Booked())
		require.Equal(t, ecp.True, ecp.ConditionOf(rec.Status.Conditions, ecp.CondAgentConnected).Status)
		_, err = r.m.Agents.Key(context.Background(), r.agent)
		require.NoError(t, err, "it is what the deletion needs")
		r.exact()

		// The host was made anew: another agent can register for it.
		require.NoError(t, r.m.Agents.Remove(asSystem(), r.id, r.agent))
		rec = r.pass(1, 10*time.Second)
		require.Contains(t, rec.Status.Message, "no agent of the cluster is connected")
		fail()
		require.NoError(t, r.register("y"))
		require.Equal(t, ecp.Abnormal, r.rec().Status.State, "that moves no cluster that is being deleted")
		r.report()
		r.pass(3, 6*time.Second)
		require.Empty(t, r.rec().ID)
		require.Equal(t, 25, r.actual())
		require.Equal(t, ecp.PhaseSucceeded, r.ops()[0].Phase)
		require.Equal(t, "limit-released 1/1 quota-released 1/1 ", done(r.ops()[0]))
		_, err = r.m.Agents.Key(context.Background(), r.agent)
		require.ErrorIs(t, err, ecp.ErrNotFound)
		r.exact()
	})
}

// TestForcedDeleteSaysWhatIsLeft: in its answer and in the audit.
func TestForcedDeleteSaysWhatIsLeft(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.becomes(500, ecp.PhaseSucceeded)
		r.away = true
		r.report()
		op, err := r.m.Cluster(r.id).Do(asSystem(), ecp.Delete{})
		require.NoError(t, err)
		<-time.After(time.Hour)
		require.Equal(t, ecp.Abnormal, r.pass(1, time.Second).Status.State)
		plan, err := r.m.Cluster(r.id).Plan(asSystem(), ecp.Delete{Force: true})
		require.NoError(t, err)
		const left = "EMQX may keep the limit of 500 connections that was set from here; before the first change it " +
			"was 25: set it there by hand"
		require.Contains(t, plan.Notes, left)
		forced, err := r.m.Cluster(r.id).Do(asSystem(), ecp.Delete{Force: true})
		require.NoError(t, err)
		require.Equal(t, op.ID, forced.ID)
		require.Equal(t, left, forced.Note)
		r.pass(1, time.Second)
		require.Empty(t, r.rec().ID)
		require.Equal(t, ecp.PhaseSucceeded, r.ops()[0].Phase)
		require.Equal(t, left, r.ops()[0].Note)
		require.Equal(t, 500, r.has())
		r.exact()
		require.Contains(t, r.audited(), left)
	})
}

// TestReregistrationTouchesNoLimit: nor does a last agent that goes.
func TestReregistrationTouchesNoLimit(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		r.becomes(500, ecp.PhaseSucceeded)
		sent, was := len(r.sent), r.rec()
		require.NoError(t, r.register("x"), "the same key")
		require.NoError(t, r.m.Agents.Remove(asSystem(), r.id, r.agent))
		rec := r.pass(2, 10*time.Second)
		require.Equal(t, ecp.Created, rec.Status.State)
		require.Equal(t, 500, rec.Booked(), "EMQX keeps to it")
		require.NoError(t, r.register("y"))
		r.report()
		rec = r.pass(3, 10*time.Second)
		require.Equal(t, was.Spec, rec.Spec)
		require.Equal(t, was.Status.Limit, rec.Status.Limit)
		require.Equal(t, was.Generation, rec.Generation)
		require.Len(t, r.sent, sent)
		require.Equal(t, 500, r.has())
		r.exact()
	})
}

// TestTransferOfALimit: what is booked moves under the quotas, in mid-operation too.
func TestTransferOfALimit(t *testing.T) {
	inLimitRig(t, emqxsim.ClusterConfig{}, func(r *limitRig) {
		for of, n := range map[string]int{"a/p": 600, "a/q": 400, "a": 700} {
			_, err := r.m.Directory.UpdateQuota(asSystem(), ecp.Quota{Of: of, Connections: n})
			require.NoError(t, err)
		}
		_, err := r.set(601)
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
		r.becomes(500, ecp.PhaseSucceeded)
		_, err = r.set(300)
		require.NoError(t, err)
		_, err = r.m.Cluster(r.id).Do(asSystem(), ecp.Transfer{Project: "a/q"})
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded, "500 are booked until EMQX has 300")
		r.settle()
		_, err = r.set(350)
		require.NoError(t, err)
		_, err = r.m.Cluster(r.id).Do(asSystem(), ecp.Transfer{Project: "a/q"})
		require.NoError(t, err)
		r.exact()
		r.settle()
		require.Equal(t, 350, r.has())
		r.exact()
	})
}

// TestRecordsOfBeforeLimits: a record of an earlier build reads as it did.
func TestRecordsOfBeforeLimits(t *testing.T) {
	p, err := fleet.Kinds().Decode(ecp.KindCluster, []byte(`{"id":"emqx-0a1b2c3d","name":"a","project":"a/p","mode":"adopted","spec":{"adopted":{"connections":7}},"status":{"state":"running","reason":"AsExpected"},"generation":1,"revision":1}`))
	require.NoError(t, err)
	rec := p.(ecp.ClusterRecord)
	require.Equal(t, 7, rec.Booked())
	require.Nil(t, rec.Status.Limit)
	b, err := json.Marshal(rec)
	require.NoError(t, err)
	require.NotContains(t, string(b), "limit")
}
