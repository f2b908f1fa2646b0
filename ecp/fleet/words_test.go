package fleet

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/brokers"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/stretchr/testify/require"
)

// What an evacuation waits for is said by its phase, not by counts that mean
// something else there.
func TestEvacuationsSayWhatTheyWaitFor(t *testing.T) {
	times := ecp.Timings{}.WithDefaults()
	for _, c := range []struct {
		version string
		at      ecp.EvacuationProgress
		want    string
	}{
		{"5.8.9", ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, "n1 begins to move its clients"},
		{"5.8.9", ecp.EvacuationProgress{
			Phase:       ecp.EvacuationWaiting,
			Connections: 12,
			Sessions:    12,
		}, "n1 waits 20s until load balancers have noticed that it is to get no clients; " +
			"it has 12 clients and 12 sessions"},
		{"4.4.24", ecp.EvacuationProgress{Phase: ecp.EvacuationWaiting}, "n1 waits 1m0s until load balancers have " +
			"noticed that it is to get no clients; it has 0 clients and 0 sessions"},
		{"5.8.9", ecp.EvacuationProgress{
			Phase:       ecp.EvacuationCutting,
			Connections: 3,
			Sessions:    12,
		}, "n1 still has 3 clients and 12 sessions"},
		{"5.8.9", ecp.EvacuationProgress{
			Phase:       ecp.EvacuationTakeover,
			Connections: 1,
			Sessions:    7,
		}, "n1 still has 1 clients and 7 sessions"},
		{"5.8.9", ecp.EvacuationProgress{Phase: ecp.EvacuationTakeover, Sessions: 7}, "n1 has no clients any more, " +
			"and gives them 10s to come back elsewhere before it moves the sessions of the others"},
		{"5.8.9", ecp.EvacuationProgress{
			Phase:    ecp.EvacuationMoving,
			Sessions: 4,
		}, "n1 has no clients any more, and moves the 4 sessions that are left"},
		{"5.8.9", ecp.EvacuationProgress{
			Phase:    ecp.EvacuationOther,
			Sessions: 4,
		}, "n1 still has 0 clients and 4 sessions"},
	} {
		require.Equal(t, c.want+"; clients are given until 2026-01-02T03:04:05Z",
			brokers.DescribeEvacuation(times, c.version, "n1", c.at, t0))
	}
}

// A node that still waits for load balancers takes clients, however few it has.
func TestWaitingIsNotEmpty(t *testing.T) {
	for phase, empty := range map[ecp.EvacuationPhase]bool{
		ecp.EvacuationNone:       false,
		ecp.EvacuationWaiting:    false,
		ecp.EvacuationOther:      false,
		ecp.EvacuationCutting:    true,
		ecp.EvacuationTakeover:   true,
		ecp.EvacuationMoving:     true,
		ecp.EvacuationProhibited: true,
	} {
		require.Equal(t, empty, derive.IsDrained(ecp.EvacuationProgress{Phase: phase}), phase)
	}
}

// While a node is replaced, that it does not answer is no fault.
func TestANodeThatStartsIsWaitedFor(t *testing.T) {
	b := newBench(t)
	b.running()
	rec := b.rec()
	rec.Status.Draining = &ecp.Draining{Node: nodeName(1), Since: b.now}
	look := aLook(2, 1)
	v := derive.NewView(b.now, rec, look)
	b.w.at(b.id).mute = true
	require.Equal(t, nodeName(1)+" has to start",
		b.m.brokers.Undrain(t.Context(), b.w, v, nodeName(1), &derive.Outcome{}))
	v.Snapshot.Found.Nodes[1].Ready = true
	require.Contains(t, b.m.brokers.Undrain(t.Context(), b.w, v, nodeName(1), &derive.Outcome{}),
		"cannot be told to take clients again: ")
}

func TestANodeWhoseClientsLeaveIsNotReadyOnPurpose(t *testing.T) {
	rec := aRecord(ecp.Updating)
	rec.Status.Draining = &ecp.Draining{Node: nodeName(2), Since: t0}
	look := aLook(3, 2)
	look.Found.Nodes[2].Reason, look.Found.Nodes[2].Message = "Unhealthy", "HTTP probe failed with statuscode: 503"
	look.Views, look.Waits = nil, "n2 moves"
	require.Equal(t, "n2 moves; 2 of 3 nodes are ready; n2: its clients are moved",
		derive.NewView(t0, rec, look).WaitsFor())
}

// A deletion takes away what it is meant to: nothing of that is a loss.
func TestADeletionIsNoLoss(t *testing.T) {
	for name, edit := range map[string]func(*derive.Snapshot){
		"the namespace ends":  func(l *derive.Snapshot) { l.Found.Terminating = true },
		"claims end":          func(l *derive.Snapshot) { l.Found.Volumes[0].Terminating = true },
		"the secret has gone": func(l *derive.Snapshot) { l.Found.Auth = "" },
		"the platform calls so": func(l *derive.Snapshot) {
			l.Failure = &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim"}
		},
		"nothing is there":       func(l *derive.Snapshot) { l.Found = ecp.Observation{Replicas: -1} },
		"and nothing to be seen": func(*derive.Snapshot) {},
	} {
		rec, look := aRecord(ecp.Stopping), aLook(0, 0)
		rec.Deleting = true
		edit(&look)
		for _, c := range derive.Conditions(t0, derive.NewView(t0, rec, look), 0) {
			require.NotContains(t, []ecp.Reason{ecp.ReasonDataLost, ecp.ReasonSecretLost}, c.Reason, "%s: %+v", name, c)
		}
		rec.Deleting = false
		if look.Found.Exists && edit != nil && name != "and nothing to be seen" {
			require.NotNil(t, derive.NewView(t0, rec, look).Loss, "%s of a cluster that is only stopped", name)
		}
	}
}

// Nodes that have never met are called that: what EMQX heals by itself is another
// thing.
func TestNodesThatNeverMetAreCalledThat(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).split[1], b.w.at(b.id).stuck = true, true
	b.look(patient.Poll)
	rec := b.look(time.Second)
	require.Equal(t, ecp.ReasonPartitioned, rec.Status.Reason)
	require.Contains(t, rec.Status.Message,
		"nodes started without finding each other: n0; and apart from it n1; EMQX looks for others only when it starts")
	require.NotContains(t, rec.Status.Message, "heals by itself")

	b.w.at(b.id).stuck = false // the younger side is restarted, and joins
	b.look(time.Second)
	b.w.tick(b.id)
	b.w.tick(b.id)
	require.Equal(t, ecp.Running, b.look(patient.Poll).Status.State)
}

// While nodes count different members nothing is restarted unasked: EMQX heals that itself.
func TestAPartitionIsLeftToEMQX(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).split[1], b.w.at(b.id).met = true, true
	b.look(patient.Poll)
	rec := b.look(time.Second)
	require.Equal(t, ecp.ReasonPartitioned, rec.Status.Reason)
	require.Contains(t, rec.Status.Message, "nodes count different members: ")
	require.Contains(t, rec.Status.Message, "heals by itself")
	require.Equal(t, rec.Status.State, b.look(time.Hour).Status.State)
	require.Equal(t, ecp.ReasonPartitioned, b.rec().Status.Reason)

	b.w.at(b.id).split[1] = false
	require.Equal(t, ecp.Running, b.look(time.Second).Status.State)
}

// Kubernetes that is away is said to be, with the reason.
func TestUnseenSaysWhy(t *testing.T) {
	b := newBench(t)
	b.running()
	_, err := b.m.Cluster(b.id).Do(asSystem(), ecp.Restart{})
	require.NoError(t, err)
	b.w.unseen = true
	rec := b.look(time.Second)
	require.NotZero(t, rec.Status.StaleFrom)
	info, err := b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Contains(t, info.Unseen, "the platform does not answer")
	require.Equal(t, "nothing can be seen: "+info.Unseen, info.Waits)
	require.Equal(t, info.Unseen, ecp.ConditionOf(info.Status.Conditions, ecp.CondAvailable).Message)
	b.w.unseen = false
	b.look(time.Second)
	info, err = b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Empty(t, info.Unseen)
}

// An operation has the steps that it takes, in the plan and in itself.
func TestStepsAreThoseThatAreTaken(t *testing.T) {
	for name, c := range map[string]struct {
		cmd  ecp.Command
		stop bool
		want []string
	}{
		"connections": {
			cmd:  ecp.Update{Patch: []byte(`{"connections":7}`)},
			want: []string{"objects", "nodes", "members", "limit-set"},
		},
		"more nodes": {
			cmd:  ecp.Update{Patch: []byte(`{"nodes":3}`)},
			want: []string{"objects", "nodes", "members", "limit-set"},
		},
		"fewer nodes": {
			cmd:  ecp.Update{Patch: []byte(`{"nodes":1}`)},
			want: []string{"objects", "surplus-gone", "nodes", "members", "limit-set"},
		},
		"another size": {
			cmd:  ecp.Update{Patch: []byte(`{"size":"4C8G"}`)},
			want: []string{"objects", "nodes-replaced", "nodes", "members"},
		},
		"size, and fewer": {
			cmd:  ecp.Update{Patch: []byte(`{"nodes":1,"size":"4C8G"}`)},
			want: []string{"objects", "surplus-gone", "nodes-replaced", "nodes", "members", "limit-set"},
		},
		"restart": {
			cmd:  ecp.Restart{},
			want: []string{"objects", "nodes-replaced", "nodes", "members"},
		},
		"stop":                      {cmd: ecp.Stop{}, want: []string{"objects", "nodes-gone"}},
		"fewer, none of which runs": {cmd: ecp.Update{Patch: []byte(`{"nodes":1}`)}, stop: true, want: []string{"objects"}},
	} {
		b := newBench(t)
		b.running()
		if c.stop {
			_, err := b.m.Cluster(b.id).Do(asSystem(), ecp.Stop{})
			require.NoError(t, err)
			for range 4 {
				b.w.tick(b.id)
				b.look(time.Second)
			}
			require.Equal(t, ecp.Stopped, b.rec().Status.State)
		}
		plan, err := b.m.Cluster(b.id).Plan(asSystem(), c.cmd)
		require.NoError(t, err, name)
		require.Equal(t, c.want, plan.Steps, name)
		op, err := b.m.Cluster(b.id).Do(asSystem(), c.cmd)
		require.NoError(t, err, name)
		var steps []string
		for _, s := range op.Steps {
			steps = append(steps, s.Name)
		}
		require.Equal(t, c.want, steps, name)
	}
}
