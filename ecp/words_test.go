package ecp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What an evacuation waits for is said by its phase, not by counts that mean
// something else there.
func TestEvacuationsSayWhatTheyWaitFor(t *testing.T) {
	times := Timings{}.withDefaults()
	for _, c := range []struct {
		version string
		at      EvacuationProgress
		want    string
	}{
		{"5.8.9", EvacuationProgress{Phase: EvacuationNone}, "n1 begins to move its clients"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationWaiting, Connections: 12, Sessions: 12}, "n1 waits 20s until load balancers have noticed that it is to get no clients; it has 12 clients and 12 sessions"},
		{"4.4.24", EvacuationProgress{Phase: EvacuationWaiting}, "n1 waits 1m0s until load balancers have noticed that it is to get no clients; it has 0 clients and 0 sessions"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationCutting, Connections: 3, Sessions: 12}, "n1 still has 3 clients and 12 sessions"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationTakeover, Connections: 1, Sessions: 7}, "n1 still has 1 clients and 7 sessions"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationTakeover, Sessions: 7}, "n1 has no clients any more, and gives them 10s to come back elsewhere before it moves the sessions of the others"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationMoving, Sessions: 4}, "n1 has no clients any more, and moves the 4 sessions that are left"},
		{"5.8.9", EvacuationProgress{Phase: EvacuationOther, Sessions: 4}, "n1 still has 0 clients and 4 sessions"},
	} {
		require.Equal(t, c.want+"; clients are given until 2026-01-02T03:04:05Z", evacuating(times, c.version, "n1", c.at, t0))
	}
}

// A node that still waits for load balancers takes clients, however few it has.
func TestWaitingIsNotEmpty(t *testing.T) {
	for phase, empty := range map[EvacuationPhase]bool{
		EvacuationNone: false, EvacuationWaiting: false, EvacuationOther: false,
		EvacuationCutting: true, EvacuationTakeover: true, EvacuationMoving: true, EvacuationProhibited: true,
	} {
		require.Equal(t, empty, nobodyLeft(EvacuationProgress{Phase: phase}), phase)
	}
}

// While a node is replaced, that it does not answer is no fault.
func TestANodeThatStartsIsWaitedFor(t *testing.T) {
	b := newBench(t)
	b.running()
	rec := b.rec()
	rec.Status.Leaving = &Leaving{Node: nodeName(1), Since: b.now}
	look := aLook(2, 1)
	v := newView(b.now, rec, look)
	b.w.at(b.id).mute = true
	require.Equal(t, nodeName(1)+" has to start", b.m.takeBack(t.Context(), b.w, v, nodeName(1), &deed{}))
	v.look.Found.Nodes[1].Ready = true
	require.Contains(t, b.m.takeBack(t.Context(), b.w, v, nodeName(1), &deed{}), "cannot be told to take clients again: ")
}

func TestANodeWhoseClientsLeaveIsNotReadyOnPurpose(t *testing.T) {
	rec := aRecord(Updating)
	rec.Status.Leaving = &Leaving{Node: nodeName(2), Since: t0}
	look := aLook(3, 2)
	look.Found.Nodes[2].Reason, look.Found.Nodes[2].Message = "Unhealthy", "HTTP probe failed with statuscode: 503"
	look.Views, look.Waits = nil, "n2 moves"
	require.Equal(t, "n2 moves; 2 of 3 nodes are ready; n2: its clients are moved", newView(t0, rec, look).waitsFor())
}

// A deletion takes away what it is meant to: nothing of that is a loss.
func TestADeletionIsNoLoss(t *testing.T) {
	for name, edit := range map[string]func(*Look){
		"the namespace ends":     func(l *Look) { l.Found.Terminating = true },
		"claims end":             func(l *Look) { l.Found.Volumes[0].Going = true },
		"the secret has gone":    func(l *Look) { l.Found.Auth = "" },
		"the platform calls so":  func(l *Look) { l.Failure = &Loss{ReasonDataLost, "claim"} },
		"nothing is there":       func(l *Look) { l.Found = Observation{Replicas: -1} },
		"and nothing to be seen": func(*Look) {},
	} {
		rec, look := aRecord(Stopping), aLook(0, 0)
		rec.Deleting = true
		edit(&look)
		for _, c := range conditions(t0, newView(t0, rec, look), 0) {
			require.NotContains(t, []Reason{ReasonDataLost, ReasonSecretLost}, c.Reason, "%s: %+v", name, c)
		}
		rec.Deleting = false
		if look.Found.Exists && edit != nil && name != "and nothing to be seen" {
			require.NotNil(t, newView(t0, rec, look).loss, "%s of a cluster that is only stopped", name)
		}
	}
}

// What keeps a cluster to its connections is told as it is.
func TestWhoEnforcesTheLimit(t *testing.T) {
	for _, c := range []struct {
		name             string
		booked, made     int
		licensed         int
		stopped, adopted bool
		limit            int
		by               string
	}{
		{name: "listeners", booked: 100, made: 100, licensed: 1000, limit: 100, by: EnforcedByListeners},
		{name: "the licence is smaller", booked: 100, made: 100, licensed: 25, limit: 25, by: EnforcedByLicence},
		{name: "the licence is as large", booked: 100, made: 100, licensed: 100, limit: 100, by: EnforcedByLicence},
		{name: "the broker does not say", booked: 100, made: 100, limit: 100, by: EnforcedByListeners},
		{name: "nodes were made with less", booked: 100, made: 50, limit: 100, by: EnforcedByListeners},
		{name: "nodes were made with more", booked: 100, made: 500, limit: 100, by: EnforcedByNone},
		{name: "with more, and a licence between", booked: 100, made: 500, licensed: 300, limit: 100, by: EnforcedByNone},
		{name: "made by an earlier build", booked: 100, limit: 100, by: EnforcedByListeners},
		{name: "nothing runs", booked: 100, made: 100, licensed: 25, stopped: true, limit: 100, by: EnforcedByNone},
		{name: "adopted", booked: 100, licensed: 25, adopted: true, limit: 100, by: EnforcedByNone},
	} {
		rec := aRecord(Running)
		rec.Spec.Hosted.Connections, rec.Resolved.Connections = c.booked, c.made
		if c.adopted {
			rec.Mode, rec.Spec = Adopted, Spec{Adopted: &AdoptedSpec{Connections: c.booked}}
		}
		limit, by := enforced(rec, c.licensed, !c.stopped)
		require.Equal(t, c.limit, limit, c.name)
		require.Equal(t, c.by, by, c.name)
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
	require.Equal(t, ReasonPartitioned, rec.Status.Reason)
	require.Contains(t, rec.Status.Message, "nodes started without finding each other: n0; and apart from it n1; EMQX looks for others only when it starts")
	require.NotContains(t, rec.Status.Message, "heals by itself")

	b.w.at(b.id).stuck = false // the younger side is restarted, and joins
	b.look(time.Second)
	b.w.tick(b.id)
	b.w.tick(b.id)
	require.Equal(t, Running, b.look(patient.Poll).Status.State)
}

// While nodes count different members a repair could only fail for want of time.
func TestNoRepairOfAPartition(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).split[1], b.w.at(b.id).met = true, true
	b.look(patient.Poll)
	rec := b.look(time.Second)
	require.Equal(t, ReasonPartitioned, rec.Status.Reason)
	require.Contains(t, rec.Status.Message, "nodes count different members: ")
	require.Contains(t, rec.Status.Message, "Repair cannot join them")
	c := b.m.Cluster(b.id)
	_, err := c.Plan(asSystem(), Repair{})
	require.ErrorIs(t, err, ErrConflict)
	_, err = c.Do(asSystem(), Repair{})
	require.ErrorIs(t, err, ErrConflict)
	require.ErrorContains(t, err, "heals by itself")
	require.Equal(t, rec.Status.State, b.look(time.Hour).Status.State)
	require.Equal(t, ReasonPartitioned, b.rec().Status.Reason)

	b.w.at(b.id).split[1] = false
	require.Equal(t, Running, b.look(time.Second).Status.State)
}

// Kubernetes that is away is said to be, with the reason.
func TestUnseenSaysWhy(t *testing.T) {
	b := newBench(t)
	b.running()
	_, err := b.m.Cluster(b.id).Do(asSystem(), Restart{})
	require.NoError(t, err)
	b.w.unseen = true
	rec := b.look(time.Second)
	require.NotZero(t, rec.Status.StaleFrom)
	info, err := b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Contains(t, info.Unseen, "the platform does not answer")
	require.Equal(t, "nothing can be seen: "+info.Unseen, info.Waits)
	require.Equal(t, info.Unseen, ConditionOf(info.Status.Conditions, CondAvailable).Message)
	b.w.unseen = false
	b.look(time.Second)
	info, err = b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Empty(t, info.Unseen)
}

// An operation has the steps that it takes, in the plan and in itself.
func TestStepsAreThoseThatAreTaken(t *testing.T) {
	for name, c := range map[string]struct {
		cmd  Command
		stop bool
		want []string
	}{
		"connections":               {cmd: Update{Patch: []byte(`{"connections":7}`)}, want: []string{"objects", "nodes", "members"}},
		"more nodes":                {cmd: Update{Patch: []byte(`{"nodes":3}`)}, want: []string{"objects", "nodes", "members"}},
		"fewer nodes":               {cmd: Update{Patch: []byte(`{"nodes":1}`)}, want: []string{"objects", "surplus-gone", "nodes", "members"}},
		"another size":              {cmd: Update{Patch: []byte(`{"size":"4C8G"}`)}, want: []string{"objects", "nodes-replaced", "nodes", "members"}},
		"size, and fewer":           {cmd: Update{Patch: []byte(`{"nodes":1,"size":"4C8G"}`)}, want: []string{"objects", "surplus-gone", "nodes-replaced", "nodes", "members"}},
		"restart":                   {cmd: Restart{}, want: []string{"objects", "nodes-replaced", "nodes", "members"}},
		"stop":                      {cmd: Stop{}, want: []string{"objects", "nodes-gone"}},
		"fewer, none of which runs": {cmd: Update{Patch: []byte(`{"nodes":1}`)}, stop: true, want: []string{"objects"}},
	} {
		b := newBench(t)
		b.running()
		if c.stop {
			_, err := b.m.Cluster(b.id).Do(asSystem(), Stop{})
			require.NoError(t, err)
			for range 4 {
				b.w.tick(b.id)
				b.look(time.Second)
			}
			require.Equal(t, Stopped, b.rec().Status.State)
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
