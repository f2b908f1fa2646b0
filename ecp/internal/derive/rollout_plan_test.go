package derive

import (
	"fmt"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// moving is a cluster of three nodes under an update, as an observation shows it.
type moving struct {
	rec  ecp.ClusterRecord
	look Snapshot
}

func newMoving(change func(*moving)) moving {
	m := moving{aRecord(ecp.Updating), aLook(3, 3)}
	change(&m)
	return m
}

func (m *moving) outdated(ordinals ...int) {
	for _, i := range ordinals {
		m.look.Found.Nodes[i].Outdated = true
	}
}

// resize lets nodes be outdated in nothing but their size.
func (m *moving) resize(s ecp.ResizeState, ordinals ...int) {
	m.outdated(ordinals...)
	for _, i := range ordinals {
		m.look.Found.Nodes[i].Resize, m.look.Found.Nodes[i].ResizeReason = s, "no room yet"
	}
}

// lost lets no machine run nodes, since their volumes are on machines that have been removed.
func (m *moving) lost(ordinals ...int) {
	for _, i := range ordinals {
		n := &m.look.Found.Nodes[i]
		n.Ready, n.VolumeLost = false, true
		m.look.Found.Volumes[i].UID = fmt.Sprint("c", i)
	}
}

// abandon is what a repair may give up, by UIDs.
func (m *moving) abandon(uids ...string) { m.rec.Status.Abandoned = uids }

func givenUp(ordinal int, claim string) RolloutStep {
	return RolloutStep{Replace: []int{ordinal}, Abandon: []string{claim}}
}

func (m *moving) notReady(i int) { m.look.Found.Nodes[i].Ready = false }

func (m *moving) leaving(i int) { m.rec.Status.Draining = &ecp.Draining{Node: nodeName(i), Since: t0} }

// fewer lets the spec want fewer nodes than belong to the cluster.
func (m *moving) fewer(nodes int) {
	m.rec.Status.Ordinals, m.rec.Spec.Hosted.Nodes = m.rec.Spec.Hosted.Nodes, nodes
}

func TestNextMove(t *testing.T) {
	for name, c := range map[string]struct {
		is      func(*moving)
		vacated bool
		want    RolloutStep
	}{
		"nothing to do":     {func(*moving) {}, false, RolloutStep{}},
		"the highest first": {func(m *moving) { m.outdated(0, 1, 2) }, false, RolloutStep{Drain: nodeName(2)}},
		"it may go":         {func(m *moving) { m.outdated(0, 1, 2) }, true, RolloutStep{Replace: []int{2}}},
		"then the next":     {func(m *moving) { m.outdated(0, 1) }, false, RolloutStep{Drain: nodeName(1)}},
		"not ready before ready": {func(m *moving) { m.outdated(0, 1, 2); m.notReady(0) }, false,
			RolloutStep{Replace: []int{0}}},
		"broken before not ready": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.notReady(1)
			m.notReady(0)
			m.look.Found.Nodes[0].Broken = true
		}, false, RolloutStep{Replace: []int{0}}},
		"another is away": {func(m *moving) { m.outdated(0, 1); m.notReady(2) }, false,
			RolloutStep{Waits: "n2 is not ready"}},
		"another is going": {func(m *moving) { m.outdated(0, 1); m.look.Found.Nodes[2].Terminating = true }, false,
			RolloutStep{Waits: "n2 is not ready"}},
		"a pod is missing": {func(m *moving) {
			m.outdated(0,
				1)
			m.look.Found.Nodes = m.look.Found.Nodes[:2]
		}, false, RolloutStep{Waits: "2 of 3 nodes are there"}},
		"a new one is no member yet": {func(m *moving) {
			m.outdated(0,
				1)
			m.look.Views[nodeName(0)] = m.look.Views[nodeName(0)][:2]
		}, false,
			RolloutStep{Waits: nodeName(2) + " is not a member"}},
		"a new one of a wrong kind": {func(m *moving) {
			m.outdated(0,
				1)
			m.look.Views[nodeName(0)][2].Version = "5.8.1"
		}, false,
			RolloutStep{Waits: nodeName(2) + " runs 5.8.1, wanted is 5.8.9"}},
		"an old one of the old kind": {func(m *moving) {
			m.outdated(0,
				1)
			m.look.Views[nodeName(0)][0].Version = "5.8.1"
		}, false, RolloutStep{Drain: nodeName(1)}},
		"nobody answers": {func(m *moving) { m.outdated(0, 1, 2); m.look.Views = nil }, true,
			RolloutStep{Replace: []int{2}}},
		"nobody to move clients to": {func(m *moving) {
			m.outdated(0)
			m.look = aLook(1,
				1)
			m.look.Found.Replicas = 1
			m.outdated(0)
		}, false, RolloutStep{Replace: []int{0}}},
		"not ready as it is leaving": {func(m *moving) { m.outdated(0, 1, 2); m.leaving(2); m.notReady(2) }, false,
			RolloutStep{Drain: nodeName(2)}},
		"not ready, nobody to ask": {func(m *moving) {
			m.outdated(0, 1,
				2)
			m.leaving(2)
			m.notReady(2)
			m.look.Views = nil
		}, false, RolloutStep{Drain: nodeName(2)}},
		"no other is ready": {func(m *moving) { m.look = aLook(3, 0); m.outdated(0, 1, 2); m.leaving(2) },
			false, RolloutStep{Undrain: nodeName(2)}},
		"dead while leaving": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.leaving(2)
			m.notReady(2)
			m.look.Views[nodeName(0)] = m.look.Views[nodeName(0)][:2]
		}, false, RolloutStep{Replace: []int{2}}},
		"it is being replaced": {func(m *moving) {
			m.outdated(0, 1,
				2)
			m.leaving(2)
			m.look.Found.Nodes[2].Terminating = true
		}, false, RolloutStep{Waits: "n2 is going"}},
		"replaced, takes clients": {func(m *moving) { m.outdated(0, 1); m.leaving(2); m.notReady(2) }, false,
			RolloutStep{Undrain: nodeName(2)}},
		"taken back by a new change": {func(m *moving) { m.leaving(1) }, false, RolloutStep{Undrain: nodeName(1)}},
		"one of another cluster":     {func(m *moving) { m.leaving(5) }, false, RolloutStep{ForgetDrain: true}},
		"clients would not leave": {
			func(m *moving) { m.outdated(2); m.leaving(2); m.rec.Status.Draining.TimedOut = true },
			false, RolloutStep{Waits: "the clients of " + nodeName(2) + " did not leave in time"}},
		"in place, nobody leaves": {func(m *moving) { m.resize(ecp.ResizeDue, 0, 1, 2) }, false,
			RolloutStep{Resize: []int{2}}},
		"in place, one at a time": {func(m *moving) {
			m.resize(ecp.ResizeDue, 0, 1)
			m.resize(ecp.ResizeWaiting, 2)
		}, false, RolloutStep{Waits: "n2 is being resized in place: no room yet"}},
		"in place, another is away": {func(m *moving) { m.resize(ecp.ResizeDue, 1); m.notReady(0) }, false,
			RolloutStep{Waits: "n0 is not ready"}},
		"not in place": {func(m *moving) { m.resize(ecp.ResizeDue, 0); m.resize(ecp.ResizeRefused, 2) }, false,
			RolloutStep{Drain: nodeName(2)}},
		"in place, another still leaves": {func(m *moving) { m.resize(ecp.ResizeDue, 0, 1); m.leaving(2) },
			false, RolloutStep{Undrain: nodeName(2)}},
		"a lost volume, unasked": {func(m *moving) { m.lost(1) }, false, RolloutStep{}},
		"a lost volume":          {func(m *moving) { m.lost(1); m.abandon("c1") }, false, givenUp(1, "c1")},
		"another was asked for":  {func(m *moving) { m.lost(1); m.abandon("c0", "n1-uid") }, false, RolloutStep{}},
		"the claim goes already": {func(m *moving) {
			m.lost(1)
			m.abandon("c1")
			m.look.Found.Volumes[1].Terminating = true
		}, false, RolloutStep{}},
		"two lost volumes": {func(m *moving) { m.lost(1, 2); m.abandon("c1", "c2") }, false, givenUp(2, "c2")},
		"two lost, one on its way": {func(m *moving) { m.lost(0); m.abandon("c0", "c1"); m.notReady(1) }, false,
			RolloutStep{Waits: "a lost volume is kept: n1 is not ready"}},
		"two lost, one not there": {func(m *moving) {
			m.lost(0)
			m.abandon("c0", "c1")
			m.look.Found.Nodes = append(m.look.Found.Nodes[:1], m.look.Found.Nodes[2])
		}, false, RolloutStep{Waits: "a lost volume is kept: 2 of 3 nodes are there"}},
		"all volumes lost": {func(m *moving) { m.lost(0, 1, 2); m.abandon("c0", "c1", "c2") }, false,
			RolloutStep{Waits: "a lost volume is kept: no node that serves has its data"}},
		"a lost volume while clients leave": {func(m *moving) {
			m.lost(1)
			m.abandon("c1")
			m.leaving(2)
			m.notReady(2)
		}, false, givenUp(1, "c1")},
		"a lost volume while one is no member": {func(m *moving) {
			m.lost(1)
			m.abandon("c1")
			m.look.Views = map[string][]Member{nodeName(0): {{nodeName(0), "5.8.9"}}}
		}, false, RolloutStep{Waits: "a lost volume is kept: " + nodeName(2) + " is not a member"}},
		"a lost volume and broken ones that are outdated": {func(m *moving) {
			m.lost(1)
			m.abandon("c1")
			m.outdated(2)
			m.notReady(2)
		}, false, RolloutStep{Replace: []int{2}}},
		"in place, it had to leave": {func(m *moving) {
			m.resize(ecp.ResizeDue, 2)
			m.leaving(2)
			m.rec.Status.Draining.TimedOut = true
		}, false, RolloutStep{Resize: []int{2}}},
		"fewer before in place": {func(m *moving) { m.fewer(2); m.resize(ecp.ResizeDue, 0, 1, 2) }, false,
			RolloutStep{Drain: nodeName(2)}},
		"fewer: the highest": {func(m *moving) { m.fewer(1) }, false, RolloutStep{Drain: nodeName(2)}},
		"fewer: it may go":   {func(m *moving) { m.fewer(1) }, true, RolloutStep{ScaleDown: true}},
		"fewer: it goes": {
			func(m *moving) { m.fewer(1); m.look.Found.Replicas = 2; m.look.Found.Nodes[2].Terminating = true },
			false, RolloutStep{Waits: "n2 is going"}},
		"fewer: it has gone": {
			func(m *moving) { m.fewer(1); m.look.Found.Replicas = 2; m.look.Found.Nodes = m.look.Found.Nodes[:2] },
			false, RolloutStep{RemoveOrdinal: 2}},
		"fewer: its pod is lost": {func(m *moving) { m.fewer(1); m.look.Found.Nodes = m.look.Found.Nodes[:2] },
			false, RolloutStep{ScaleDown: true}},
		"fewer: not while one is out": {func(m *moving) { m.fewer(1); m.notReady(0) }, false,
			RolloutStep{Waits: "n0 is not ready"}},
		"fewer before outdated": {func(m *moving) { m.fewer(2); m.outdated(0, 1, 2) }, false,
			RolloutStep{Drain: nodeName(2)}},
		"more before outdated": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.rec.Spec.Hosted.Nodes, m.rec.Status.Ordinals, m.look.Found.Replicas = 4, 4, 4
		}, false, RolloutStep{Waits: "3 of 4 nodes are there"}},
	} {
		m := newMoving(c.is)
		require.Equal(t, c.want, NextRolloutStep(NewView(t0, m.rec, m.look), c.vacated), name)
	}
}

func TestReplicasAndLeftovers(t *testing.T) {
	claims := func(n int) (out []ecp.VolumeObservation) {
		for i := range n {
			out = append(out, ecp.VolumeObservation{Ordinal: i})
		}
		return out
	}
	for name, c := range map[string]struct {
		nodes, ordinals, replicas, claims, removing int
		power                                       ecp.Power
		want                                        int
		drop                                        []int
	}{
		"as wanted":                        {3, 3, 3, 3, 0, ecp.PowerOn, 3, nil},
		"from before it was noted":         {3, 0, 3, 3, 0, ecp.PowerOn, 3, nil},
		"new":                              {3, 0, -1, 0, 0, ecp.PowerOn, 3, nil},
		"more":                             {5, 3, 3, 3, 0, ecp.PowerOn, 5, nil},
		"more, with what others have left": {5, 3, 3, 5, 0, ecp.PowerOn, 3, []int{3, 4}},
		"more, on the way":                 {5, 3, 5, 5, 0, ecp.PowerOn, 5, nil},
		"fewer":                            {3, 5, 5, 5, 0, ecp.PowerOn, 5, nil},
		"fewer, on the way":                {3, 5, 4, 5, 0, ecp.PowerOn, 4, nil},
		"fewer, one has left":              {3, 4, 4, 5, 0, ecp.PowerOn, 4, []int{4}},
		"fewer, from a stop":               {3, 5, 0, 5, 0, ecp.PowerOn, 3, nil},
		"fewer, scaled by hand":            {3, 5, 7, 5, 0, ecp.PowerOn, 5, nil},
		"more, one is still a member":      {5, 2, 2, 2, 2, ecp.PowerOn, 2, nil},
		"off":                              {3, 5, 5, 5, 0, ecp.PowerOff, 0, nil},
	} {
		rec := aRecord(ecp.Updating)
		rec.Spec.Hosted.Nodes, rec.Spec.Hosted.Power, rec.Status.Ordinals = c.nodes, c.power, c.ordinals
		rec.Status.Removing = c.removing
		found := ecp.Observation{Replicas: c.replicas, Volumes: claims(c.claims)}
		require.Equal(t, c.want, replicasFor(rec, found), name)
		require.Equal(t, c.drop, Leftovers(rec, found), name)
		d := DesiredOf(rec, found)
		for _, i := range d.Drop {
			require.GreaterOrEqual(t, i, max(d.Replicas, d.Spec.Nodes), name)
		}
	}
}

func TestACalmClusterHasNoLeftovers(t *testing.T) {
	found := ecp.Observation{Replicas: 3, Volumes: []ecp.VolumeObservation{{Ordinal: 2}, {Ordinal: 3}}}
	for state, want := range map[ecp.State][]int{ecp.Running: nil, ecp.Degraded: nil, ecp.Stopped: nil,
		ecp.Updating: {3}, ecp.Starting: {3}} {
		require.Equal(t, want, Leftovers(aRecord(state), found), "%s", state)
	}
}

// What a failed change has left to be done is done, also where its nodes were
// cut off from one another in between.
func TestAPartitionEndsNoChange(t *testing.T) {
	m := newMoving(func(m *moving) { m.outdated(0, 1, 2); m.leaving(2) })
	m.rec.Status.State, m.rec.Status.Reason = ecp.Abnormal, ecp.ReasonUpdateFailed
	apart := m.look
	apart.MissingMembers = 2
	apart.Views = map[string][]Member{}
	for i := range 2 {
		apart.Views[nodeName(i)] = []Member{{nodeName(i), "5.8.9"}}
	}
	rec := m.rec
	for _, snap := range []Snapshot{apart, m.look} {
		if s := Advance(patient, t0, rec, nil, snap, Outcome{}); len(s.Transitions) > 0 {
			rec = s.Transitions[len(s.Transitions)-1]
		}
	}
	require.True(t, NewView(t0, rec, m.look).MayRollOut(), "%s, %s: %s", rec.Status.State, rec.Status.Reason,
		rec.Status.Message)
}
