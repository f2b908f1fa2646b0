package emqxsim_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// TestRandomLives: whatever happens in whatever order, with restarts between,
// nothing that was lost comes back unasked, and nothing that was not lost goes.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		defer l.end()
		t.Repeat(map[string]func(*rapid.T){
			"":       l.check,
			"apply":  l.apply,
			"again":  l.again,
			"delete": l.remove,
			"wait": func(t *rapid.T) {
				l.clock.advance(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
			},
			"restart":   func(t *rapid.T) { l.reopen(t) },
			"pod":       l.hook(func(n int) error { return l.p.DeletePod(life, n) }),
			"kill":      l.hook(func(n int) error { return l.p.KillNode(life, n) }),
			"revive":    l.hook(func(n int) error { return l.p.ReviveNode(life, n) }),
			"break":     l.hook(func(n int) error { return l.p.Break(life, n, "ImagePullBackOff") }),
			"scale":     l.hook(func(n int) error { return l.p.ScaleByHand(life, n) }),
			"service":   l.hook(func(int) error { return l.p.DeleteService(life) }),
			"claim":     l.hook(func(n int) error { l.lossy = true; return l.p.DeleteClaim(life, n) }),
			"auth":      l.hook(func(int) error { l.lossy = true; return l.p.DeleteAuth(life) }),
			"namespace": l.hook(func(int) error { l.lossy = true; return l.p.DeleteNamespace(life) }),
		})
	})
}

const life = ecp.ID("emqx-01234567")

// seenLife is what must not change unasked.
type seenLife struct {
	exists bool
	auth   string
	claims map[int]string
}

// life is a cluster things happen to, and what was last known of it.
type randomLife struct {
	p     *emqxsim.Provisioner
	cfg   emqxsim.ProvisionerConfig
	clock *clock
	last  ecp.Desired // that was applied
	made  bool        // something may be made anew by the step that just ran
	lossy bool        // something may be lost by it
	was   seenLife
}

func newLife(t *rapid.T) *randomLife {
	dir, err := os.MkdirTemp("", "emqxsim")
	require.NoError(t, err)
	l := &randomLife{clock: newClock()}
	l.cfg = emqxsim.ProvisionerConfig{Dir: dir, Now: l.clock.Now, BootTime: 8 * time.Second, StopTime: 2 * time.Second, TerminateTime: 4 * time.Second}
	l.reopen(t)
	return l
}

func (l *randomLife) end() { _ = os.RemoveAll(l.cfg.Dir) }

func (l *randomLife) reopen(t *rapid.T) {
	var before ecp.Observation
	if l.p != nil {
		before = l.observe(t)
	}
	p, err := emqxsim.NewProvisioner(l.cfg)
	require.NoError(t, err)
	first := l.p == nil
	l.p = p
	if !first {
		require.Equal(t, before, l.observe(t), "a restart changes nothing")
	}
}

func (l *randomLife) observe(t *rapid.T) ecp.Observation {
	o, err := l.p.Observe(t.Context(), life)
	require.NoError(t, err)
	return o
}

func (l *randomLife) apply(t *rapid.T) {
	d := wanted(life, "5.8.9", rapid.IntRange(1, 4).Draw(t, "nodes"))
	d.Generation = l.last.Generation + 1
	if rapid.Bool().Draw(t, "stopped") {
		d.Replicas = 0
	}
	d.Create = rapid.Bool().Draw(t, "create")
	l.do(t, d)
}

func (l *randomLife) do(t *rapid.T, d ecp.Desired) {
	if d.Create {
		l.made, l.lossy = true, true // a claim that is going makes room for another
	}
	err := l.p.Apply(t.Context(), d)
	if err == nil {
		l.last = d
		return
	}
	require.ErrorIs(t, err, ecp.ErrConflict)
	var lost *ecp.Loss
	if !d.Create && !errors.As(err, &lost) {
		t.Fatalf("a conflict that names no loss: %v", err)
	}
}

// again: what was applied and has nothing to heal writes nothing.
func (l *randomLife) again(t *rapid.T) {
	o := l.observe(t)
	if l.last.Image.Version == "" || o.Generation != l.last.Generation || len(o.Drift) > 0 {
		return
	}
	d := l.last
	d.Create = false
	writes := l.p.Writes()
	err := l.p.Apply(t.Context(), d)
	if n := l.p.Writes(); err == nil && n != writes {
		t.Fatalf("an Apply that changes nothing wrote %d times", n-writes)
	}
}

func (l *randomLife) remove(t *rapid.T) {
	l.lossy = true
	require.NoError(t, l.p.Delete(t.Context(), life))
}

// hook does something to the cluster; that there is nothing to do it to is fine.
func (l *randomLife) hook(do func(n int) error) func(*rapid.T) {
	return func(t *rapid.T) {
		if err := do(rapid.IntRange(0, 3).Draw(t, "n")); !errors.Is(err, ecp.ErrNotFound) {
			require.NoError(t, err)
		}
	}
}

// check holds after every step.
func (l *randomLife) check(t *rapid.T) {
	o := l.observe(t)
	require.Equal(t, o, l.observe(t), "looking changes nothing")
	for i, n := range o.Nodes {
		require.False(t, n.Ready && (n.Going || n.Broken), "%+v", n)
		if i > 0 {
			require.Greater(t, n.Ordinal, o.Nodes[i-1].Ordinal)
		}
	}
	if o.Converged {
		require.Len(t, o.Nodes, o.Replicas)
		require.Equal(t, o.Replicas, readyNodes(o))
	}
	is := seenLife{exists: o.Exists, auth: o.Auth, claims: map[int]string{}}
	for _, v := range o.Volumes {
		is.claims[v.Ordinal] = v.UID
	}
	if !l.made {
		l.unchanged(t, is)
	}
	if o.Terminating {
		is.exists = false // it goes by itself from here
		is.auth, is.claims = "", map[int]string{}
	}
	for _, v := range o.Volumes {
		if v.Going {
			delete(is.claims, v.Ordinal)
		}
	}
	l.was, l.made, l.lossy = is, pending(o) && l.made, false
}

// pending says that a claim is still to be replaced by one that was allowed.
func pending(o ecp.Observation) bool {
	for _, v := range o.Volumes {
		if v.Going {
			return true
		}
	}
	return false
}

// unchanged: what was known is the same; gone only if the step could do that;
// and there only if it was never known or is one of a new ordinal.
func (l *randomLife) unchanged(t *rapid.T, is seenLife) {
	if l.was.auth != "" && is.auth != l.was.auth && (is.auth != "" || !l.lossy) {
		t.Fatalf("the keys were %q and are %q", l.was.auth, is.auth)
	}
	for ordinal, uid := range l.was.claims {
		if now, there := is.claims[ordinal]; now != uid && (there || !l.lossy) {
			t.Fatalf("claim %d was %q and is %q", ordinal, uid, now)
		}
	}
	if l.was.exists && !is.exists && !l.lossy {
		t.Fatal("the namespace has gone")
	}
	if !l.was.exists && is.exists && is.auth != "" {
		t.Fatal("the namespace came back unasked")
	}
}
