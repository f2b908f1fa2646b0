package ecp

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var patient = Timings{}.withDefaults()

// anOperation is the running one of a record.
func anOperation(rec *ClusterRecord, kind OperationKind) *Operation {
	rec.Status.Operation = "op-1"
	return &Operation{ID: "op-1", Cluster: rec.ID, Kind: kind, Phase: PhaseQueued, Steps: newSteps(operationSteps[kind]), Deadline: rec.Status.Deadline}
}

// last gives the record after a step.
func last(t *testing.T, s step) ClusterRecord {
	t.Helper()
	require.NotEmpty(t, s.hops)
	return s.hops[len(s.hops)-1]
}

func TestDeadlinesStandStillWhileStale(t *testing.T) {
	rec := aRecord(Creating)
	op := anOperation(&rec, OpCreate)
	blind := Look{Unseen: "away"}

	stale := last(t, advance(patient, t0.Add(30*time.Second), rec, op, blind, deed{}))
	require.Equal(t, t0.Add(30*time.Second), stale.Status.StaleFrom)
	require.Equal(t, rec.Status.Deadline, stale.Status.Deadline)
	require.Equal(t, Creating, stale.Status.State)

	s := advance(patient, t0.Add(time.Hour), stale, op, blind, deed{})
	require.Empty(t, s.hops, "still stale is nothing new")

	s = advance(patient, t0.Add(time.Hour), stale, op, aLook(3, 2), deed{})
	seen := last(t, s)
	require.Equal(t, Creating, seen.Status.State)
	require.Zero(t, seen.Status.StaleFrom)
	require.Equal(t, t0.Add(time.Hour+30*time.Second), seen.Status.Deadline, "30 s were left and are left")
	require.Equal(t, seen.Status.Deadline, s.op.Deadline)

	late := last(t, advance(patient, t0.Add(time.Hour+31*time.Second), seen, op, aLook(3, 2), deed{}))
	require.Equal(t, Abnormal, late.Status.State)
	require.Equal(t, ReasonCreateFailed, late.Status.Reason)
}

func TestACommandWhileStaleHasItsWholeTime(t *testing.T) {
	m := &Manager{now: func() time.Time { return t0.Add(time.Hour) }, timings: patient}
	for _, cmd := range []Command{Stop{}, Delete{}} {
		rec := aRecord(Running)
		rec.Status.StaleFrom = t0
		d, err := m.decide(nil, rec, cmd)
		require.NoError(t, err)
		back := t0.Add(2 * time.Hour)
		seen := last(t, advance(patient, back, d.rec, nil, aLook(3, 3), deed{}))
		require.Equal(t, back.Add(d.patience), seen.Status.Deadline, "%T", cmd)
	}
}

func TestTheFirstLookAfterAStartIsFair(t *testing.T) {
	rec := aRecord(Starting)
	now := rec.Status.Deadline.Add(time.Hour)
	fair := last(t, advance(patient, now, rec, nil, aLook(3, 1), deed{firstLook: true}))
	require.Equal(t, Starting, fair.Status.State)
	require.Equal(t, now.Add(patient.Dispatch), fair.Status.Deadline)
	require.Equal(t, Abnormal, last(t, advance(patient, now, rec, nil, aLook(3, 1), deed{})).Status.State)

	early := aRecord(Starting)
	s := advance(patient, t0, early, nil, aLook(3, 1), deed{firstLook: true})
	require.Equal(t, t0.Add(patient.Dispatch), last(t, s).Status.Deadline, "never sooner than it was")
	steady := last(t, advance(patient, now, aRecord(Running), nil, aLook(3, 3), deed{firstLook: true}))
	require.Zero(t, steady.Status.Deadline)
}

func TestEveryHopIsARecordOfItsOwn(t *testing.T) {
	rec := aRecord(Updating)
	op := anOperation(&rec, OpUpdate)
	s := advance(patient, t0, rec, op, aLook(3, 3), deed{})
	require.Len(t, s.hops, 2)
	require.Equal(t, Syncing, s.hops[0].Status.State)
	require.Equal(t, ReasonInProgress, s.hops[0].Status.Reason)
	require.Equal(t, OperationID("op-1"), s.hops[0].Status.Operation)
	require.Equal(t, Running, s.hops[1].Status.State)
	require.Zero(t, s.hops[1].Status.Deadline)
	require.Empty(t, s.hops[1].Status.Operation)
	require.Equal(t, PhaseSucceeded, s.op.Phase)
}

func TestNothingNewWritesNothing(t *testing.T) {
	stopped := aLook(0, 0)
	stopped.Found.Replicas = 0
	looks := map[State]Look{
		Running: aLook(3, 3), Degraded: aLook(3, 2), Starting: aLook(3, 2), Creating: aLook(1, 0), Stopping: aLook(2, 1), Stopped: stopped, Abnormal: aLook(3, 0),
	}
	for state, look := range looks {
		rec := aRecord(state)
		op := anOperation(&rec, OpStop)
		first := advance(patient, t0, rec, op, look, deed{})
		rec = last(t, first)
		if first.op != nil {
			op = first.op
		}
		for _, later := range []time.Duration{0, time.Second, 20 * time.Second} {
			again := advance(patient, t0.Add(later), rec, op, look, deed{})
			require.Empty(t, again.hops, "%s", state)
			require.Nil(t, again.op, "%s", state)
		}
	}
}

func TestAdvanceIsPure(t *testing.T) {
	rec := aRecord(Creating)
	rec.Status.Volumes, rec.Status.Auth = nil, ""
	op := anOperation(&rec, OpCreate)
	before, opBefore := rec.Clone(), op.Clone()
	did := deed{applied: true, generation: 1, firstLook: true, newestRender: 2}
	a, b := advance(patient, t0, rec, op, aLook(3, 3), did), advance(patient, t0, rec, op, aLook(3, 3), did)
	require.Equal(t, a, b, "asked twice it says the same")
	require.Equal(t, before, rec)
	require.Equal(t, opBefore, *op)
}

func TestOperationsEndWithTheirState(t *testing.T) {
	at := func(s State) ClusterRecord {
		rec := aRecord(s)
		rec.Status.Message = "because"
		return rec
	}
	// Where an operation that has not done what it is for stands.
	others := map[State]Phase{Degraded: PhaseFailed, Abnormal: PhaseFailed, Nonexistent: PhaseFailed, Running: PhaseFailed, Stopped: PhaseFailed, Gone: PhaseFailed}
	done := map[OperationKind][]State{
		OpCreate: {Running, Stopped}, OpStart: {Running}, OpRestart: {Running}, OpUpdate: {Running, Stopped},
		OpRepair: {Running, Stopped}, OpStop: {Stopped}, OpDelete: {Gone},
		OpTakeOver: {Running, Stopped}, OpPutBack: {Running, Stopped},
	}
	for kind := range operationSteps {
		for _, s := range append(HostedStates.States(), Gone) {
			rec := at(s)
			o := finish(t0, rec, anOperation(&rec, kind), aLook(3, 2))
			want := cmp.Or(others[s], PhaseRunning)
			if kind == OpDelete {
				want = PhaseRunning
			}
			if slices.Contains(done[kind], s) {
				want = PhaseSucceeded
			}
			require.Equal(t, want, o.Phase, "%s in %s", kind, s)
			require.True(t, want.Final() || s.Unsteady() || kind == OpDelete, "%s goes on in %s", kind, s)
			require.Equal(t, want.Final(), !o.EndedAt.IsZero(), "%s in %s", kind, s)
			require.Equal(t, want == PhaseFailed || (want == PhaseRunning && s == Abnormal), o.Error != "", "%s in %s: %q", kind, s, o.Error)
		}
	}
	rec := at(Running)
	op := anOperation(&rec, OpStart)
	op.Phase = PhaseSuperseded
	require.Nil(t, finish(t0, rec, op, aLook(3, 3)), "what has ended stays as it is")
	require.Nil(t, finish(t0, rec, nil, aLook(3, 3)))
}

func TestStepsAreCountedFromWhatIsFound(t *testing.T) {
	steps := func(kind OperationKind, rec ClusterRecord, look Look) map[string][2]int {
		out := map[string][2]int{}
		for _, s := range finish(t0, rec, anOperation(&rec, kind), look).Steps {
			out[s.Name] = [2]int{s.Done, s.Total}
		}
		return out
	}
	mute := aLook(3, 3)
	mute.Views = nil
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes": {2, 3}, "members": {2, 3}}, steps(OpCreate, aRecord(Creating), aLook(3, 2)))
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes": {3, 3}, "members": {0, 3}}, steps(OpStart, aRecord(Starting), mute))
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes-gone": {1, 3}}, steps(OpStop, aRecord(Stopping), aLook(2, 2)))
	require.Equal(t, map[string][2]int{"nodes-gone": {3, 3}, "objects-gone": {1, 1}}, steps(OpDelete, aRecord(Stopped), Look{At: t0}))

	rec := aRecord(Creating)
	op := anOperation(&rec, OpCreate)
	op.Steps = op.Steps[:1] // of a build that had fewer
	require.Len(t, finish(t0, rec, op, aLook(3, 2)).Steps, 3)
}

func TestWhatIsLearntOnce(t *testing.T) {
	fresh := aRecord(Creating)
	undispatched(&fresh)
	did := deed{applied: true, generation: 1}

	before := last(t, advance(patient, t0, fresh, nil, Look{At: t0}, did))
	require.True(t, before.Status.Dispatched)
	require.False(t, before.Status.Seen, "nothing was there to be seen yet")
	require.Equal(t, Creating, before.Status.State, "and that is no loss")
	require.Equal(t, t0.Add(patient.Create), before.Status.Deadline, "the task itself begins")

	look := aLook(3, 0)
	look.Found.Volumes[2].Bound = false
	known := last(t, advance(patient, t0.Add(time.Second), before, nil, look, did))
	require.Equal(t, "auth-1", known.Status.Auth)
	require.Equal(t, map[int]string{0: "v0", 1: "v1"}, known.Status.Volumes, "a claim that is not bound holds nothing")
	require.True(t, known.Status.Seen)
	require.Equal(t, before.Status.Deadline, known.Status.Deadline, "only the first Apply moves it")

	other := aLook(3, 0)
	other.Found.Auth, other.Found.Volumes[0].UID = "auth-2", "v9"
	lost := last(t, advance(patient, t0, known, nil, other, deed{}))
	require.Equal(t, known.Status.Auth, lost.Status.Auth, "what is known is not replaced by what is there now")
	require.Equal(t, "v0", lost.Status.Volumes[0])
	require.Equal(t, ReasonSecretLost, lost.Status.Reason)

	gone := fresh.Clone()
	gone.Deleting, gone.Status.State = true, Stopping
	require.Empty(t, last(t, advance(patient, t0, gone, nil, aLook(3, 0), did)).Status.Auth, "nothing is learnt on the way out")
}

func TestTimingsDefaults(t *testing.T) {
	require.Equal(t, Timings{time.Minute, 15 * time.Minute, 15 * time.Minute, 5 * time.Minute, 15 * time.Minute, 15 * time.Second, 500 * time.Millisecond, 20 * time.Second, 10 * time.Second, time.Minute, 5 * time.Second, 45 * time.Second, time.Minute, 5 * time.Minute, 24 * time.Hour}, patient)
	require.Equal(t, time.Second, Timings{Poll: time.Second}.withDefaults().Poll)
	for _, s := range HostedStates.States() {
		require.Positive(t, patienceOf(patient, s))
	}
}

// dueCases say what is to be done on the platform next.
var dueCases = []struct {
	name   string
	rec    func(*ClusterRecord)
	found  func(*Observation)
	forgot bool // this process has not applied the cluster yet
	want   dueAct
}{
	{name: "nothing"},
	{name: "after a restart", forgot: true, want: dueApply},
	{name: "drift", found: func(o *Observation) { o.Drift = []string{"Service"} }, want: dueApply},
	{name: "scaled by hand", found: func(o *Observation) { o.Replicas = 1 }, want: dueApply},
	{name: "another generation", rec: func(r *ClusterRecord) { r.Generation = 2 }, want: dueApply},
	{name: "not dispatched", rec: undispatched, want: dueApply},
	{name: "nonexistent", rec: func(r *ClusterRecord) { undispatched(r); r.Status.State = Nonexistent }, found: absent},
	{name: "namespace lost", found: absent},
	{name: "secret lost", found: func(o *Observation) { o.Auth = "" }, forgot: true},
	{name: "secret lost, but it should be stopped", rec: off, found: func(o *Observation) { o.Auth = "" }, want: dueApply},
	{name: "secret lost, and it is stopped", rec: off, found: func(o *Observation) { o.Auth, o.Replicas = "", 0 }},
	{name: "deleting, nodes run", rec: deleting, want: dueApply},
	{name: "deleting, nodes go", rec: deleting, found: func(o *Observation) { o.Replicas = 0 }},
	{name: "deleting, nodes do not go", rec: func(r *ClusterRecord) { deleting(r); r.Status.Deadline = t0.Add(patient.Delete - time.Hour) }, found: func(o *Observation) { o.Replicas = 0 }, want: dueDelete},
	{name: "deleting, nodes are gone", rec: deleting, found: func(o *Observation) { o.Replicas, o.Nodes = 0, nil }, want: dueDelete},
	{name: "deleting by force", rec: func(r *ClusterRecord) { deleting(r); r.Force = true }, want: dueDelete},
	{name: "deleting what was never dispatched", rec: func(r *ClusterRecord) { undispatched(r); deleting(r) }, want: dueDelete},
	{name: "deleting with a claim lost", rec: deleting, found: func(o *Observation) { o.Volumes = nil }, want: dueDelete},
	{name: "deleting, going", rec: deleting, found: func(o *Observation) { o.Terminating = true }},
	{name: "deleted", rec: deleting, found: absent},
}

func absent(o *Observation) { *o = Observation{Replicas: -1} }

func off(r *ClusterRecord) { r.Spec.Hosted.Power = PowerOff }

func TestWhatIsDue(t *testing.T) {
	for _, c := range dueCases {
		rec, look := aRecord(Running), aLook(3, 3)
		rec.UpdatedAt = t0
		if c.rec != nil {
			c.rec(&rec)
		}
		if c.found != nil {
			c.found(&look.Found)
		}
		require.Equal(t, c.want, due(rec, look.Found, !c.forgot, t0, patient), c.name)
	}
}
