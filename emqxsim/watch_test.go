package emqxsim_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// diary notes when each cluster was woken, in time since the test began.
type diary struct {
	began time.Time
	mu    sync.Mutex
	notes map[ecp.ID][]time.Duration // guarded by mu
}

func (d *diary) wake(id ecp.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes[id] = append(d.notes[id], time.Since(d.began))
}

func (d *diary) take(id ecp.ID) []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer delete(d.notes, id)
	return d.notes[id]
}

// watched runs fn beside a Watch, in a bubble of time of its own.
func watched(t *testing.T, fn func(t *testing.T, p *emqxsim.Provisioner, d *diary)) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvisioner(t, emqxsim.ProvisionerConfig{
			BootTime: 8 * time.Second, StopTime: 2 * time.Second, TerminateTime: 4 * time.Second,
		})
		d := &diary{began: time.Now(), notes: map[ecp.ID][]time.Duration{}}
		stop := watch(t, p, d)
		fn(t, p, d)
		stop()
		late := ecptest.NewID()
		require.NoError(t, p.Apply(t.Context(), wanted(late, "5.8.9", 1)))
		require.Empty(t, d.take(late), "nobody is woken after the Watch has ended")
	})
}

// watch runs a Watch until stop is called, at the latest until the test ends.
func watch(t *testing.T, p *emqxsim.Provisioner, d *diary) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Watch(ctx, d.wake) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestWatchWakesAtTheVeryMoment(t *testing.T) {
	watched(t, func(t *testing.T, p *emqxsim.Provisioner, d *diary) {
		a, b := ecptest.NewID(), ecptest.NewID()
		require.NoError(t, p.Apply(t.Context(), wanted(a, "5.8.9", 2)))
		pass(3 * time.Second)
		require.NoError(t, p.Apply(t.Context(), wanted(b, "5.8.9", 1)))
		pass(time.Hour)
		require.Equal(t, []time.Duration{0, 8 * time.Second}, d.take(a), "made, booted")
		require.Equal(t, []time.Duration{3 * time.Second, 11 * time.Second}, d.take(b))

		at := time.Since(d.began)
		require.NoError(t, p.DeletePod(a, 1))
		pass(time.Hour)
		require.Equal(t, []time.Duration{at, at + 2*time.Second, at + 10*time.Second}, d.take(a),
			"deleted, another made, booted")

		at = time.Since(d.began)
		require.NoError(t, p.Delete(t.Context(), b))
		pass(time.Hour)
		require.Equal(t, []time.Duration{at, at + 2*time.Second, at + 4*time.Second}, d.take(b),
			"deleted, pod gone, all gone")
		require.Empty(t, d.take(a), "nobody else is woken")
	})
}

func TestWatchWakesAllWhenSightComesOrGoes(t *testing.T) {
	watched(t, func(t *testing.T, p *emqxsim.Provisioner, d *diary) {
		a, b := ecptest.NewID(), ecptest.NewID()
		require.NoError(t, p.Apply(t.Context(), wanted(a, "5.8.9", 1)))
		require.NoError(t, p.Apply(t.Context(), wanted(b, "5.8.9", 1)))
		pass(time.Hour)
		d.take(a)
		d.take(b)
		for _, away := range []bool{true, true, false, false} {
			p.SetUnreachable(away)
		}
		at := time.Since(d.began)
		require.Equal(t, []time.Duration{at, at}, d.take(a), "once when it goes, once when it comes")
		require.Equal(t, []time.Duration{at, at}, d.take(b))
	})
}

func TestIdleApplyWakesNobody(t *testing.T) {
	watched(t, func(t *testing.T, p *emqxsim.Provisioner, d *diary) {
		id := ecptest.NewID()
		require.NoError(t, p.Apply(t.Context(), wanted(id, "5.8.9", 1)))
		pass(time.Hour)
		d.take(id)
		require.NoError(t, p.Apply(t.Context(), wanted(id, "5.8.9", 1)))
		pass(time.Hour)
		require.Empty(t, d.take(id))
	})
}

func TestWatchAfterRestartGoesOn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := emqxsim.ProvisionerConfig{Dir: dir, BootTime: 8 * time.Second}
		id := ecptest.NewID()
		require.NoError(t, newProvisioner(t, cfg).Apply(t.Context(), wanted(id, "5.8.9", 1)))
		pass(5 * time.Second)
		p := newProvisioner(t, cfg)
		d := &diary{began: time.Now(), notes: map[ecp.ID][]time.Duration{}}
		watch(t, p, d)
		pass(time.Hour)
		require.Equal(t, []time.Duration{0, 3 * time.Second}, d.take(id), "all are woken at first; it boots when it "+
			"would have")
	})
}
