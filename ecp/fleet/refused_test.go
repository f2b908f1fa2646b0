package fleet_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// refusing is a platform that refuses everything while words are set.
type refusing struct {
	*emqxsim.Provisioner
	words atomic.Pointer[string]
	tries atomic.Int64
}

func (p *refusing) Apply(ctx context.Context, d ecp.Desired) error {
	if w := p.words.Load(); w != nil {
		p.tries.Add(1)
		return &ecp.Error{Code: ecp.CodeInvalid, Op: "apply cluster", Message: *w}
	}
	return p.Provisioner.Apply(ctx, d)
}

// unasked is a platform that can be asked nothing before.
type unasked struct{ *emqxsim.Provisioner }

func (unasked) Check(context.Context, ecp.Desired) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: "check cluster", Message: "it does not answer"}
}

func balanced(class string) string {
	return `{"network":{"type":"LoadBalancer","loadBalancerClass":"` + class + `"}}`
}

// What the platform will never take ends the operation at once, with its words,
// and nothing else waits for it.
func TestRefusedForGood(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.make(r.store, unasked{Provisioner: r.sim})
		c, d := r.running()
		r.ends(r.change(c, balanced("example.com/first")), ecp.PhaseSucceeded)
		before := r.found(c)

		began := time.Now()
		failed := r.ends(r.change(c, balanced("example.com/second")), ecp.PhaseFailed)
		require.Less(t, time.Since(began), 5*time.Second)
		require.Contains(t, failed.Error, `spec.loadBalancerClass: Invalid value: "example.com/second": may not change once set`)
		st := r.get(c).Status
		require.Equal(t, ecp.Abnormal, st.State)
		require.Equal(t, ecp.ReasonRefused, st.Reason)
		require.Equal(t, ecp.ReasonRefused, ecp.ConditionOf(st.Conditions, ecp.CondProvisioned).Reason)
		require.Equal(t, ecp.True, ecp.ConditionOf(st.Conditions, ecp.CondAvailable).Status)
		applies := r.m.Stats().Applies
		<-time.After(10 * time.Minute)
		require.InDelta(t, applies+10, r.m.Stats().Applies, 2, "it is asked for again now and then")
		require.Equal(t, before.Nodes, r.found(c).Nodes)

		// Another change is carried out all the same.
		op := r.change(c, `{"size":"2C4G","nodes":4}`)
		op = r.ends(op, ecp.PhaseFailed)
		require.Contains(t, op.Error, "everything else is as wanted")
		o := r.found(c)
		require.Len(t, o.Nodes, 4)
		for _, n := range o.Nodes {
			require.True(t, n.Ready && !n.Outdated)
		}

		r.ends(r.change(c, balanced("example.com/first")), ecp.PhaseSucceeded)
		r.settled(c)
		require.Nil(t, r.get(c).Status.Refused)
		require.Contains(t, d.states(), "abnormal updating syncing running")
	})
}

func TestRefusedAltogether(t *testing.T) {
	words := "StatefulSet is invalid: spec.template: Forbidden"
	refused := func(t *testing.T, test func(r *rig, p *refusing)) {
		inBubble(t, func(r *rig) {
			p := &refusing{Provisioner: r.sim}
			r.make(r.store, p)
			test(r, p)
		})
	}
	t.Run("create", func(t *testing.T) {
		refused(t, func(r *rig, p *refusing) {
			p.words.Store(&words)
			r.run()
			c, op := r.create("a")
			began := time.Now()
			require.Contains(t, r.ends(op, ecp.PhaseFailed).Error, words)
			require.Less(t, time.Since(began), 5*time.Second)
			st := r.get(c).Status
			require.Equal(t, ecp.Nonexistent, st.State)
			require.Equal(t, ecp.ReasonRefused, st.Reason)
			tries := p.tries.Load()
			<-time.After(10 * time.Minute)
			require.Equal(t, tries, p.tries.Load())
			p.words.Store(nil)
			r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		})
	})
	t.Run("change and stop", func(t *testing.T) {
		refused(t, func(r *rig, p *refusing) {
			c, _ := r.running()
			p.words.Store(&words)
			require.Contains(t, r.ends(r.change(c, `{"size":"2C4G"}`), ecp.PhaseFailed).Error, words)
			require.Contains(t, r.ends(r.do(c, ecp.Stop{}), ecp.PhaseFailed).Error, words)
			require.Equal(t, ecp.ReasonRefused, r.get(c).Status.Reason)
			p.words.Store(nil)
			r.reaches(c, ecp.Stopped)
		})
	})
}

func TestRefusalOf(t *testing.T) {
	partly := &ecp.Refusal{What: "Service a", Why: "no", Rest: true}
	require.Nil(t, ecp.RefusalOf(nil))
	require.Nil(t, ecp.RefusalOf(errors.New("boom")))
	require.Nil(t, ecp.RefusalOf(&ecp.Error{Code: ecp.CodeUnavailable}))
	require.Nil(t, ecp.RefusalOf(&ecp.Error{Code: ecp.CodeDenied}), "a right may be given, a quota raised")
	require.Equal(t, partly, ecp.RefusalOf(&ecp.Error{Code: ecp.CodeInvalid, Cause: partly}))
	require.False(t, ecp.RefusalOf(&ecp.Error{Code: ecp.CodeInvalid, Message: "no"}).Rest)
}
