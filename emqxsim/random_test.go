package emqxsim_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRandomLives: whatever happens in whatever order, with restarts between,
// nothing that was lost comes back unasked, and nothing that was not lost goes.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		defer func() { _ = os.RemoveAll(l.cfg.Dir) }()
		nothing := func(int) {}
		t.Repeat(map[string]func(*rapid.T){
			"":          l.check,
			"apply":     l.apply,
			"again":     l.again,
			"restart":   l.restart,
			"soon":      func(t *rapid.T) { l.clock.advance(rapid.SampledFrom(waits).Draw(t, "time")) },
			"later":     func(*rapid.T) { l.clock.advance(time.Minute) },
			"pod":       l.hook(l.pod((*emqxsim.Provisioner).DeletePod), nothing),
			"kill":      l.hook(l.pod((*emqxsim.Provisioner).KillNode), nothing),
			"revive":    l.hook(l.pod((*emqxsim.Provisioner).ReviveNode), nothing),
			"break":     l.hook(func(n int) error { return l.p.Break(life, n, "ImagePullBackOff") }, nothing),
			"scale":     l.hook(l.pod((*emqxsim.Provisioner).ScaleByHand), nothing),
			"service":   l.hook(func(int) error { return l.p.DeleteService(life) }, nothing),
			"claim":     l.hook(l.pod((*emqxsim.Provisioner).DeleteClaim), l.model.lose),
			"auth":      l.hook(func(int) error { return l.p.DeleteAuth(life) }, func(int) { l.model.auth.lose() }),
			"namespace": l.remove,
		})
	})
}

// waits are chosen around the times things take.
var waits = []time.Duration{time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 8 * time.Second}

const life = ecp.ID("emqx-01234567")

// model is what there has to be: kept by hand, from what was asked for only.
type model struct {
	exists bool
	auth   thing
	claims []*thing // of every ordinal that had one and is meant to
}

// thing does not come back unasked.
type thing struct {
	uid  string // "" = to be learned at the next look
	old  string // of the one it replaces
	lost bool
}

// shrink: ordinals from n up are meant to have no claim, whatever they have.
func (m *model) shrink(n int) { m.claims = m.claims[:min(n, len(m.claims))] }

func (m *model) lose(n int) {
	if n < len(m.claims) {
		m.claims[n].lose()
	}
}

// grow: ordinals below n have had a claim.
func (m *model) grow(n int) {
	for len(m.claims) < n {
		m.claims = append(m.claims, &thing{})
	}
}

// lose says that the thing has gone, or goes as soon as it can. One that is
// going already, to be replaced, is not lost twice.
func (g *thing) lose() {
	if g.uid != "" {
		g.lost = true
	}
}

// again says that a lost thing is made anew.
func (g *thing) again() {
	if g.lost {
		*g = thing{old: g.uid}
	}
}

// randomLife is a cluster things happen to.
type randomLife struct {
	p     *emqxsim.Provisioner
	cfg   emqxsim.ProvisionerConfig
	clock *clock
	last  ecp.Desired // that was applied
	model model
}

func newLife(t *rapid.T) *randomLife {
	dir, err := os.MkdirTemp("", "emqxsim")
	require.NoError(t, err)
	l := &randomLife{clock: newClock()}
	l.cfg = emqxsim.ProvisionerConfig{
		Dir: dir, Now: l.clock.Now, BootTime: 8 * time.Second, StopTime: 2 * time.Second,
		TerminateTime: 4 * time.Second,
	}
	l.p, err = emqxsim.NewProvisioner(l.cfg)
	require.NoError(t, err)
	l.last = wanted(life, "5.8.9", 3)
	require.NoError(t, l.p.Apply(t.Context(), l.last))
	l.model.exists = true
	l.model.grow(3)
	return l
}

func (l *randomLife) restart(t *rapid.T) {
	before := l.observe(t)
	p, err := emqxsim.NewProvisioner(l.cfg)
	require.NoError(t, err)
	l.p = p
	require.Equal(t, before, l.observe(t), "a restart changes nothing")
}

func (l *randomLife) observe(t *rapid.T) ecp.Observation {
	o, err := l.p.Observe(t.Context(), life)
	require.NoError(t, err)
	return o
}

// apply is refused exactly where something is lost and may not be made anew.
func (l *randomLife) apply(t *rapid.T) {
	nodes := rapid.IntRange(1, 4).Draw(t, "nodes")
	d := wanted(life, "5.8.9", nodes)
	d.Generation = l.last.Generation + 1
	if rapid.Bool().Draw(t, "stopped") {
		d.Replicas = 0
	}
	d.Create = rapid.Bool().Draw(t, "create")
	if rapid.Bool().Draw(t, "drop") {
		d.Drop = []int{0, 1, 2, 3, 4} // those that are meant to be there stay
	}
	going := l.observe(t).Terminating
	lost := !l.model.exists || l.model.auth.lost
	if !going {
		l.model.shrink(nodes)
	}
	for _, c := range l.model.claims {
		lost = lost || c.lost
	}
	err := l.p.Apply(t.Context(), d)
	if going || lost && !d.Create {
		require.ErrorIs(t, err, ecp.ErrConflict)
		var loss *ecp.Loss
		require.Equal(t, !d.Create, errors.As(err, &loss), "a loss is the cause")
		return
	}
	require.NoError(t, err)
	l.last, l.model.exists = d, true
	l.model.auth.again()
	for _, c := range l.model.claims {
		c.again()
	}
	l.model.grow(d.Replicas)
}

// again: what was applied and has nothing to heal writes nothing.
func (l *randomLife) again(t *rapid.T) {
	o := l.observe(t)
	if o.Generation == 0 || o.Generation != l.last.Generation || o.Replicas != l.last.Replicas || len(o.Drift) > 0 {
		return
	}
	d := l.last
	d.Create, d.Drop = false, nil
	writes := l.p.Writes()
	if err := l.p.Apply(t.Context(), d); err == nil {
		require.Equal(t, writes, l.p.Writes(), "an Apply that changes nothing wrote")
	}
}

// remove takes everything away, one time in four: else lives would be short.
func (l *randomLife) remove(t *rapid.T) {
	remove := rapid.SampledFrom([]func(ecp.ID) error{
		nil, nil, nil, nil, nil, nil, l.p.DeleteNamespace, func(id ecp.ID) error { return l.p.Delete(t.Context(), id) },
	}).Draw(t, "remove")
	if remove == nil {
		return
	}
	if err := remove(life); !errors.Is(err, ecp.ErrNotFound) {
		require.NoError(t, err)
	}
	l.model = model{}
}

// pod gives a hook that takes the cluster and a number.
func (l *randomLife) pod(hook func(*emqxsim.Provisioner, ecp.ID, int) error) func(n int) error {
	return func(n int) error { return hook(l.p, life, n) }
}

// hook does something to the cluster, then the same to the model; that there
// is nothing to do it to is fine.
func (l *randomLife) hook(do func(n int) error, then func(n int)) func(*rapid.T) {
	return func(t *rapid.T) {
		n := rapid.IntRange(0, 3).Draw(t, "n")
		err := do(n)
		if errors.Is(err, ecp.ErrNotFound) {
			return
		}
		require.NoError(t, err)
		if l.model.exists { // not on its way out
			then(n)
		}
	}
}

// check holds after every step.
func (l *randomLife) check(t *rapid.T) {
	o := l.observe(t)
	require.Equal(t, o, l.observe(t), "looking changes nothing")
	require.Equal(t, l.model.exists, o.Exists && !o.Terminating, "existence")
	for i, n := range o.Nodes {
		require.False(t, n.Ready && (n.Terminating || n.Broken), "%+v", n)
		require.False(t, i > 0 && n.Ordinal <= o.Nodes[i-1].Ordinal, "order of nodes")
	}
	if o.Converged {
		require.Len(t, o.Nodes, o.Replicas)
		require.Equal(t, o.Replicas, readyNodes(o))
	}
	if !l.model.exists {
		return
	}
	l.model.auth.check(t, "keys", o.Auth, false)
	for i, c := range l.model.claims {
		uid, going := "", false
		for _, v := range o.Volumes {
			if v.Ordinal == i {
				uid, going = v.UID, v.Terminating
			}
		}
		c.check(t, "claim", uid, going)
	}
}

// check compares a thing with what is seen of it, and learns which one it is.
func (g *thing) check(t *rapid.T, what, uid string, going bool) {
	switch {
	case g.lost && uid != "":
		require.True(t, going && uid == g.uid, "%s came back unasked", what)
	case g.lost:
	case going && g.uid+g.old == "": // it makes room for the first one that counts
	case going: // the lost one makes room for the one that was allowed
		require.Equal(t, g.old, uid, "%s goes unasked", what)
		require.Empty(t, g.uid)
	case g.uid == "":
		require.NotEmpty(t, uid, "%s is not there", what)
		require.NotEqual(t, g.old, uid, "%s is the lost one", what)
		g.uid = uid
	default:
		require.Equal(t, g.uid, uid, "%s is another one", what)
	}
}
