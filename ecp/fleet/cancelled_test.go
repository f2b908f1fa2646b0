package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// waiting is an operation that waits in one of its steps, where it is cancelled.
type waiting struct {
	operation
	step string                      // the first step that is not done
	hold func(*drilled) func()       // what keeps it from going on, and ends that; nil = nothing but time
	meet func(*drilled)              // what happens to it after it was asked for; nil = nothing
	when func(*drilled) bool         // it is cancelled then, in that step; nil = at once
	free bool                        // what holds it is over when it is cancelled: the way back needs the same
	way  func(*drilled, ecp.Cluster) // what people do for the way back; nil = nothing
}

func (w waiting) kind() ecp.OperationKind {
	switch w.cmd.(type) {
	case ecp.Start:
		return ecp.OpStart
	case ecp.Stop:
		return ecp.OpStop
	}
	return ecp.OpUpdate
}

// brokerFault holds an operation by what EMQX answers.
func brokerFault(f emqxsim.Fault) func(*drilled) func() {
	return func(r *drilled) func() { return r.sim.Cluster(r.id).AddFault(f) }
}

func applyFails(r *drilled) func() {
	r.sim.FailApply(&ecp.Error{Code: ecp.CodeUnavailable, Message: "webhook away"})
	return func() { r.sim.FailApply(nil) }
}

func podsRefused(r *drilled) func() {
	require.NoError(r.t, r.sim.RefusePods(r.id, "exceeded quota"))
	return func() { require.NoError(r.t, r.sim.RefusePods(r.id, "")) }
}

func resizesDeferred(r *drilled) func() {
	require.NoError(r.t, r.sim.DeferResizes(r.id, "no room"))
	return func() { require.NoError(r.t, r.sim.DeferResizes(r.id, "")) }
}

// machineLost keeps a pod from going until its machine is known to run nothing.
func machineLost(ordinal int) func(*drilled) {
	return func(r *drilled) {
		r.until("the pod is going", func() bool {
			return slices.ContainsFunc(r.found(r.c).Nodes,
				func(n ecp.NodeObservation) bool { return n.Ordinal == ordinal && n.Terminating })
		}, func() any { return r.found(r.c).Nodes })
		require.NoError(r.t, r.sim.LoseMachine(r.id, ordinal))
	}
}

func machineFenced(ordinal int) func(*drilled, ecp.Cluster) {
	return func(r *drilled, _ ecp.Cluster) { require.NoError(r.t, r.sim.FenceMachine(r.id, ordinal)) }
}

func draining(r *drilled) bool { return r.record().Status.Draining != nil }

// outdated waits until so many nodes have still to be made anew, and all are there.
func outdated(n int) func(*drilled) bool {
	return func(r *drilled) bool {
		nodes, left := r.found(r.c).Nodes, 0
		for _, o := range nodes {
			left += derive.OneIf(o.Outdated)
		}
		return left == n && len(nodes) >= 3
	}
}

// neverStarts breaks the highest node as soon as it is another one.
func neverStarts(r *drilled) {
	r.until("one is replaced", func() bool { return outdated(2)(r) }, func() any { return r.found(r.c).Nodes })
	require.NoError(r.t, r.sim.Break(r.id, 2, "ImagePullBackOff"))
}

// notMade lets no pod be made as soon as one is going.
func notMade(r *drilled) {
	r.until("a pod is going", func() bool {
		return slices.ContainsFunc(r.found(r.c).Nodes, func(n ecp.NodeObservation) bool { return n.Terminating })
	}, func() any { return r.found(r.c).Nodes })
	podsRefused(r)
}

var (
	slowly  = patched(`{"evacuation":{"rate":1}}`)
	stopped = []ecp.Command{ecp.Stop{}}
	nightly = patched(`{"maintenance":{"windows":[{"start":"0 3 * * *","duration":"1h"}]}}`)
	upgrade = patched(`{"image":"near"}`)
	noViews = brokerFault(emqxsim.Fault{Path: "/api/v5/nodes**", Status: http.StatusServiceUnavailable})
)

// waitings are the steps in which operations that can be cancelled wait.
var waitings = []waiting{
	{operation: operation{name: "start", first: stopped, cmd: ecp.Start{}, end: ecp.Stopped}, step: "objects",
		hold: applyFails, free: true},
	{operation: operation{name: "start without pods", first: stopped, cmd: ecp.Start{}, end: ecp.Stopped},
		step: "nodes", hold: podsRefused},
	{operation: operation{name: "start without answers", first: stopped, cmd: ecp.Start{}, end: ecp.Stopped},
		step: "members", hold: noViews},
	{operation: operation{name: "stop", cmd: ecp.Stop{}}, step: "objects", hold: applyFails, free: true},
	{operation: operation{name: "stop of nodes that go", cmd: ecp.Stop{}}, step: "nodes-gone"},
	{operation: operation{name: "stop of a node that does not go", cmd: ecp.Stop{}}, step: "nodes-gone",
		meet: machineLost(1), way: machineFenced(1)},

	{operation: operation{name: "settings", cmd: patched(`{"config":{"mqtt.max_packet_size":"2MB"}}`)},
		step: "settings-set", hold: brokerFault(emqxsim.Fault{
			Method: http.MethodPut, Path: "/api/v5/configs**", Status: http.StatusServiceUnavailable}), free: true},
	{operation: operation{name: "settings that EMQX is slow with",
		cmd: patched(`{"config":{"mqtt.max_packet_size":"2MB"}}`)}, step: "settings-set",
		hold: brokerFault(emqxsim.Fault{Method: http.MethodPut, Path: "/api/v5/configs**", Hang: true}), free: true},
	{operation: operation{name: "objects", cmd: upgrade}, step: "objects", hold: applyFails, free: true},
	{operation: operation{name: "network", cmd: patched(`{"network":{"type":"LoadBalancer"}}`)}, step: "objects",
		hold: applyFails, free: true},

	{operation: operation{name: "scale in while clients leave", first: []ecp.Command{slowly},
		cmd: patched(`{"nodes":1}`)}, step: "surplus-gone", when: draining},
	{operation: operation{name: "scale in while the next one's leave", first: []ecp.Command{slowly},
		cmd: patched(`{"nodes":1}`)}, step: "surplus-gone",
		when: func(r *drilled) bool { return draining(r) && len(r.found(r.c).Nodes) == 2 }},
	{operation: operation{name: "scale in while a node does not go", cmd: patched(`{"nodes":2}`)},
		step: "surplus-gone", meet: machineLost(2), way: machineFenced(2)},
	{operation: operation{name: "scale in while a member stays", cmd: patched(`{"nodes":2}`)},
		step: "surplus-gone", free: true, hold: brokerFault(emqxsim.Fault{
			Method: http.MethodDelete, Path: "/api/v5/cluster/**", Status: http.StatusServiceUnavailable}),
		when: func(r *drilled) bool { return r.record().Status.Removing > 0 }},
	{operation: operation{name: "replicants leave", first: append([]ecp.Command{slowly}, twoReplicants...),
		cmd: patched(`{"replicants":null}`)}, step: "surplus-gone", when: draining},

	{operation: operation{name: "window", first: []ecp.Command{nightly}, cmd: upgrade}, step: "maintenance-window"},
	{operation: operation{name: "window, with what needs none", first: []ecp.Command{nightly},
		cmd: patched(`{"image":"near","nodes":4,"connections":99}`)}, step: "maintenance-window",
		when: func(r *drilled) bool { return len(r.found(r.c).Nodes) == 4 }},

	{operation: operation{name: "upgrade while clients leave", first: []ecp.Command{slowly}, cmd: upgrade},
		step: "nodes-replaced", when: draining},
	{operation: operation{name: "upgrade while the last one's leave", first: []ecp.Command{slowly}, cmd: upgrade},
		step: "nodes-replaced", when: func(r *drilled) bool { return draining(r) && outdated(1)(r) }},
	{operation: operation{name: "an image that never starts", cmd: upgrade}, step: "nodes-replaced",
		meet: neverStarts},
	{operation: operation{name: "a rehearsal that fails", cmd: upgrade}, step: "nodes-replaced", hold: podsRefused},
	{operation: operation{name: "a pod that may not be made", cmd: upgrade}, step: "nodes-replaced",
		meet: notMade, way: func(r *drilled, _ ecp.Cluster) { require.NoError(r.t, r.sim.RefusePods(r.id, "")) },
		when: func(r *drilled) bool { return len(r.found(r.c).Nodes) == 2 }},
	{operation: operation{name: "first certificate", first: []ecp.Command{slowly},
		cmd: patched(`{"network":{"certificate":"shops"}}`)}, step: "nodes-replaced", when: draining},
	{operation: operation{name: "upgrade with replicants", first: append([]ecp.Command{slowly}, twoReplicants...),
		cmd: patched(`{"image":"near"}`)}, step: "nodes-replaced",
		when: func(r *drilled) bool { return draining(r) && outdated(2)(r) }},
	{operation: operation{name: "resize in place", cmd: patched(`{"size":"more"}`)}, step: "nodes-resized",
		hold: resizesDeferred},
	{operation: operation{name: "resize in place of the next one", cmd: patched(`{"size":"more"}`)},
		step: "nodes-resized", when: outdated(2)},

	{operation: operation{name: "scale out without pods", cmd: patched(`{"nodes":5}`)}, step: "nodes",
		hold: podsRefused},
	{operation: operation{name: "scale out", cmd: patched(`{"nodes":5}`)}, step: "nodes"},
	{operation: operation{name: "scale out without answers", cmd: patched(`{"nodes":5}`)}, step: "members",
		hold: noViews, free: true},
	{operation: operation{name: "replicants added", cmd: twoReplicants[0]}, step: "nodes"},
	{operation: operation{name: "more connections", cmd: patched(`{"connections":600}`)}, step: "limit-set",
		hold: brokerFault(emqxsim.Fault{
			Method: http.MethodPut, Path: "/api/v5/li**", Hang: true}), free: true},
	{operation: operation{name: "all together", first: []ecp.Command{slowly},
		cmd: patched(`{"image":"near","size":"fast","nodes":4,"network":{"type":"NodePort"},"connections":99,` +
			`"config":{"mqtt.max_packet_size":"2MB"},"replicants":{"nodes":1}}`)}, step: "nodes-replaced",
		when: draining},
}

// TestCancelInEachWaitingStep: whatever an operation waits for, who cancels it has what was
// before: spec, bookings, nodes, what EMQX is told, and data of nodes that have not left.
func TestCancelInEachWaitingStep(t *testing.T) {
	covered := map[ecp.OperationKind][]string{}
	for _, w := range waitings {
		covered[w.kind()] = append(covered[w.kind()], w.step)
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			inDrillOf(t, w.operation, w.cancelled)
		})
	}
	for kind, have := range covered {
		require.Subset(t, have, derive.StepNames(derive.OperationSteps[kind]), "steps of a %s", kind)
	}
}

// TestCancelAtAnyMoment: so it is with all operations that can be cancelled, whatever they are doing.
func TestCancelAtAnyMoment(t *testing.T) {
	runs := 6
	if long() {
		runs = 300
	}
	for i := range runs {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			t.Parallel()
			dice := dice(t)
			op := operations[dice.IntN(len(operations))]
			for !cancellable(op) {
				op = operations[dice.IntN(len(operations))]
			}
			t.Log(op.name)
			op.first = append([]ecp.Command{slowly}, op.first...)
			op.end = ""
			if op.cmd.Kind() == ecp.CommandStart {
				op.end = ecp.Stopped
			}
			moment := time.Duration(dice.IntN(5000)) * time.Millisecond
			if dice.IntN(2) == 0 {
				moment *= 40
			}
			w := waiting{operation: op, meet: func(*drilled) { <-time.After(moment) }}
			inDrillOf(t, op, w.cancelled)
		})
	}
}

func cancellable(op operation) bool {
	switch cmd := op.cmd.(type) {
	case ecp.Start, ecp.Stop:
		return true
	case ecp.Update: // a schedule is no operation, and EMQX does not go back to an earlier minor version
		return !strings.Contains(string(cmd.Patch), "hibernation") && !strings.Contains(string(cmd.Patch), "later")
	}
	return false
}

func (w waiting) cancelled(r *drilled) {
	r.through(r.gate("", 0))
	want := w.settledShape(r)
	release := func() {}
	if w.hold != nil {
		release = w.hold(r)
	}
	require.NoError(r.t, r.command())
	if w.meet != nil {
		w.meet(r)
	}
	op := w.waits(r)
	if op == "" {
		return // it was faster
	}
	if w.free {
		release()
	}
	back, err := r.m.CancelOperation(asSystem(), op)
	require.NoError(r.t, err)
	if w.way != nil {
		w.way(r, r.c)
	}
	r.ends(back, ecp.PhaseSucceeded)
	if !w.free { // nobody waits for what was to come
		release()
	}
	got, err := r.m.Operation(asSystem(), op)
	require.NoError(r.t, err)
	require.Equal(r.t, ecp.PhaseCancelled, got.Phase)
	r.same(want, w.settledShape(r))
}

// waits waits until the operation is in the step, and returns it.
func (w waiting) waits(r *drilled) (id ecp.OperationID) {
	r.t.Helper()
	if w.step == "" {
		return r.record().Status.Operation
	}
	var last ecp.Operation
	r.until("it waits in "+w.step, func() bool {
		if now := r.record().Status.Operation; now != "" {
			op, err := r.m.Operation(asSystem(), now)
			require.NoError(r.t, err)
			last, id = op, now
		}
		i := slices.IndexFunc(last.Steps, func(s ecp.Step) bool { return s.Done < s.Total || s.Total == 0 })
		return i >= 0 && last.Steps[i].Name == w.step && (w.when == nil || w.when(r))
	}, func() any { return []any{last, r.record().Status, r.operations()} })
	require.False(r.t, last.Phase.Final(), "%+v", last)
	return id
}

// settledShape waits until nothing is left to do, and tells what is wanted and what there is.
func (w waiting) settledShape(r *drilled) string {
	r.t.Helper()
	r.settled(r.c)
	running := r.record().Status.State == ecp.Running && r.cmd != nil
	if running {
		r.until("clients are back", func() bool { return r.sim.Cluster(r.id).Usage().Connected == drillClients },
			func() any { return r.sim.Cluster(r.id).Usage() })
	}
	<-time.After(time.Minute)
	writes := r.sim.Writes()
	<-time.After(time.Minute)
	require.Equal(r.t, writes, r.sim.Writes(), "something is still written")
	r.settled(r.c)
	spec, pool, found := r.record(), r.pool(), r.found(r.c)
	out := r.shape()
	say := func(what string, v any) { out += what + ": " + asJSON(r.t, v) + "\n" }
	say("wanted", spec.Spec)
	say("resolved", spec.Resolved)
	say("booked", pool)
	say("nothing is left over", []any{spec.Status.Draining, spec.Status.Removing, derive.OrdinalsOf(spec),
		spec.Status.Operation, spec.Status.Previous, len(found.Volumes), found.Replicas, found.Replicants})
	say("secret kept", r.before.Auth == found.Auth)
	if running {
		say("sessions", r.sim.Cluster(r.id).Usage().Sessions)
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}
