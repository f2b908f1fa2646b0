package ecp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// moving is a cluster of three nodes under an update, as a look shows it.
type moving struct {
	rec  ClusterRecord
	look Look
}

func newMoving(change func(*moving)) moving {
	m := moving{aRecord(Updating), aLook(3, 3)}
	change(&m)
	return m
}

func (m *moving) outdated(ordinals ...int) {
	for _, i := range ordinals {
		m.look.Found.Nodes[i].Outdated = true
	}
}

func (m *moving) notReady(i int) { m.look.Found.Nodes[i].Ready = false }

func (m *moving) leaving(i int) { m.rec.Status.Leaving = &Leaving{Node: nodeName(i), Since: t0} }

// fewer lets the spec want fewer nodes than belong to the cluster.
func (m *moving) fewer(nodes int) {
	m.rec.Status.Ordinals, m.rec.Spec.Hosted.Nodes = m.rec.Spec.Hosted.Nodes, nodes
}

func TestNextMove(t *testing.T) {
	for name, c := range map[string]struct {
		is      func(*moving)
		vacated bool
		want    nodeMove
	}{
		"nothing to do":          {func(*moving) {}, false, nodeMove{}},
		"the highest first":      {func(m *moving) { m.outdated(0, 1, 2) }, false, nodeMove{vacate: nodeName(2)}},
		"it may go":              {func(m *moving) { m.outdated(0, 1, 2) }, true, nodeMove{roll: []int{2}}},
		"then the next":          {func(m *moving) { m.outdated(0, 1) }, false, nodeMove{vacate: nodeName(1)}},
		"not ready before ready": {func(m *moving) { m.outdated(0, 1, 2); m.notReady(0) }, false, nodeMove{roll: []int{0}}},
		"broken before not ready": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.notReady(1)
			m.notReady(0)
			m.look.Found.Nodes[0].Broken = true
		}, false, nodeMove{roll: []int{0}}},
		"another is away":            {func(m *moving) { m.outdated(0, 1); m.notReady(2) }, false, nodeMove{waits: "n2 is not ready"}},
		"another is going":           {func(m *moving) { m.outdated(0, 1); m.look.Found.Nodes[2].Going = true }, false, nodeMove{waits: "n2 is not ready"}},
		"a pod is missing":           {func(m *moving) { m.outdated(0, 1); m.look.Found.Nodes = m.look.Found.Nodes[:2] }, false, nodeMove{waits: "2 of 3 nodes are there"}},
		"a new one is no member yet": {func(m *moving) { m.outdated(0, 1); m.look.Views[nodeName(0)] = m.look.Views[nodeName(0)][:2] }, false, nodeMove{waits: nodeName(2) + " is not a member"}},
		"a new one of a wrong kind":  {func(m *moving) { m.outdated(0, 1); m.look.Views[nodeName(0)][2].Version = "5.8.1" }, false, nodeMove{waits: nodeName(2) + " runs 5.8.1, wanted is 5.8.9"}},
		"an old one of the old kind": {func(m *moving) { m.outdated(0, 1); m.look.Views[nodeName(0)][0].Version = "5.8.1" }, false, nodeMove{vacate: nodeName(1)}},
		"nobody answers":             {func(m *moving) { m.outdated(0, 1, 2); m.look.Views = nil }, true, nodeMove{roll: []int{2}}},
		"nobody to move clients to":  {func(m *moving) { m.outdated(0); m.look = aLook(1, 1); m.look.Found.Replicas = 1; m.outdated(0) }, false, nodeMove{roll: []int{0}}},
		"not ready as it is leaving": {func(m *moving) { m.outdated(0, 1, 2); m.leaving(2); m.notReady(2) }, false, nodeMove{vacate: nodeName(2)}},
		"not ready, nobody to ask":   {func(m *moving) { m.outdated(0, 1, 2); m.leaving(2); m.notReady(2); m.look.Views = nil }, false, nodeMove{vacate: nodeName(2)}},
		"no other is ready":          {func(m *moving) { m.look = aLook(3, 0); m.outdated(0, 1, 2); m.leaving(2) }, false, nodeMove{back: nodeName(2)}},
		"dead while leaving": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.leaving(2)
			m.notReady(2)
			m.look.Views[nodeName(0)] = m.look.Views[nodeName(0)][:2]
		}, false, nodeMove{roll: []int{2}}},
		"it is being replaced":        {func(m *moving) { m.outdated(0, 1, 2); m.leaving(2); m.look.Found.Nodes[2].Going = true }, false, nodeMove{waits: "n2 is going"}},
		"replaced, takes clients":     {func(m *moving) { m.outdated(0, 1); m.leaving(2); m.notReady(2) }, false, nodeMove{back: nodeName(2)}},
		"taken back by a new change":  {func(m *moving) { m.leaving(1) }, false, nodeMove{back: nodeName(1)}},
		"one of another cluster":      {func(m *moving) { m.leaving(5) }, false, nodeMove{forget: true}},
		"clients would not leave":     {func(m *moving) { m.outdated(2); m.leaving(2); m.rec.Status.Leaving.GivenUp = true }, false, nodeMove{waits: "the clients of " + nodeName(2) + " did not leave in time"}},
		"fewer: the highest":          {func(m *moving) { m.fewer(1) }, false, nodeMove{vacate: nodeName(2)}},
		"fewer: it may go":            {func(m *moving) { m.fewer(1) }, true, nodeMove{lower: true}},
		"fewer: it goes":              {func(m *moving) { m.fewer(1); m.look.Found.Replicas = 2; m.look.Found.Nodes[2].Going = true }, false, nodeMove{waits: "n2 is going"}},
		"fewer: it has gone":          {func(m *moving) { m.fewer(1); m.look.Found.Replicas = 2; m.look.Found.Nodes = m.look.Found.Nodes[:2] }, false, nodeMove{remove: 2}},
		"fewer: its pod is lost":      {func(m *moving) { m.fewer(1); m.look.Found.Nodes = m.look.Found.Nodes[:2] }, false, nodeMove{lower: true}},
		"fewer: not while one is out": {func(m *moving) { m.fewer(1); m.notReady(0) }, false, nodeMove{waits: "n0 is not ready"}},
		"fewer before outdated":       {func(m *moving) { m.fewer(2); m.outdated(0, 1, 2) }, false, nodeMove{vacate: nodeName(2)}},
		"more before outdated": {func(m *moving) {
			m.outdated(0, 1, 2)
			m.rec.Spec.Hosted.Nodes, m.rec.Status.Ordinals, m.look.Found.Replicas = 4, 4, 4
		}, false, nodeMove{waits: "3 of 4 nodes are there"}},
	} {
		m := newMoving(c.is)
		require.Equal(t, c.want, nextMove(newView(t0, m.rec, m.look), c.vacated), name)
	}
}

func TestReplicasAndLeftovers(t *testing.T) {
	claims := func(n int) (out []VolumeObservation) {
		for i := range n {
			out = append(out, VolumeObservation{Ordinal: i})
		}
		return out
	}
	for name, c := range map[string]struct {
		nodes, ordinals, replicas, claims int
		power                             Power
		want                              int
		drop                              []int
	}{
		"as wanted":                        {3, 3, 3, 3, PowerOn, 3, nil},
		"from before it was noted":         {3, 0, 3, 3, PowerOn, 3, nil},
		"new":                              {3, 0, -1, 0, PowerOn, 3, nil},
		"more":                             {5, 3, 3, 3, PowerOn, 5, nil},
		"more, with what others have left": {5, 3, 3, 5, PowerOn, 3, []int{3, 4}},
		"more, on the way":                 {5, 3, 5, 5, PowerOn, 5, nil},
		"fewer":                            {3, 5, 5, 5, PowerOn, 5, nil},
		"fewer, on the way":                {3, 5, 4, 5, PowerOn, 4, nil},
		"fewer, one has left":              {3, 4, 4, 5, PowerOn, 4, []int{4}},
		"fewer, from a stop":               {3, 5, 0, 5, PowerOn, 3, nil},
		"fewer, scaled by hand":            {3, 5, 7, 5, PowerOn, 5, nil},
		"off":                              {3, 5, 5, 5, PowerOff, 0, nil},
	} {
		rec := aRecord(Updating)
		rec.Spec.Hosted.Nodes, rec.Spec.Hosted.Power, rec.Status.Ordinals = c.nodes, c.power, c.ordinals
		found := Observation{Replicas: c.replicas, Volumes: claims(c.claims)}
		require.Equal(t, c.want, replicasFor(rec, found), name)
		require.Equal(t, c.drop, leftovers(rec, found), name)
		d := desiredOf(rec, found)
		for _, i := range d.Drop {
			require.GreaterOrEqual(t, i, max(d.Replicas, d.Spec.Nodes), name)
		}
	}
}

func TestACalmClusterHasNoLeftovers(t *testing.T) {
	found := Observation{Replicas: 3, Volumes: []VolumeObservation{{Ordinal: 2}, {Ordinal: 3}}}
	for state, want := range map[State][]int{Running: nil, Degraded: nil, Stopped: nil, Updating: {3}, Starting: {3}} {
		require.Equal(t, want, leftovers(aRecord(state), found), "%s", state)
	}
}

func TestMayBecome(t *testing.T) {
	for _, c := range []struct {
		from, to string
		nodes    int
		says     string
	}{
		{"5.8.1", "5.8.9", 3, ""}, {"5.8.9", "5.8.1", 3, ""}, {"5.6.1", "5.10.0", 3, ""}, {"5.8.0", "6.1.0", 3, ""}, {"4.4.6", "4.4.24", 3, ""},
		{"4.4.24", "5.8.9", 1, "make a new cluster"}, {"4.4.24", "6.1.0", 1, "make a new cluster"}, {"5.8.9", "4.4.24", 1, "earlier major"},
		{"5.7.2", "6.0.1", 1, "begins at 5.8.0"}, {"5.8.1", "5.7.2", 1, "within a minor version only"},
		{"4.4.24", "4.4.25", 2, "take 4.4.26"}, {"4.4.24", "4.4.25", 1, ""}, {"4.4.26", "4.4.25", 2, ""},
		{"latest", "5.8.9", 1, ""},
	} {
		got := mayBecome(c.from, c.to, c.nodes)
		require.Contains(t, got, c.says, "%s to %s", c.from, c.to)
		require.Equal(t, c.says == "", got == "", "%s to %s: %s", c.from, c.to, got)
	}
}

// What a failed change has left to be done is done, also where its nodes were
// cut off from one another in between.
func TestAPartitionEndsNoChange(t *testing.T) {
	m := newMoving(func(m *moving) { m.outdated(0, 1, 2); m.leaving(2) })
	m.rec.Status.State, m.rec.Status.Reason = Abnormal, ReasonUpdateFailed
	apart := m.look
	apart.Missing = 2
	apart.Views = map[string][]Member{}
	for i := range 2 {
		apart.Views[nodeName(i)] = []Member{{nodeName(i), "5.8.9"}}
	}
	rec := m.rec
	for _, look := range []Look{apart, m.look} {
		if s := advance(patient, t0, rec, nil, look, deed{}); len(s.hops) > 0 {
			rec = s.hops[len(s.hops)-1]
		}
	}
	require.True(t, newView(t0, rec, m.look).mayMove(), "%s, %s: %s", rec.Status.State, rec.Status.Reason, rec.Status.Message)
}

// hookedAdapter lets a test do something when a node was removed.
type hookedAdapter struct {
	worldAdapter
	removed func()
}

func (a hookedAdapter) Open(e Endpoint) (Broker, error) {
	b, err := a.worldAdapter.Open(e)
	return hookedBroker{b.(worldBroker), a.removed}, err
}

type hookedBroker struct {
	worldBroker
	removed func()
}

func (b hookedBroker) RemoveMember(ctx context.Context, node string) error {
	err := b.worldBroker.RemoveMember(ctx, node)
	b.removed()
	return err
}

func (b *bench) change(patch string) {
	_, err := b.m.Cluster(b.id).Do(asSystem(), Update{Patch: []byte(patch)})
	require.NoError(b.t, err)
}

// runs lets time pass until the cluster runs with a number of nodes.
func (b *bench) runs(nodes int) ClusterRecord {
	b.t.Helper()
	for range 60 {
		b.w.tick(b.id)
		if rec := b.look(time.Second); rec.Status.State == Running && len(b.w.at(b.id).pods) == nodes {
			return rec
		}
	}
	b.t.Fatalf("%+v", b.rec().Status)
	return ClusterRecord{}
}

// A node that was removed does not come back with what it had, whoever asks for
// nodes while it is removed.
func TestACommandWhileANodeIsRemoved(t *testing.T) {
	b := newBench(t)
	b.runs(2)
	b.change(`{"nodes":3}`)
	b.runs(3)
	old := b.w.at(b.id).claims[2]
	asked := false
	hook := hookedAdapter{worldAdapter{b.w}, func() {
		if !asked {
			asked = true
			b.change(`{"nodes":3}`)
		}
	}}
	b.m.adapters = map[int]Adapter{hook.Major(): hook}
	b.change(`{"nodes":2}`)
	b.runs(3)
	require.True(t, asked)
	require.NotEqual(t, old, b.w.at(b.id).claims[2], "the node that was removed is back with its old volume")
}

// The process ends at the worst moment of a change of the number of nodes: what
// was done is not stored any more. Whoever asks for nodes afterwards gets a node
// with a new volume, and who wants fewer has each of them leave in order.
func TestCrashBesideANodeThatComesOrGoes(t *testing.T) {
	crash := func(b *bench) {
		b.s.fault = func(bool) error { return &Error{Code: CodeUnavailable, Message: "the process has ended"} }
	}
	begin := func(t *testing.T, nodes string) *bench {
		b := newBench(t)
		b.runs(2)
		b.change(`{"nodes":` + nodes + `}`)
		return b
	}
	again := func(b *bench, nodes string) {
		b.s.fault = nil
		b.restart(b.w)
		b.change(`{"nodes":` + nodes + `}`)
	}
	t.Run("removed", func(t *testing.T) {
		b := begin(t, "3")
		b.runs(3)
		old, removed := b.w.at(b.id).claims[2], false
		hook := hookedAdapter{worldAdapter{b.w}, func() { removed = true; crash(b) }}
		b.m.adapters = map[int]Adapter{hook.Major(): hook}
		b.change(`{"nodes":2}`)
		for i := 0; !removed; i++ {
			require.Less(t, i, 60)
			b.w.tick(b.id)
			b.look(time.Second)
		}
		again(b, "3")
		b.runs(3)
		require.NotEqual(t, old, b.w.at(b.id).claims[2], "the node that was removed is back with its old volume")
		require.Zero(t, b.rec().Status.Removing)
	})
	t.Run("asked for", func(t *testing.T) {
		b := begin(t, "2")
		b.change(`{"nodes":4}`)
		h := &hooked{b.w, func() { crash(b) }}
		b.restart(h)
		for i := 0; b.s.fault == nil; i++ {
			require.Less(t, i, 60)
			b.look(time.Second)
		}
		again(b, "2")
		var left int
		hook := hookedAdapter{worldAdapter{b.w}, func() { left++ }}
		b.m.adapters = map[int]Adapter{hook.Major(): hook}
		require.Equal(t, 2, b.runs(2).Status.Ordinals)
		require.Equal(t, 2, left, "nodes that had come were members")
	})
}

// Nodes that were asked for leave one by one, also where nobody wants them any
// more by the time they were.
func TestACommandWhileNodesAreAsked(t *testing.T) {
	b := newBench(t)
	b.runs(2)
	h := &hooked{b.w, func() {}}
	b.restart(h)
	b.runs(2)
	b.change(`{"nodes":4}`)
	h.apply = func() {
		h.apply = func() {}
		b.change(`{"nodes":2}`)
	}
	require.Equal(t, 4, b.look(time.Second).Status.Ordinals)
	require.Equal(t, 2, b.runs(2).Status.Ordinals)
}

// What takes over from a change that has not come to its end has time for all
// that is left of it.
func TestTimeForWhatIsLeft(t *testing.T) {
	all := patient.Create + 2*time.Hour
	b := newBench(t)
	b.runs(2)
	b.w.at(b.id).mute = true
	b.change(`{"size":"2C4G","evacuation":{"deadline":3600,"onDeadline":"stop"}}`)
	require.Equal(t, all, b.rec().Status.Deadline.Sub(b.now))
	b.look(time.Second)
	b.look(time.Hour)
	b.change(`{"connections":6}`)
	require.Equal(t, all, b.rec().Status.Deadline.Sub(b.now))
	b.look(time.Second)
	require.Equal(t, ReasonUpdateFailed, b.watch(all).Status.Reason)
	b.change(`{"connections":7}`)
	require.Equal(t, all, b.rec().Status.Deadline.Sub(b.now))
	b.look(time.Second)
	require.Equal(t, ReasonUpdateFailed, b.watch(all).Status.Reason)
	_, err := b.m.Cluster(b.id).Do(asSystem(), Repair{})
	require.NoError(t, err)
	require.Equal(t, all, b.rec().Status.Deadline.Sub(b.now))
}

// A node that is being freed of its clients takes them again where no other is
// ready any more, by itself or because somebody wants the change no more: it is
// told so itself.
func TestTheLastNodeTakesClients(t *testing.T) {
	for name, then := range map[string]func(*bench){
		"by itself": func(*bench) {},
		"cancelled": func(b *bench) {
			_, err := b.m.CancelOperation(asSystem(), b.rec().Status.Operation)
			require.NoError(b.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.runs(2)
			p := b.w.at(b.id)
			b.change(`{"size":"2C4G"}`)
			for i := 0; len(p.leaving) == 0; i++ {
				require.Less(t, i, 20)
				b.look(time.Second)
			}
			b.w.tick(b.id)
			p.pods[0].down = true
			then(b)
			for i := 0; len(p.leaving) > 0; i++ {
				require.Less(t, i, 5, b.rec().Status.Message)
				b.w.tick(b.id)
				b.look(time.Second)
			}
			p.pods[0].down = false
			b.runs(2)
		})
	}
}

// hangingAdapter speaks to a world in which a member hangs: of an evacuation
// nobody tells but the node itself, and that not how far it is.
type hangingAdapter struct{ worldAdapter }

func (a hangingAdapter) Open(e Endpoint) (Broker, error) {
	b, err := a.worldAdapter.Open(e)
	return hangingBroker{b.(worldBroker)}, err
}

type hangingBroker struct{ worldBroker }

func (b hangingBroker) EvacuationProgress(ctx context.Context, node string) (EvacuationProgress, error) {
	p, err := b.worldBroker.EvacuationProgress(ctx, node)
	switch {
	case node != b.node:
		return EvacuationProgress{}, fail(CodeUnavailable, "watch evacuation", "a member hangs")
	case p.Phase != EvacuationNone:
		p.Phase = EvacuationUntold
	}
	return p, err
}

// An evacuation of a healthy node goes on while another hangs, and the node does
// not go before load balancers had time to notice.
func TestEvacuationWhileAnotherHangs(t *testing.T) {
	b := newBench(t)
	b.runs(2)
	b.change(`{"nodes":3}`)
	b.runs(3)
	b.m.adapters = map[int]Adapter{5: hangingAdapter{worldAdapter{b.w}}}
	b.change(`{"nodes":2}`)
	b.runs(2)
}

func TestUntoldEvacuationMayWait(t *testing.T) {
	begun := Leaving{Begun: t0}
	for _, c := range []struct {
		leaving Leaving
		phase   EvacuationPhase
		after   time.Duration
		want    bool
	}{
		{begun, EvacuationUntold, 20 * time.Second, true},
		{begun, EvacuationUntold, 20*time.Second + askPatience, false},
		{Leaving{}, EvacuationUntold, time.Hour, true},
		{begun, EvacuationCutting, 0, false},
	} {
		require.Equal(t, c.want, waitsUnseen(c.leaving, EvacuationProgress{Phase: c.phase}, t0.Add(c.after), 20*time.Second), "%+v", c)
	}
}
