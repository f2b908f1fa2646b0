package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/brokers"
	"github.com/stretchr/testify/require"
)

// hookedAdapter lets a test do something when a node was removed.
type hookedAdapter struct {
	worldAdapter
	removed func()
}

func (a hookedAdapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
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
	_, err := b.m.Cluster(b.id).Do(asSystem(), ecp.Update{Patch: []byte(patch)})
	require.NoError(b.t, err)
}

// runs lets time pass until the cluster runs with a number of nodes.
func (b *bench) runs(nodes int) ecp.ClusterRecord {
	b.t.Helper()
	for range 60 {
		b.w.tick(b.id)
		if rec := b.look(time.Second); rec.Status.State == ecp.Running && len(b.w.at(b.id).pods) == nodes {
			return rec
		}
	}
	b.t.Fatalf("%+v", b.rec().Status)
	return ecp.ClusterRecord{}
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
	b.m.observed.Adapters = map[int]ecp.Adapter{hook.Major(): hook}
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
		b.s.Fault = func(bool) error { return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the process has ended"} }
	}
	begin := func(t *testing.T, nodes string) *bench {
		b := newBench(t)
		b.runs(2)
		b.change(`{"nodes":` + nodes + `}`)
		return b
	}
	again := func(b *bench, nodes string) {
		b.s.Fault = nil
		b.restart(b.w)
		b.change(`{"nodes":` + nodes + `}`)
	}
	t.Run("removed", func(t *testing.T) {
		b := begin(t, "3")
		b.runs(3)
		old, removed := b.w.at(b.id).claims[2], false
		hook := hookedAdapter{worldAdapter{b.w}, func() { removed = true; crash(b) }}
		b.m.observed.Adapters = map[int]ecp.Adapter{hook.Major(): hook}
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
		for i := 0; b.s.Fault == nil; i++ {
			require.Less(t, i, 60)
			b.look(time.Second)
		}
		again(b, "2")
		var left int
		hook := hookedAdapter{worldAdapter{b.w}, func() { left++ }}
		b.m.observed.Adapters = map[int]ecp.Adapter{hook.Major(): hook}
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
	require.Equal(t, ecp.ReasonUpdateFailed, b.watch(all).Status.Reason)
	b.change(`{"connections":7}`)
	require.Equal(t, all, b.rec().Status.Deadline.Sub(b.now))
	b.look(time.Second)
	require.Equal(t, ecp.ReasonUpdateFailed, b.watch(all).Status.Reason)
	_, err := b.m.Cluster(b.id).Do(asSystem(), ecp.Repair{})
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

func (a hangingAdapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	b, err := a.worldAdapter.Open(e)
	return hangingBroker{b.(worldBroker)}, err
}

type hangingBroker struct{ worldBroker }

func (b hangingBroker) EvacuationProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	p, err := b.worldBroker.EvacuationProgress(ctx, node)
	switch {
	case node != b.node:
		return ecp.EvacuationProgress{}, ecp.NewError(ecp.CodeUnavailable, "watch evacuation", "a member hangs")
	case p.Phase != ecp.EvacuationNone:
		p.Phase = ecp.EvacuationUntold
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
	b.m.observed.Adapters = map[int]ecp.Adapter{5: hangingAdapter{worldAdapter{b.w}}}
	b.change(`{"nodes":2}`)
	b.runs(2)
}

func TestUntoldEvacuationMayWait(t *testing.T) {
	begun := ecp.Draining{Begun: t0}
	for _, c := range []struct {
		leaving ecp.Draining
		phase   ecp.EvacuationPhase
		after   time.Duration
		want    bool
	}{
		{begun, ecp.EvacuationUntold, 20 * time.Second, true},
		{begun, ecp.EvacuationUntold, 20*time.Second + brokers.QueryTimeout, false},
		{ecp.Draining{}, ecp.EvacuationUntold, time.Hour, true},
		{begun, ecp.EvacuationCutting, 0, false},
	} {
		require.Equal(t, c.want, brokers.MayStillWait(c.leaving, ecp.EvacuationProgress{
			Phase: c.phase,
		}, t0.Add(c.after), 20*time.Second), "%+v", c)
	}
}
