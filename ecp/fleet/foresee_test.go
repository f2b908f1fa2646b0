package fleet_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// asked is a platform that counts how often it is asked before.
type asked struct {
	*emqxsim.Provisioner
	times atomic.Int64
	first atomic.Pointer[func(ctx context.Context, d ecp.Desired) error] // asked instead; nil = nobody is
}

func (p *asked) Check(ctx context.Context, d ecp.Desired) error {
	p.times.Add(1)
	if first := p.first.Load(); first != nil {
		return (*first)(ctx, d)
	}
	return p.Provisioner.Check(ctx, d)
}

func (r *rig) asked() *asked {
	p := &asked{Provisioner: r.sim}
	r.make(r.store, p)
	return p
}

// refusedBefore: nothing of a request is stored that the platform never takes.
func (r *rig) refusedBefore(c ecp.Cluster, cmd ecp.Command, field, words string) {
	r.t.Helper()
	before := r.get(c)
	_, planErr := c.Plan(asSystem(), cmd)
	_, err := c.Do(asSystem(), cmd)
	for _, err := range []error{planErr, err} {
		require.ErrorIs(r.t, err, ecp.ErrInvalid)
		var e *ecp.Error
		require.ErrorAs(r.t, err, &e)
		require.Equal(r.t, field, e.Fields[0].Field)
		require.Contains(r.t, e.Fields[0].Message, words)
	}
	after := r.get(c)
	before.Status, after.Status = ecp.Status{}, ecp.Status{} // a pass may have come between
	require.Equal(r.t, before.ClusterRecord, after.ClusterRecord)
}

// What the platform will never take is refused before anything is stored, and
// stands in nobody's way.
func TestForeseen(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.ends(r.change(c, balanced("example.com/first")), ecp.PhaseSucceeded)
		r.refusedBefore(c, patched(balanced("example.com/second")), "spec.network.loadBalancerClass",
			"may not change once set")
		r.ends(r.change(c, `{"nodes":4}`), ecp.PhaseSucceeded)
		r.settled(c)
	})
}

// A platform that is away, or does not answer in time, refuses nothing: that it
// was not asked is said.
func TestNotForeseen(t *testing.T) {
	hangs := func(ctx context.Context, _ ecp.Desired) error {
		<-ctx.Done()
		return &ecp.Error{
			Code:    ecp.CodeUnavailable,
			Op:      "check cluster",
			Message: "it did not answer",
			Cause:   ctx.Err(),
		}
	}
	inBubble(t, func(r *rig) {
		p := r.asked()
		c, _ := r.running()
		r.sim.SetUnreachable(true)
		plan, err := c.Plan(asSystem(), patched(`{"connections":20}`))
		require.NoError(t, err)
		require.Contains(t, plan.Notes[len(plan.Notes)-1], "could not be found out before: ")
		op := r.change(c, `{"connections":20}`)
		r.sim.SetUnreachable(false)
		r.ends(op, ecp.PhaseSucceeded)

		p.first.Store(&hangs)
		began := time.Now()
		op = r.change(c, `{"connections":30}`)
		require.Equal(t, 5*time.Second, time.Since(began))
		r.ends(op, ecp.PhaseSucceeded)
	})
}

// What is refused already is refused on, and other changes are taken.
func TestForeseenAsBefore(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := r.asked()
		c, _ := r.running()
		r.ends(r.change(c, balanced("example.com/first")), ecp.PhaseSucceeded)
		away := func(context.Context, ecp.Desired) error { return ecp.ErrUnavailable }
		p.first.Store(&away)
		r.ends(r.change(c, balanced("example.com/second")), ecp.PhaseFailed)
		p.first.Store(nil)
		plan, err := c.Plan(asSystem(), patched(`{"connections":20}`))
		require.NoError(t, err)
		require.Contains(t, plan.Notes[len(plan.Notes)-1], "goes on to refuse")
		r.change(c, `{"connections":20}`)
		r.refusedBefore(c, patched(balanced("example.com/third")), "spec.network.loadBalancerClass",
			"example.com/third")
		r.ends(r.change(c, balanced("example.com/first")), ecp.PhaseSucceeded)
		r.settled(c)
	})
}

// Only who may make a change lets the platform be asked, and only about one that
// is a change.
func TestWhoAsksBefore(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := r.asked()
		c, _ := r.running()
		times := func(fn func()) int64 {
			before := p.times.Load()
			fn()
			return p.times.Load() - before
		}
		stranger := ecp.WithActor(context.Background(), ecp.Actor{Name: "mallory"})
		for _, ctx := range []context.Context{context.Background(), stranger} {
			require.Zero(t, times(func() {
				_, err := c.Do(ctx, patched(`{"connections":20}`))
				require.Error(t, err)
				_, err = c.Plan(ctx, patched(`{"connections":20}`))
				require.Error(t, err)
				_, _, err = r.m.Create(ctx,
					fleet.CreateRequest{Mode: ecp.Hosted, Name: "b", Spec: spec("emqx-ee-5.8.9", 1)})
				require.Error(t, err)
			}))
		}
		name := "other"
		require.Zero(t, times(func() {
			r.do(c, ecp.Update{Name: &name})
			r.do(c, patched(`{"connections":10}`))
			_, err := c.Do(asSystem(), patched(`{"nodes":99}`))
			require.ErrorIs(t, err, ecp.ErrInvalid)
			r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		}))
		again := ecp.WithIdempotencyKey(asSystem(), "once")
		for _, want := range []int64{1, 0} {
			require.Equal(t, want, times(func() {
				_, err := c.Do(again, patched(`{"connections":20}`))
				require.NoError(t, err)
			}))
		}
	})
}

// A cluster that the platform would never make is not created.
func TestCreateForeseen(t *testing.T) {
	no := func(context.Context, ecp.Desired) error {
		return &ecp.Error{
			Code:    ecp.CodeInvalid,
			Op:      "check cluster",
			Message: "it cannot be made as asked",
			Fields:  []ecp.FieldError{{Field: "spec.storage", Message: `there is no StorageClass "gone"`}},
			Cause:   &ecp.Refusal{What: "StorageClass gone", Why: "not found"},
		}
	}
	inBubble(t, func(r *rig) {
		p := r.asked()
		r.run()
		p.first.Store(&no)
		request := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 1)}
		_, planErr := r.m.PlanCreate(asSystem(), request)
		_, _, err := r.m.Create(asSystem(), request)
		for _, err := range []error{planErr, err} {
			require.ErrorIs(t, err, ecp.ErrInvalid)
			require.ErrorContains(t, err, `spec.storage: there is no StorageClass "gone"`)
		}
		require.Zero(t, r.pool().UsedClusters)
		p.first.Store(nil)
		_, op, err := r.m.Create(asSystem(), request)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
	})
}
