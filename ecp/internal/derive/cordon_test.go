package derive

import (
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// onMachine lets the machines of nodes take no new pods, as it is remembered.
func (m *moving) onMachine(freed time.Time, ordinals ...int) {
	m.look.Found.MachinesSeen = true
	for _, i := range ordinals {
		m.look.Found.Nodes[i].Unschedulable = true
		m.rec.Status.Cordoned = append(m.rec.Status.Cordoned,
			ecp.CordonedNode{Node: nodeName(i), Since: t0, Freed: freed})
	}
}

// TestNextCordonStep: whose clients leave because of machines, when they come back, and when nobody may evict.
func TestNextCordonStep(t *testing.T) {
	for name, c := range map[string]struct {
		is   func(*moving)
		at   time.Time // t0 where it is zero
		want CordonStep
		held bool
	}{
		"nothing to do": {is: func(*moving) {}},
		"its clients leave": {is: func(m *moving) { m.onMachine(time.Time{}, 1) },
			want: CordonStep{Drain: nodeName(1)}, held: true},
		"one after the other": {is: func(m *moving) { m.onMachine(time.Time{}, 1, 2); m.leaving(1) },
			want: CordonStep{Drain: nodeName(1)}, held: true},
		"in the order of machines": {is: func(m *moving) {
			m.onMachine(time.Time{}, 1, 2)
			m.look.Found.Nodes[1].Host, m.look.Found.Nodes[2].Host = "b", "a"
		}, want: CordonStep{Drain: nodeName(2)}, held: true},
		"while another is away it waits": {is: func(m *moving) { m.onMachine(time.Time{}, 1); m.notReady(0) },
			held: true},
		"it stays without clients": {is: func(m *moving) { m.onMachine(t0, 1); m.leaving(1) },
			at: t0.Add(time.Hour), want: CordonStep{Waits: "n1 can be evicted from  (kubectl drain)"}},
		"the next waits for an eviction": {is: func(m *moving) {
			m.onMachine(t0, 1)
			m.onMachine(time.Time{}, 2)
			m.leaving(1)
		}, want: CordonStep{Waits: "n1 can be evicted from  (kubectl drain)"}},
		"but not for long": {is: func(m *moving) {
			m.onMachine(t0, 1)
			m.onMachine(time.Time{}, 2)
			m.leaving(1)
		}, at: t0.Add(evictionPatience), want: CordonStep{Undrain: nodeName(1)}},
		"then it has its turn": {is: func(m *moving) { m.onMachine(t0, 1); m.onMachine(time.Time{}, 2) },
			want: CordonStep{Drain: nodeName(2)}, held: true},
		"the machine takes pods again": {is: func(m *moving) {
			m.onMachine(t0, 1)
			m.leaving(1)
			m.look.Found.Nodes[1].Unschedulable = false
		}, want: CordonStep{Undrain: nodeName(1)}},
		"machines cannot be seen": {is: func(m *moving) {
			m.onMachine(time.Time{}, 1)
			m.leaving(1)
			m.look.Found.Nodes[1].Unschedulable, m.look.Found.MachinesSeen = false, false
		}, want: CordonStep{Drain: nodeName(1)}, held: true},
		"it was made anew elsewhere": {is: func(m *moving) {
			m.onMachine(t0, 1)
			m.leaving(1)
			m.look.Found.Nodes[1].Unschedulable, m.look.Found.Nodes[1].PodUID = false, "new"
		}, want: CordonStep{Undrain: nodeName(1)}},
		"a roll brings its node to the end": {is: func(m *moving) {
			m.outdated(0, 1, 2)
			m.onMachine(time.Time{}, 1)
			m.leaving(2)
		}},
		"the next of a roll waits": {is: func(m *moving) { m.outdated(0, 1, 2); m.onMachine(time.Time{}, 0) },
			want: CordonStep{Drain: nodeName(0)}, held: true},
		"a roll replaces it": {is: func(m *moving) { m.outdated(1); m.onMachine(t0, 1); m.leaving(1) }},
		"an operation goes on": {is: func(m *moving) { m.outdated(0); m.onMachine(t0, 1); m.leaving(1) },
			at: t0.Add(evictionPatience), want: CordonStep{Undrain: nodeName(1)}},
		"it cannot be moved": {is: func(m *moving) {
			m.onMachine(t0, 1)
			m.rec.Resolved.Image.Version = "4.4.6"
		}},
		"it is stopped": {is: func(m *moving) {
			m.onMachine(time.Time{}, 1)
			m.rec.Spec.Hosted.Power = ecp.PowerOff
		}},
		"nobody may write": {is: func(m *moving) { m.onMachine(time.Time{}, 1); m.look.NotHeld = "another holds it" },
			held: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMoving(c.is)
			if len(OutdatedOf(m.look.Found)) == 0 {
				m.rec.Status.State = ecp.Running
			}
			at := c.at
			if at.IsZero() {
				at = t0
			}
			require.Equal(t, c.want, NextCordonStep(NewView(at, m.rec, m.look)))
			require.Equal(t, c.held, EvictionsHeld(m.rec, m.look.Found))
			require.Equal(t, c.held, DesiredOf(m.rec, m.look.Found).HoldEvictions)
		})
	}
}

// TestNoWriteWhileNoMachineIsCordoned: a peaceful cluster is asked for nothing, whatever its platform tells.
func TestNoWriteWhileNoMachineIsCordoned(t *testing.T) {
	m := newMoving(func(m *moving) { m.look.Found.MachinesSeen = true })
	m.rec.Status.State, m.look.Found.Generation = ecp.Running, m.rec.Generation
	due := func() Action { return NextAction(m.rec, m.look.Found, true, t0, ecp.Timings{}) }
	require.Equal(t, ActionNone, due())
	m.look.Found.Nodes[1].Unschedulable = true
	require.Equal(t, ActionApply, due())
	m.look.Found.EvictionsHeld = true
	require.Equal(t, ActionNone, due())
	m.look.Found.Nodes[1].Unschedulable = false
	require.Equal(t, ActionApply, due())
}

// TestGoneBeforeKubernetesKnows: EMQX does not count a node any more that may be evicted. That is no surprise, for a
// while: Kubernetes tells the eviction later.
func TestGoneBeforeKubernetesKnows(t *testing.T) {
	m := newMoving(func(m *moving) { m.onMachine(t0, 1); m.leaving(1); m.notReady(1) })
	m.rec.Status.State = ecp.Running
	for at := range m.look.Views {
		m.look.Views[at] = slices.DeleteFunc(slices.Clone(m.look.Views[at]),
			func(n Member) bool { return n.Name == nodeName(1) })
	}
	recordCordons(t0, &m.rec, m.look, Outcome{}, false)
	require.Equal(t, ecp.Running, DeriveState(t0, m.rec, m.look).State)
	require.Equal(t, ecp.Degraded, DeriveState(t0.Add(2*movePatience), m.rec, m.look).State)
}
