package derive

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// aRecord is a dispatched hosted cluster of three nodes in a state.
func aRecord(s ecp.State) ecp.ClusterRecord {
	rec := ecp.ClusterRecord{
		ID: "emqx-0a1b2c3d", Name: "a", Project: "default/default", Mode: ecp.Hosted, Generation: 1, Revision: 1,
		Spec:     ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 10, Power: ecp.PowerOn, Target: "default"}},
		Resolved: ecp.Resolved{Image: ecp.Image{Version: "5.8.9"}},
		Status: ecp.Status{
			State: s, Since: t0, Dispatched: true, Seen: true, Applied: 1, Auth: "auth-1",
			Volumes: map[int]string{0: "v0", 1: "v1", 2: "v2"},
		},
	}
	if s.Unsteady() {
		rec.Status.Deadline = t0.Add(time.Minute)
	}
	if s == ecp.Stopping || s == ecp.Stopped {
		rec.Spec.Hosted.Power = ecp.PowerOff
	}
	return rec
}

func nodeName(i int) string { return fmt.Sprintf("emqx@n%d", i) }

// aLook sees the first `ready` of `pods` nodes ready and members of one cluster.
func aLook(pods, ready int) Snapshot {
	f := ecp.Observation{Exists: true, Replicas: 3, Converged: ready == 3 && pods == 3, Auth: "auth-1"}
	var members []Member
	for i := range 3 {
		f.Volumes = append(f.Volumes,
			ecp.VolumeObservation{Ordinal: i, Name: fmt.Sprintf("data-%d", i), UID: fmt.Sprintf("v%d", i), Bound: true})
		if i >= pods {
			continue
		}
		f.Nodes = append(f.Nodes, ecp.NodeObservation{Ordinal: i, Name: nodeName(i), Pod: fmt.Sprintf("n%d", i),
			Ready: i < ready})
		if i < ready {
			members = append(members, Member{Name: nodeName(i), Version: "5.8.9"})
		}
	}
	l := Snapshot{At: t0, Found: f}
	if ready > 0 {
		l.Views = map[string][]Member{nodeName(0): members}
	}
	return l
}

type judgeCase struct {
	name   string
	state  ecp.State
	rec    func(*ecp.ClusterRecord)
	look   Snapshot
	change func(*Snapshot)
	now    time.Time
	want   ecp.State
	reason ecp.Reason
}

func refusal(rest bool) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Message: "Service a is invalid: no",
		Cause: &ecp.Refusal{What: "Service a", Why: "no", Rest: rest}}
}

func refuses(rest bool) func(*Snapshot) { return func(l *Snapshot) { l.Failure = refusal(rest) } }

func refusedSince(generation int64) func(*ecp.ClusterRecord) {
	return func(r *ecp.ClusterRecord) { r.Status.Refused = &ecp.Refused{What: "Service a", Generation: generation} }
}

// cordoned lets something be remembered of a node's machine.
func cordoned(c ecp.CordonedNode) func(*ecp.ClusterRecord) {
	return func(r *ecp.ClusterRecord) { r.Status.Cordoned = []ecp.CordonedNode{c} }
}

var late = t0.Add(time.Hour)

var judgeCases = []judgeCase{
	{name: "unseen running", state: ecp.Running, look: Snapshot{Unseen: "away"}, want: ecp.Running},
	{name: "unseen and long overdue", state: ecp.Creating, look: Snapshot{Unseen: "away"}, now: late,
		want: ecp.Creating},
	{name: "all agree", state: ecp.Creating, look: aLook(3, 3), want: ecp.Running, reason: ecp.ReasonAsExpected},
	{name: "agreement counts even when overdue", state: ecp.Creating, look: aLook(3, 3), now: late, want: ecp.Running},
	{name: "EMQX was not heard yet", state: ecp.Creating, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views = nil }, want: ecp.Creating},
	{name: "a node that clients would not leave", state: ecp.Updating, look: aLook(3, 3),
		rec:  func(r *ecp.ClusterRecord) { r.Status.Draining = &ecp.Draining{Node: nodeName(2), TimedOut: true} },
		want: ecp.Abnormal, reason: ecp.ReasonUpdateFailed},
	{name: "clients are leaving", state: ecp.Updating, look: aLook(3, 3),
		rec: func(r *ecp.ClusterRecord) { r.Status.Draining = &ecp.Draining{Node: nodeName(2)} }, want: ecp.Updating},
	{name: "nodes have to leave yet", state: ecp.Updating, look: aLook(3, 3),
		rec: func(r *ecp.ClusterRecord) { r.Status.Ordinals = 4 }, want: ecp.Updating},
	{name: "a claim is left over", state: ecp.Updating, look: aLook(3, 3), change: func(l *Snapshot) {
		l.Found.Volumes = append(l.Found.Volumes, ecp.VolumeObservation{Ordinal: 3, UID: "v3", Bound: true})
	}, want: ecp.Updating},
	{name: "one member is missing", state: ecp.Starting, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views[nodeName(0)] = l.Views[nodeName(0)][:2] }, want: ecp.Starting},
	{name: "one member runs another version", state: ecp.Starting, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views[nodeName(0)][1].Version = "5.8.8" }, want: ecp.Starting},
	{name: "no way to ask EMQX", state: ecp.Creating, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views, l.NoAdapter = nil, true }, want: ecp.Running},
	{name: "create overdue", state: ecp.Creating, look: aLook(3, 2), now: late, want: ecp.Abnormal,
		reason: ecp.ReasonCreateFailed},
	{name: "start overdue", state: ecp.Starting, look: aLook(3, 2), now: late, want: ecp.Abnormal,
		reason: ecp.ReasonStartFailed},
	{name: "update overdue", state: ecp.Updating, look: aLook(3, 2), now: late, want: ecp.Abnormal,
		reason: ecp.ReasonUpdateFailed},
	{name: "sync overdue", state: ecp.Syncing, look: aLook(3, 3), change: func(l *Snapshot) { l.Views = nil },
		now: late, want: ecp.Abnormal, reason: ecp.ReasonSyncFailed},
	{name: "Kubernetes has converged, EMQX not", state: ecp.Updating, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views = nil }, want: ecp.Syncing},
	{name: "diverged again", state: ecp.Syncing, look: aLook(3, 2), want: ecp.Updating},
	{name: "an older generation is no agreement", state: ecp.Updating,
		rec: func(r *ecp.ClusterRecord) { r.Generation = 2 }, look: aLook(3, 3), want: ecp.Updating},

	{name: "what is found is newer", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Generation = 2 }, want: ecp.Abnormal, reason: ecp.ReasonRecordOlder},
	{name: "what is found is newer and lacks volumes", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Generation, l.Found.Volumes = 2, nil }, want: ecp.Abnormal,
		reason: ecp.ReasonRecordOlder},
	{name: "what is found is of another change to the same generation", state: ecp.Updating,
		rec:  func(r *ecp.ClusterRecord) { r.Changes = []ecp.ChangeID{{Generation: 1, ID: "ours"}} },
		look: aLook(3, 3), change: func(l *Snapshot) { l.Found.Generation, l.Found.ChangeID = 1, "theirs" },
		want: ecp.Abnormal, reason: ecp.ReasonRecordOlder},
	{name: "what is found is of an earlier change that is known", state: ecp.Updating, rec: func(r *ecp.ClusterRecord) {
		r.Generation, r.Changes = 2, []ecp.ChangeID{{Generation: 1, ID: "first"}, {Generation: 2, ID: "second"}}
	},
		look: aLook(3, 3), change: func(l *Snapshot) { l.Found.Generation, l.Found.ChangeID = 1, "first" },
		want: ecp.Updating},
	{name: "what is found is newer while it is deleted", state: ecp.Stopping,
		rec:  func(r *ecp.ClusterRecord) { r.Deleting = true },
		look: aLook(3, 3), change: func(l *Snapshot) { l.Found.Generation = 2 }, want: ecp.Abnormal,
		reason: ecp.ReasonRecordOlder},
	{name: "what is found is newer while it is removed by force", state: ecp.Stopping,
		rec:  func(r *ecp.ClusterRecord) { r.Deleting, r.Force = true, true },
		look: aLook(3, 3), change: func(l *Snapshot) { l.Found.Generation = 2 }, want: ecp.Stopping},
	{name: "refused before anything was made", state: ecp.Creating, rec: undispatched,
		look: Snapshot{Failure: refusal(false)}, want: ecp.Nonexistent, reason: ecp.ReasonRefused},
	{name: "refused when only a part was made", state: ecp.Creating, rec: undispatched, look: aLook(0, 0),
		change: refuses(false), want: ecp.Abnormal, reason: ecp.ReasonRefused},
	{name: "refused altogether", state: ecp.Updating, look: aLook(3, 3), change: refuses(false), want: ecp.Abnormal,
		reason: ecp.ReasonRefused},
	{name: "refused in part", state: ecp.Updating, look: aLook(3, 3), change: refuses(true), want: ecp.Abnormal,
		reason: ecp.ReasonRefused},
	{name: "refused since an earlier change", state: ecp.Updating, look: aLook(3, 2), rec: refusedSince(0),
		change: refuses(true), want: ecp.Updating},
	{name: "refused since an earlier change, the rest is done", state: ecp.Updating, look: aLook(3, 3),
		rec: refusedSince(0), change: refuses(true), want: ecp.Abnormal, reason: ecp.ReasonRefused},
	{name: "refused while it runs", state: ecp.Running, look: aLook(3, 3), change: refuses(true), want: ecp.Running},
	{name: "stop refused", state: ecp.Stopping, look: aLook(3, 3), change: refuses(false), want: ecp.Abnormal,
		reason: ecp.ReasonRefused},
	{name: "a part refused while stopping", state: ecp.Stopping, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Failure, l.Found.Replicas = refusal(true), 0 }, want: ecp.Stopped},

	{name: "one node down", state: ecp.Running, look: aLook(3, 2), want: ecp.Degraded, reason: ecp.ReasonNodeDown},
	{name: "a machine is emptied", state: ecp.Running, look: aLook(3, 2),
		rec: cordoned(ecp.CordonedNode{Node: nodeName(2), Freed: t0, Away: t0}), want: ecp.Running,
		reason: ecp.ReasonMachineCordoned},
	{name: "a machine was emptied", state: ecp.Running, look: aLook(2, 2),
		rec: cordoned(ecp.CordonedNode{Node: nodeName(2), Freed: t0, Away: t0}), want: ecp.Running,
		reason: ecp.ReasonMachineCordoned},
	{name: "a machine was emptied, and its node finds no other", state: ecp.Running, look: aLook(2, 2), now: late,
		rec: cordoned(ecp.CordonedNode{Node: nodeName(2), Freed: t0, Away: t0}), want: ecp.Degraded,
		reason: ecp.ReasonMachineCordoned},
	{name: "a machine was emptied, and another node is down", state: ecp.Running, look: aLook(3, 2),
		rec: cordoned(ecp.CordonedNode{Node: nodeName(1), Freed: t0, Away: t0}), want: ecp.Degraded,
		reason: ecp.ReasonNodeDown},
	{name: "clients leave a machine", state: ecp.Running, look: aLook(3, 2),
		rec: func(r *ecp.ClusterRecord) {
			cordoned(ecp.CordonedNode{Node: nodeName(2)})(r)
			r.Status.Draining = &ecp.Draining{Node: nodeName(2)}
		}, change: func(l *Snapshot) { l.Views = nil }, want: ecp.Running, reason: ecp.ReasonMachineCordoned},
	{name: "a node on a machine to be emptied fails", state: ecp.Running, look: aLook(3, 2),
		rec: cordoned(ecp.CordonedNode{Node: nodeName(2)}), want: ecp.Degraded, reason: ecp.ReasonNodeDown},
	{name: "a machine takes no new pods", state: ecp.Running, look: aLook(3, 3),
		rec:    cordoned(ecp.CordonedNode{Node: nodeName(2), Freed: t0}),
		change: func(l *Snapshot) { l.Found.Nodes[2].Unschedulable = true }, want: ecp.Running,
		reason: ecp.ReasonMachineCordoned},
	{name: "one pod absent", state: ecp.Running, look: aLook(2, 2), want: ecp.Degraded, reason: ecp.ReasonNodeDown},
	{name: "one pod going", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Nodes[2].Terminating = true }, want: ecp.Degraded},
	{name: "nothing ready", state: ecp.Running, look: aLook(3, 0), want: ecp.Abnormal, reason: ecp.ReasonNothingServes},
	{name: "no pod at all", state: ecp.Degraded, look: aLook(0, 0), want: ecp.Abnormal,
		reason: ecp.ReasonNothingServes},
	{name: "degraded is good again", state: ecp.Degraded, look: aLook(3, 3), want: ecp.Running},
	{name: "degraded, EMQX not heard yet", state: ecp.Degraded, rec: reason(ecp.ReasonNodeDown), look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views = nil }, want: ecp.Degraded},
	{name: "broker silent moves nothing", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Views, l.Unanswered = nil, 9 }, want: ecp.Running},
	{name: "member missing once", state: ecp.Running, look: aLook(3, 3), change: missingMember(1), want: ecp.Running},
	{name: "member missing twice", state: ecp.Running, look: aLook(3, 3), change: missingMember(2), want: ecp.Degraded,
		reason: ecp.ReasonMemberMissing},
	{name: "partition seen once", state: ecp.Running, look: aLook(3, 3), change: split(1), want: ecp.Running},
	{name: "partition seen twice", state: ecp.Running, look: aLook(3, 3), change: split(2), want: ecp.Abnormal,
		reason: ecp.ReasonPartitioned},
	{name: "partition after a failed change", state: ecp.Abnormal, rec: reason(ecp.ReasonUpdateFailed),
		look: aLook(3, 3), change: split(2), want: ecp.Abnormal, reason: ecp.ReasonUpdateFailed},
	{name: "two in one view each other", state: ecp.Starting, look: aLook(3, 3), change: split(2), want: ecp.Starting},
	{name: "abnormal serves again a little", state: ecp.Abnormal, rec: reason(ecp.ReasonNothingServes),
		look: aLook(3, 1), want: ecp.Degraded},
	{name: "abnormal agrees again", state: ecp.Abnormal, rec: reason(ecp.ReasonNothingServes), look: aLook(3, 3),
		want: ecp.Running},
	{name: "a failed task stays until agreed", state: ecp.Abnormal, rec: reason(ecp.ReasonCreateFailed),
		look: aLook(3, 2), want: ecp.Abnormal, reason: ecp.ReasonCreateFailed},
	{name: "a failed task with nothing ready stays the failed task", state: ecp.Abnormal,
		rec: reason(ecp.ReasonCreateFailed), look: aLook(3, 0), want: ecp.Abnormal, reason: ecp.ReasonCreateFailed},
	{name: "a failed task recovers", state: ecp.Abnormal, rec: reason(ecp.ReasonCreateFailed), look: aLook(3, 3),
		want: ecp.Running},

	{name: "not dispatched in time, absent", state: ecp.Creating, rec: undispatched, look: Snapshot{At: t0}, now: late,
		want: ecp.Nonexistent, reason: ecp.ReasonNotDispatched},
	{name: "not dispatched, time left", state: ecp.Creating, rec: undispatched, look: Snapshot{At: t0},
		want: ecp.Creating},
	{name: "not dispatched in time, something is there", state: ecp.Creating, rec: undispatched, look: aLook(0, 0),
		now: late, want: ecp.Abnormal, reason: ecp.ReasonCreateFailed},
	{name: "nonexistent stays", state: ecp.Nonexistent, rec: undispatched, look: Snapshot{At: t0}, now: late,
		want: ecp.Nonexistent},
	{name: "foreign namespace", state: ecp.Creating, rec: undispatched,
		look: Snapshot{Found: ecp.Observation{ForeignOwner: "team-a"}},
		want: ecp.Abnormal, reason: ecp.ReasonForeignOwner},

	{name: "namespace not seen yet", state: ecp.Creating,
		rec: func(r *ecp.ClusterRecord) { undispatched(r); r.Status.Dispatched = true }, look: Snapshot{At: t0},
		want: ecp.Creating},
	{name: "an older generation is still found", state: ecp.Updating,
		rec: func(r *ecp.ClusterRecord) { r.Generation, r.Status.Applied = 2, 2 }, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Generation = 1 }, want: ecp.Updating},
	{name: "created powered off", state: ecp.Creating,
		rec: func(r *ecp.ClusterRecord) { r.Spec.Hosted.Power = ecp.PowerOff }, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Found.Replicas = 0 }, want: ecp.Stopped},
	{name: "namespace gone", state: ecp.Running, look: Snapshot{At: t0}, want: ecp.Abnormal,
		reason: ecp.ReasonDataLost},
	{name: "secret gone", state: ecp.Running, look: aLook(3, 3), change: func(l *Snapshot) { l.Found.Auth = "" },
		want: ecp.Abnormal, reason: ecp.ReasonSecretLost},
	{name: "claim gone", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Volumes = l.Found.Volumes[:2] }, want: ecp.Abnormal,
		reason: ecp.ReasonDataLost},
	{name: "claim made anew", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Volumes[1].UID = "other" }, want: ecp.Abnormal, reason: ecp.ReasonDataLost},
	{name: "claim going", state: ecp.Running, look: aLook(3, 3),
		change: func(l *Snapshot) { l.Found.Volumes[1].Terminating = true }, want: ecp.Abnormal,
		reason: ecp.ReasonDataLost},
	{name: "claim gone that was never seen", state: ecp.Running, look: aLook(3, 3), change: func(l *Snapshot) {
		l.Failure = &ecp.Error{Code: ecp.CodeConflict, Cause: &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim x"}}
	}, want: ecp.Abnormal, reason: ecp.ReasonDataLost},
	{name: "claim gone while stopped", state: ecp.Stopped, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Found.Replicas = 0; l.Found.Volumes = nil }, want: ecp.Abnormal,
		reason: ecp.ReasonDataLost},

	{name: "stopping, nodes left", state: ecp.Stopping, look: aLook(1, 1), want: ecp.Stopping},
	{name: "stopping, none left", state: ecp.Stopping, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Found.Replicas = 0 }, want: ecp.Stopped, reason: ecp.ReasonByRequest},
	{name: "stopping, none left but asked for", state: ecp.Stopping, look: aLook(0, 0), want: ecp.Stopping},
	{name: "stop overdue", state: ecp.Stopping, look: aLook(1, 1), now: late, want: ecp.Abnormal,
		reason: ecp.ReasonStopFailed},
	{name: "a failed stop succeeds", state: ecp.Abnormal,
		rec:  func(r *ecp.ClusterRecord) { r.Spec.Hosted.Power = ecp.PowerOff; r.Status.Reason = ecp.ReasonStopFailed },
		look: aLook(0, 0), change: func(l *Snapshot) { l.Found.Replicas = 0 }, want: ecp.Stopped},
	{name: "nodes in a stopped cluster", state: ecp.Stopped, look: aLook(1, 1), want: ecp.Stopping,
		reason: ecp.ReasonScaledByHand},

	{name: "deleting, nodes left", state: ecp.Stopping, rec: deleting, look: aLook(1, 1), want: ecp.Stopping},
	{name: "deleting, stopped, nodes by hand", state: ecp.Stopped, rec: deleting, look: aLook(1, 1), want: ecp.Stopping,
		reason: ecp.ReasonScaledByHand},
	{name: "deleting, none left", state: ecp.Stopping, rec: deleting, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Found.Replicas = 0 }, want: ecp.Stopped},
	{name: "deleted", state: ecp.Stopped, rec: deleting, look: Snapshot{At: t0}, want: ecp.Gone,
		reason: ecp.ReasonDeleted},
	{name: "deleted, namespace of somebody else", state: ecp.Stopping, rec: deleting,
		look: Snapshot{Found: ecp.Observation{ForeignOwner: "x"}}, want: ecp.Gone},
	{name: "deletion overdue", state: ecp.Stopping, rec: deleting, look: aLook(1, 1), now: late, want: ecp.Abnormal,
		reason: ecp.ReasonDeleteFailed},
	{name: "a failed deletion goes on", state: ecp.Abnormal,
		rec: func(r *ecp.ClusterRecord) { deleting(r); r.Status.Reason = ecp.ReasonDeleteFailed }, look: aLook(0, 0),
		change: func(l *Snapshot) { l.Found.Replicas = 0 }, want: ecp.Abnormal, reason: ecp.ReasonDeleteFailed},
	{name: "a failed deletion ends", state: ecp.Abnormal,
		rec:  func(r *ecp.ClusterRecord) { deleting(r); r.Status.Reason = ecp.ReasonDeleteFailed },
		look: Snapshot{At: t0}, want: ecp.Gone},
	{name: "deleting what never was", state: ecp.Nonexistent,
		rec: func(r *ecp.ClusterRecord) { undispatched(r); deleting(r) }, look: Snapshot{At: t0}, want: ecp.Gone},
}

func undispatched(r *ecp.ClusterRecord) {
	r.Status.Seen = false
	r.Status.Dispatched, r.Status.Applied, r.Status.Auth, r.Status.Volumes = false, 0, "", nil
}

func deleting(r *ecp.ClusterRecord) { r.Deleting = true; r.Status.Deadline = t0.Add(patient.Delete) }

func reason(x ecp.Reason) func(*ecp.ClusterRecord) {
	return func(r *ecp.ClusterRecord) { r.Status.Reason = x }
}

func missingMember(times int) func(*Snapshot) {
	return func(l *Snapshot) {
		l.Views[nodeName(0)] = l.Views[nodeName(0)][:2]
		l.MissingMembers = times
	}
}

func split(times int) func(*Snapshot) {
	return func(l *Snapshot) {
		all := l.Views[nodeName(0)]
		l.Views = map[string][]Member{nodeName(0): all[:2], nodeName(2): all[2:]}
		l.MissingMembers = times
	}
}

func TestJudge(t *testing.T) {
	used := map[string]bool{}
	for _, c := range slices.Concat(judgeCases, limitCases, tellingCases) {
		t.Run(c.name, func(t *testing.T) {
			rec, snap, now := aRecord(c.state), cloneLook(c.look), c.now
			if c.rec != nil {
				c.rec(&rec)
			}
			if c.change != nil {
				c.change(&snap)
			}
			if now.IsZero() {
				now = t0
			}
			j := DeriveState(now, rec, snap)
			used[j.Rule] = true
			require.Equal(t, c.want, j.State, "rule %q: %s", j.Rule, j.Message)
			if c.reason != "" {
				require.Equal(t, c.reason, j.Reason, "rule %q", j.Rule)
			}
			if j.State != rec.Status.State {
				require.NotEmpty(t, ecp.HostedStates.Route(rec.Status.State, j.State), "no way from %s to %s (rule %q)",
					rec.Status.State, j.State, j.Rule)
			}
			if j.State == ecp.Abnormal && rec.Status.State != ecp.Abnormal {
				require.NotEmpty(t, j.Message, "an abnormal cluster says why")
			}
		})
	}
	for _, r := range stateRules {
		require.True(t, used[r.name], "no case reaches the rule %q", r.name)
	}
}

func cloneLook(l Snapshot) Snapshot {
	l.Found.Nodes = append([]ecp.NodeObservation(nil), l.Found.Nodes...)
	l.Found.Volumes = append([]ecp.VolumeObservation(nil), l.Found.Volumes...)
	if l.Views != nil {
		views := map[string][]Member{}
		for k, v := range l.Views {
			views[k] = append([]Member(nil), v...)
		}
		l.Views = views
	}
	return l
}
