package derive

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var patient = ecp.Timings{}.WithDefaults()

// anOperation is the running one of a record.
func anOperation(rec *ecp.ClusterRecord, kind ecp.OperationKind) *ecp.Operation {
	rec.Status.Operation = "op-1"
	return &ecp.Operation{ID: "op-1", Cluster: rec.ID, Kind: kind, Phase: ecp.PhaseQueued,
		Steps: NewSteps(OperationSteps[kind]), Deadline: rec.Status.Deadline}
}

// last returns the record after a step.
func last(t *testing.T, s Result) ecp.ClusterRecord {
	t.Helper()
	require.NotEmpty(t, s.Transitions)
	return s.Transitions[len(s.Transitions)-1]
}

func TestDeadlinesStandStillWhileStale(t *testing.T) {
	rec := aRecord(ecp.Creating)
	op := anOperation(&rec, ecp.OpCreate)
	blind := Snapshot{Unseen: "away"}

	stale := last(t, Advance(patient, t0.Add(30*time.Second), rec, op, blind, Outcome{}))
	require.Equal(t, t0.Add(30*time.Second), stale.Status.StaleFrom)
	require.Equal(t, rec.Status.Deadline, stale.Status.Deadline)
	require.Equal(t, ecp.Creating, stale.Status.State)

	s := Advance(patient, t0.Add(time.Hour), stale, op, blind, Outcome{})
	require.Empty(t, s.Transitions, "still stale is nothing new")

	s = Advance(patient, t0.Add(time.Hour), stale, op, aLook(3, 2), Outcome{})
	seen := last(t, s)
	require.Equal(t, ecp.Creating, seen.Status.State)
	require.Zero(t, seen.Status.StaleFrom)
	require.Equal(t, t0.Add(time.Hour+30*time.Second), seen.Status.Deadline, "30 s were left and are left")
	require.Equal(t, seen.Status.Deadline, s.Operation.Deadline)

	late := last(t, Advance(patient, t0.Add(time.Hour+31*time.Second), seen, op, aLook(3, 2), Outcome{}))
	require.Equal(t, ecp.Abnormal, late.Status.State)
	require.Equal(t, ecp.ReasonCreateFailed, late.Status.Reason)
}

func TestTheFirstLookAfterAStartIsFair(t *testing.T) {
	rec := aRecord(ecp.Starting)
	now := rec.Status.Deadline.Add(time.Hour)
	fair := last(t, Advance(patient, now, rec, nil, aLook(3, 1), Outcome{FirstObservation: true}))
	require.Equal(t, ecp.Starting, fair.Status.State)
	require.Equal(t, now.Add(patient.Dispatch), fair.Status.Deadline)
	require.Equal(t, ecp.Abnormal, last(t, Advance(patient, now, rec, nil, aLook(3, 1), Outcome{})).Status.State)

	early := aRecord(ecp.Starting)
	s := Advance(patient, t0, early, nil, aLook(3, 1), Outcome{FirstObservation: true})
	require.Equal(t, t0.Add(patient.Dispatch), last(t, s).Status.Deadline, "never sooner than it was")
	steady := last(t, Advance(patient, now, aRecord(ecp.Running), nil, aLook(3, 3), Outcome{FirstObservation: true}))
	require.Zero(t, steady.Status.Deadline)
}

func TestEveryHopIsARecordOfItsOwn(t *testing.T) {
	rec := aRecord(ecp.Updating)
	op := anOperation(&rec, ecp.OpUpdate)
	s := Advance(patient, t0, rec, op, aLook(3, 3), Outcome{})
	require.Len(t, s.Transitions, 2)
	require.Equal(t, ecp.Syncing, s.Transitions[0].Status.State)
	require.Equal(t, ecp.ReasonInProgress, s.Transitions[0].Status.Reason)
	require.Equal(t, ecp.OperationID("op-1"), s.Transitions[0].Status.Operation)
	require.Equal(t, ecp.Running, s.Transitions[1].Status.State)
	require.Zero(t, s.Transitions[1].Status.Deadline)
	require.Empty(t, s.Transitions[1].Status.Operation)
	require.Equal(t, ecp.PhaseSucceeded, s.Operation.Phase)
}

func TestNothingNewWritesNothing(t *testing.T) {
	stopped := aLook(0, 0)
	stopped.Found.Replicas = 0
	looks := map[ecp.State]Snapshot{
		ecp.Running: aLook(3, 3), ecp.Degraded: aLook(3, 2), ecp.Starting: aLook(3, 2), ecp.Creating: aLook(1, 0),
		ecp.Stopping: aLook(2, 1), ecp.Stopped: stopped, ecp.Abnormal: aLook(3, 0),
	}
	for state, snap := range looks {
		rec := aRecord(state)
		op := anOperation(&rec, ecp.OpStop)
		first := Advance(patient, t0, rec, op, snap, Outcome{})
		rec = last(t, first)
		if first.Operation != nil {
			op = first.Operation
		}
		for _, later := range []time.Duration{0, time.Second, 20 * time.Second} {
			again := Advance(patient, t0.Add(later), rec, op, snap, Outcome{})
			require.Empty(t, again.Transitions, "%s", state)
			require.Nil(t, again.Operation, "%s", state)
		}
	}
}

func TestAdvanceIsPure(t *testing.T) {
	rec := aRecord(ecp.Creating)
	rec.Status.Volumes, rec.Status.Auth = nil, ""
	op := anOperation(&rec, ecp.OpCreate)
	before, opBefore := rec.Clone(), op.Clone()
	outcome := Outcome{Applied: true, Generation: 1, FirstObservation: true, NewestRender: 2}
	a, b := Advance(patient, t0, rec, op, aLook(3, 3), outcome), Advance(patient, t0, rec, op, aLook(3, 3), outcome)
	require.Equal(t, a, b, "asked twice it says the same")
	require.Equal(t, before, rec)
	require.Equal(t, opBefore, *op)
}

func TestOperationsEndWithTheirState(t *testing.T) {
	at := func(s ecp.State) ecp.ClusterRecord {
		rec := aRecord(s)
		rec.Status.Message = "because"
		return rec
	}
	// Where an operation that has not done what it is for stands.
	others := map[ecp.State]ecp.Phase{ecp.Degraded: ecp.PhaseFailed, ecp.Abnormal: ecp.PhaseFailed,
		ecp.Nonexistent: ecp.PhaseFailed, ecp.Running: ecp.PhaseFailed, ecp.Stopped: ecp.PhaseFailed,
		ecp.Gone: ecp.PhaseFailed}
	done := map[ecp.OperationKind][]ecp.State{
		ecp.OpCreate: {ecp.Running, ecp.Stopped}, ecp.OpStart: {ecp.Running}, ecp.OpRestart: {ecp.Running},
		ecp.OpUpdate: {ecp.Running, ecp.Stopped},
		ecp.OpRepair: {ecp.Running, ecp.Stopped}, ecp.OpStop: {ecp.Stopped}, ecp.OpDelete: {ecp.Gone},
		ecp.OpTakeOver: {ecp.Running, ecp.Stopped}, ecp.OpPutBack: {ecp.Running, ecp.Stopped},
	}
	for kind := range OperationSteps {
		for _, s := range append(ecp.HostedStates.States(), ecp.Gone) {
			rec := at(s)
			o := advanceOperation(t0, rec, anOperation(&rec, kind), aLook(3, 2))
			want := cmp.Or(others[s], ecp.PhaseRunning)
			if kind == ecp.OpDelete {
				want = ecp.PhaseRunning
			}
			if slices.Contains(done[kind], s) {
				want = ecp.PhaseSucceeded
			}
			require.Equal(t, want, o.Phase, "%s in %s", kind, s)
			require.True(t, want.Final() || s.Unsteady() || kind == ecp.OpDelete, "%s goes on in %s", kind, s)
			require.Equal(t, want.Final(), !o.EndedAt.IsZero(), "%s in %s", kind, s)
			require.Equal(t, want == ecp.PhaseFailed || (want == ecp.PhaseRunning && s == ecp.Abnormal), o.Error != "",
				"%s in %s: %q", kind, s, o.Error)
		}
	}
	rec := at(ecp.Running)
	op := anOperation(&rec, ecp.OpStart)
	op.Phase = ecp.PhaseSuperseded
	require.Nil(t, advanceOperation(t0, rec, op, aLook(3, 3)), "what has ended stays as it is")
	require.Nil(t, advanceOperation(t0, rec, nil, aLook(3, 3)))
}

func TestStepsAreCountedFromWhatIsFound(t *testing.T) {
	steps := func(kind ecp.OperationKind, rec ecp.ClusterRecord, snap Snapshot) map[string][2]int {
		out := map[string][2]int{}
		for _, s := range advanceOperation(t0, rec, anOperation(&rec, kind), snap).Steps {
			out[s.Name] = [2]int{s.Done, s.Total}
		}
		return out
	}
	mute := aLook(3, 3)
	mute.Views = nil
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes": {2, 3}, "members": {2, 3}},
		steps(ecp.OpCreate, aRecord(ecp.Creating), aLook(3, 2)))
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes": {3, 3}, "members": {0, 3}},
		steps(ecp.OpStart, aRecord(ecp.Starting), mute))
	require.Equal(t, map[string][2]int{"objects": {1, 1}, "nodes-gone": {1, 3}},
		steps(ecp.OpStop, aRecord(ecp.Stopping), aLook(2, 2)))
	require.Equal(t, map[string][2]int{"nodes-gone": {3, 3}, "objects-gone": {1, 1}},
		steps(ecp.OpDelete, aRecord(ecp.Stopped), Snapshot{At: t0}))

	rec := aRecord(ecp.Creating)
	op := anOperation(&rec, ecp.OpCreate)
	op.Steps = op.Steps[:1] // of a build that had fewer
	require.Len(t, advanceOperation(t0, rec, op, aLook(3, 2)).Steps, 3)
}

func TestWhatIsLearntOnce(t *testing.T) {
	fresh := aRecord(ecp.Creating)
	undispatched(&fresh)
	outcome := Outcome{Applied: true, Generation: 1}

	before := last(t, Advance(patient, t0, fresh, nil, Snapshot{At: t0}, outcome))
	require.True(t, before.Status.Dispatched)
	require.False(t, before.Status.Seen, "nothing was there to be seen yet")
	require.Equal(t, ecp.Creating, before.Status.State, "and that is no loss")
	require.Equal(t, t0.Add(patient.Create), before.Status.Deadline, "the task itself begins")

	snap := aLook(3, 0)
	snap.Found.Volumes[2].Bound = false
	known := last(t, Advance(patient, t0.Add(time.Second), before, nil, snap, outcome))
	require.Equal(t, "auth-1", known.Status.Auth)
	require.Equal(t, map[int]string{0: "v0", 1: "v1"}, known.Status.Volumes, "a claim that is not bound holds nothing")
	require.True(t, known.Status.Seen)
	require.Equal(t, before.Status.Deadline, known.Status.Deadline, "only the first Apply moves it")

	other := aLook(3, 0)
	other.Found.Auth, other.Found.Volumes[0].UID = "auth-2", "v9"
	lost := last(t, Advance(patient, t0, known, nil, other, Outcome{}))
	require.Equal(t, known.Status.Auth, lost.Status.Auth, "what is known is not replaced by what is there now")
	require.Equal(t, "v0", lost.Status.Volumes[0])
	require.Equal(t, ecp.ReasonSecretLost, lost.Status.Reason)

	gone := fresh.Clone()
	gone.Deleting, gone.Status.State = true, ecp.Stopping
	require.Empty(t, last(t, Advance(patient, t0, gone, nil, aLook(3, 0), outcome)).Status.Auth,
		"nothing is learnt on the way out")
}

func TestTimingsDefaults(t *testing.T) {
	require.Equal(t, ecp.Timings{Dispatch: time.Minute, Create: 15 * time.Minute, Start: 15 * time.Minute,
		Stop: 5 * time.Minute, Delete: 15 * time.Minute, Poll: 15 * time.Second, Retry: 500 * time.Millisecond,
		Notice: 20 * time.Second, Takeover: 10 * time.Second, Register: time.Minute, AgentGrace: 5 * time.Second,
		ReportStale: 45 * time.Second, AgentReturn: time.Minute, Limit: 5 * time.Minute, AgentAge: 24 * time.Hour},
		patient)
	require.Equal(t, time.Second, ecp.Timings{Poll: time.Second}.WithDefaults().Poll)
	for _, s := range ecp.HostedStates.States() {
		require.Positive(t, patienceOf(patient, s))
	}
}

// dueCases say what is to be done on the platform next.
var dueCases = []struct {
	name   string
	rec    func(*ecp.ClusterRecord)
	found  func(*ecp.Observation)
	forgot bool // this process has not applied the cluster yet
	want   Action
}{
	{name: "nothing"},
	{name: "after a restart", forgot: true, want: ActionApply},
	{name: "drift", found: func(o *ecp.Observation) { o.Drift = []string{"Service"} }, want: ActionApply},
	{name: "scaled by hand", found: func(o *ecp.Observation) { o.Replicas = 1 }, want: ActionApply},
	{name: "another generation", rec: func(r *ecp.ClusterRecord) { r.Generation = 2 }, want: ActionApply},
	{name: "not dispatched", rec: undispatched, want: ActionApply},
	{name: "nonexistent", rec: func(r *ecp.ClusterRecord) { undispatched(r); r.Status.State = ecp.Nonexistent },
		found: absent},
	{name: "namespace lost", found: absent},
	{name: "secret lost", found: func(o *ecp.Observation) { o.Auth = "" }, forgot: true},
	{name: "secret lost, but it should be stopped", rec: off, found: func(o *ecp.Observation) { o.Auth = "" },
		want: ActionApply},
	{name: "secret lost, and it is stopped", rec: off, found: func(o *ecp.Observation) { o.Auth, o.Replicas = "", 0 }},
	{name: "deleting, nodes run", rec: deleting, want: ActionApply},
	{name: "deleting, nodes go", rec: deleting, found: func(o *ecp.Observation) { o.Replicas = 0 }},
	{name: "deleting, nodes do not go",
		rec:   func(r *ecp.ClusterRecord) { deleting(r); r.Status.Deadline = t0.Add(patient.Delete - time.Hour) },
		found: func(o *ecp.Observation) { o.Replicas = 0 }, want: ActionDelete},
	{name: "deleting, nodes are gone", rec: deleting, found: func(o *ecp.Observation) { o.Replicas, o.Nodes = 0, nil },
		want: ActionDelete},
	{name: "deleting by force", rec: func(r *ecp.ClusterRecord) { deleting(r); r.Force = true }, want: ActionDelete},
	{name: "deleting what was never dispatched", rec: func(r *ecp.ClusterRecord) { undispatched(r); deleting(r) },
		want: ActionDelete},
	{name: "deleting with a claim lost", rec: deleting, found: func(o *ecp.Observation) { o.Volumes = nil },
		want: ActionDelete},
	{name: "deleting, going", rec: deleting, found: func(o *ecp.Observation) { o.Terminating = true }},
	{name: "deleted", rec: deleting, found: absent},
}

func absent(o *ecp.Observation) { *o = ecp.Observation{Replicas: -1} }

func off(r *ecp.ClusterRecord) { r.Spec.Hosted.Power = ecp.PowerOff }

func TestWhatIsDue(t *testing.T) {
	for _, c := range dueCases {
		rec, snap := aRecord(ecp.Running), aLook(3, 3)
		rec.UpdatedAt = t0
		if c.rec != nil {
			c.rec(&rec)
		}
		if c.found != nil {
			c.found(&snap.Found)
		}
		require.Equal(t, c.want, NextAction(rec, snap.Found, !c.forgot, t0, patient), c.name)
	}
}
