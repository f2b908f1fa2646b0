package ecp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// aRecord is a dispatched hosted cluster of three nodes in a state.
func aRecord(s State) ClusterRecord {
	rec := ClusterRecord{
		ID: "emqx-0a1b2c3d", Name: "a", Project: "default/default", Mode: Hosted, Generation: 1, Revision: 1,
		Spec:     Spec{Hosted: &HostedSpec{Nodes: 3, Connections: 10, Power: PowerOn, Target: "default"}},
		Resolved: Resolved{Image: Image{Version: "5.8.9"}},
		Status: Status{
			State: s, Since: t0, Dispatched: true, Seen: true, Applied: 1, Auth: "auth-1",
			Volumes: map[int]string{0: "v0", 1: "v1", 2: "v2"},
		},
	}
	if s.Unsteady() {
		rec.Status.Deadline = t0.Add(time.Minute)
	}
	if s == Stopping || s == Stopped {
		rec.Spec.Hosted.Power = PowerOff
	}
	return rec
}

func nodeName(i int) string { return fmt.Sprintf("emqx@n%d", i) }

// aLook sees the first `ready` of `pods` nodes ready and members of one cluster.
func aLook(pods, ready int) Look {
	f := Observation{Exists: true, Replicas: 3, Converged: ready == 3 && pods == 3, Auth: "auth-1"}
	var members []Member
	for i := range 3 {
		f.Volumes = append(f.Volumes, VolumeObservation{Ordinal: i, Name: fmt.Sprintf("data-%d", i), UID: fmt.Sprintf("v%d", i), Bound: true})
		if i >= pods {
			continue
		}
		f.Nodes = append(f.Nodes, NodeObservation{Ordinal: i, Name: nodeName(i), Pod: fmt.Sprintf("n%d", i), Ready: i < ready})
		if i < ready {
			members = append(members, Member{Name: nodeName(i), Version: "5.8.9"})
		}
	}
	l := Look{At: t0, Found: f}
	if ready > 0 {
		l.Views = map[string][]Member{nodeName(0): members}
	}
	return l
}

type judgeCase struct {
	name   string
	state  State
	rec    func(*ClusterRecord)
	look   Look
	change func(*Look)
	now    time.Time
	want   State
	reason Reason
}

func refusal(rest bool) error {
	return &Error{Code: CodeInvalid, Message: "Service a is invalid: no", Cause: &Refusal{What: "Service a", Why: "no", Rest: rest}}
}

func refuses(rest bool) func(*Look) { return func(l *Look) { l.Failure = refusal(rest) } }

func refusedSince(generation int64) func(*ClusterRecord) {
	return func(r *ClusterRecord) { r.Status.Refused = &Refused{What: "Service a", Generation: generation} }
}

var late = t0.Add(time.Hour)

var judgeCases = []judgeCase{
	{name: "unseen running", state: Running, look: Look{Unseen: "away"}, want: Running},
	{name: "unseen and long overdue", state: Creating, look: Look{Unseen: "away"}, now: late, want: Creating},
	{name: "all agree", state: Creating, look: aLook(3, 3), want: Running, reason: ReasonAsExpected},
	{name: "agreement counts even when overdue", state: Creating, look: aLook(3, 3), now: late, want: Running},
	{name: "EMQX was not heard yet", state: Creating, look: aLook(3, 3), change: func(l *Look) { l.Views = nil }, want: Creating},
	{name: "a node that clients would not leave", state: Updating, look: aLook(3, 3), rec: func(r *ClusterRecord) { r.Status.Leaving = &Leaving{Node: nodeName(2), GivenUp: true} }, want: Abnormal, reason: ReasonUpdateFailed},
	{name: "clients are leaving", state: Updating, look: aLook(3, 3), rec: func(r *ClusterRecord) { r.Status.Leaving = &Leaving{Node: nodeName(2)} }, want: Updating},
	{name: "nodes have to leave yet", state: Updating, look: aLook(3, 3), rec: func(r *ClusterRecord) { r.Status.Ordinals = 4 }, want: Updating},
	{name: "a claim is left over", state: Updating, look: aLook(3, 3), change: func(l *Look) {
		l.Found.Volumes = append(l.Found.Volumes, VolumeObservation{Ordinal: 3, UID: "v3", Bound: true})
	}, want: Updating},
	{name: "one member is missing", state: Starting, look: aLook(3, 3), change: func(l *Look) { l.Views[nodeName(0)] = l.Views[nodeName(0)][:2] }, want: Starting},
	{name: "one member runs another version", state: Starting, look: aLook(3, 3), change: func(l *Look) { l.Views[nodeName(0)][1].Version = "5.8.8" }, want: Starting},
	{name: "no way to ask EMQX", state: Creating, look: aLook(3, 3), change: func(l *Look) { l.Views, l.Deaf = nil, true }, want: Running},
	{name: "create overdue", state: Creating, look: aLook(3, 2), now: late, want: Abnormal, reason: ReasonCreateFailed},
	{name: "start overdue", state: Starting, look: aLook(3, 2), now: late, want: Abnormal, reason: ReasonStartFailed},
	{name: "update overdue", state: Updating, look: aLook(3, 2), now: late, want: Abnormal, reason: ReasonUpdateFailed},
	{name: "sync overdue", state: Syncing, look: aLook(3, 3), change: func(l *Look) { l.Views = nil }, now: late, want: Abnormal, reason: ReasonSyncFailed},
	{name: "Kubernetes has converged, EMQX not", state: Updating, look: aLook(3, 3), change: func(l *Look) { l.Views = nil }, want: Syncing},
	{name: "diverged again", state: Syncing, look: aLook(3, 2), want: Updating},
	{name: "an older generation is no agreement", state: Updating, rec: func(r *ClusterRecord) { r.Generation = 2 }, look: aLook(3, 3), want: Updating},

	{name: "what is found is newer", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Generation = 2 }, want: Abnormal, reason: ReasonRecordOlder},
	{name: "what is found is newer and lacks volumes", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Generation, l.Found.Volumes = 2, nil }, want: Abnormal, reason: ReasonRecordOlder},
	{name: "what is found is of another change to the same generation", state: Updating, rec: func(r *ClusterRecord) { r.Changes = []ChangeID{{1, "ours"}} },
		look: aLook(3, 3), change: func(l *Look) { l.Found.Generation, l.Found.ChangeID = 1, "theirs" }, want: Abnormal, reason: ReasonRecordOlder},
	{name: "what is found is of an earlier change that is known", state: Updating, rec: func(r *ClusterRecord) { r.Generation, r.Changes = 2, []ChangeID{{1, "first"}, {2, "second"}} },
		look: aLook(3, 3), change: func(l *Look) { l.Found.Generation, l.Found.ChangeID = 1, "first" }, want: Updating},
	{name: "what is found is newer while it is deleted", state: Stopping, rec: func(r *ClusterRecord) { r.Deleting = true },
		look: aLook(3, 3), change: func(l *Look) { l.Found.Generation = 2 }, want: Abnormal, reason: ReasonRecordOlder},
	{name: "what is found is newer while it is removed by force", state: Stopping, rec: func(r *ClusterRecord) { r.Deleting, r.Force = true, true },
		look: aLook(3, 3), change: func(l *Look) { l.Found.Generation = 2 }, want: Stopping},
	{name: "refused before anything was made", state: Creating, rec: undispatched, look: Look{Failure: refusal(false)}, want: Nonexistent, reason: ReasonRefused},
	{name: "refused when only a part was made", state: Creating, rec: undispatched, look: aLook(0, 0), change: refuses(false), want: Abnormal, reason: ReasonRefused},
	{name: "refused altogether", state: Updating, look: aLook(3, 3), change: refuses(false), want: Abnormal, reason: ReasonRefused},
	{name: "refused in part", state: Updating, look: aLook(3, 3), change: refuses(true), want: Abnormal, reason: ReasonRefused},
	{name: "refused since an earlier change", state: Updating, look: aLook(3, 2), rec: refusedSince(0), change: refuses(true), want: Updating},
	{name: "refused since an earlier change, the rest is done", state: Updating, look: aLook(3, 3), rec: refusedSince(0), change: refuses(true), want: Abnormal, reason: ReasonRefused},
	{name: "refused while it runs", state: Running, look: aLook(3, 3), change: refuses(true), want: Running},
	{name: "stop refused", state: Stopping, look: aLook(3, 3), change: refuses(false), want: Abnormal, reason: ReasonRefused},
	{name: "a part refused while stopping", state: Stopping, look: aLook(0, 0), change: func(l *Look) { l.Failure, l.Found.Replicas = refusal(true), 0 }, want: Stopped},

	{name: "one node down", state: Running, look: aLook(3, 2), want: Degraded, reason: ReasonNodeDown},
	{name: "one pod absent", state: Running, look: aLook(2, 2), want: Degraded, reason: ReasonNodeDown},
	{name: "one pod going", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Nodes[2].Going = true }, want: Degraded},
	{name: "nothing ready", state: Running, look: aLook(3, 0), want: Abnormal, reason: ReasonNothingServes},
	{name: "no pod at all", state: Degraded, look: aLook(0, 0), want: Abnormal, reason: ReasonNothingServes},
	{name: "degraded is good again", state: Degraded, look: aLook(3, 3), want: Running},
	{name: "degraded, EMQX not heard yet", state: Degraded, rec: reason(ReasonNodeDown), look: aLook(3, 3), change: func(l *Look) { l.Views = nil }, want: Degraded},
	{name: "broker silent moves nothing", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Views, l.Silent = nil, 9 }, want: Running},
	{name: "member missing once", state: Running, look: aLook(3, 3), change: missingMember(1), want: Running},
	{name: "member missing twice", state: Running, look: aLook(3, 3), change: missingMember(2), want: Degraded, reason: ReasonMemberMissing},
	{name: "partition seen once", state: Running, look: aLook(3, 3), change: split(1), want: Running},
	{name: "partition seen twice", state: Running, look: aLook(3, 3), change: split(2), want: Abnormal, reason: ReasonPartitioned},
	{name: "partition after a failed change", state: Abnormal, rec: reason(ReasonUpdateFailed), look: aLook(3, 3), change: split(2), want: Abnormal, reason: ReasonUpdateFailed},
	{name: "two in one view each other", state: Starting, look: aLook(3, 3), change: split(2), want: Starting},
	{name: "abnormal serves again a little", state: Abnormal, rec: reason(ReasonNothingServes), look: aLook(3, 1), want: Degraded},
	{name: "abnormal agrees again", state: Abnormal, rec: reason(ReasonNothingServes), look: aLook(3, 3), want: Running},
	{name: "a failed task stays until agreed", state: Abnormal, rec: reason(ReasonCreateFailed), look: aLook(3, 2), want: Abnormal, reason: ReasonCreateFailed},
	{name: "a failed task with nothing ready stays the failed task", state: Abnormal, rec: reason(ReasonCreateFailed), look: aLook(3, 0), want: Abnormal, reason: ReasonCreateFailed},
	{name: "a failed task recovers", state: Abnormal, rec: reason(ReasonCreateFailed), look: aLook(3, 3), want: Running},

	{name: "not dispatched in time, absent", state: Creating, rec: undispatched, look: Look{At: t0}, now: late, want: Nonexistent, reason: ReasonNotDispatched},
	{name: "not dispatched, time left", state: Creating, rec: undispatched, look: Look{At: t0}, want: Creating},
	{name: "not dispatched in time, something is there", state: Creating, rec: undispatched, look: aLook(0, 0), now: late, want: Abnormal, reason: ReasonCreateFailed},
	{name: "nonexistent stays", state: Nonexistent, rec: undispatched, look: Look{At: t0}, now: late, want: Nonexistent},
	{name: "foreign namespace", state: Creating, rec: undispatched, look: Look{Found: Observation{Foreign: "team-a"}}, want: Abnormal, reason: ReasonForeignOwner},

	{name: "namespace not seen yet", state: Creating, rec: func(r *ClusterRecord) { undispatched(r); r.Status.Dispatched = true }, look: Look{At: t0}, want: Creating},
	{name: "an older generation is still found", state: Updating, rec: func(r *ClusterRecord) { r.Generation, r.Status.Applied = 2, 2 }, look: aLook(3, 3), change: func(l *Look) { l.Found.Generation = 1 }, want: Updating},
	{name: "created powered off", state: Creating, rec: func(r *ClusterRecord) { r.Spec.Hosted.Power = PowerOff }, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0 }, want: Stopped},
	{name: "namespace gone", state: Running, look: Look{At: t0}, want: Abnormal, reason: ReasonDataLost},
	{name: "secret gone", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Auth = "" }, want: Abnormal, reason: ReasonSecretLost},
	{name: "claim gone", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Volumes = l.Found.Volumes[:2] }, want: Abnormal, reason: ReasonDataLost},
	{name: "claim made anew", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Volumes[1].UID = "other" }, want: Abnormal, reason: ReasonDataLost},
	{name: "claim going", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Found.Volumes[1].Going = true }, want: Abnormal, reason: ReasonDataLost},
	{name: "claim gone that was never seen", state: Running, look: aLook(3, 3), change: func(l *Look) { l.Failure = &Error{Code: CodeConflict, Cause: &Loss{ReasonDataLost, "claim x"}} }, want: Abnormal, reason: ReasonDataLost},
	{name: "claim gone while stopped", state: Stopped, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0; l.Found.Volumes = nil }, want: Abnormal, reason: ReasonDataLost},

	{name: "stopping, nodes left", state: Stopping, look: aLook(1, 1), want: Stopping},
	{name: "stopping, none left", state: Stopping, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0 }, want: Stopped, reason: ReasonByRequest},
	{name: "stopping, none left but asked for", state: Stopping, look: aLook(0, 0), want: Stopping},
	{name: "stop overdue", state: Stopping, look: aLook(1, 1), now: late, want: Abnormal, reason: ReasonStopFailed},
	{name: "a failed stop succeeds", state: Abnormal, rec: func(r *ClusterRecord) { r.Spec.Hosted.Power = PowerOff; r.Status.Reason = ReasonStopFailed }, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0 }, want: Stopped},
	{name: "nodes in a stopped cluster", state: Stopped, look: aLook(1, 1), want: Stopping, reason: ReasonScaledByHand},

	{name: "deleting, nodes left", state: Stopping, rec: deleting, look: aLook(1, 1), want: Stopping},
	{name: "deleting, stopped, nodes by hand", state: Stopped, rec: deleting, look: aLook(1, 1), want: Stopping, reason: ReasonScaledByHand},
	{name: "deleting, none left", state: Stopping, rec: deleting, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0 }, want: Stopped},
	{name: "deleted", state: Stopped, rec: deleting, look: Look{At: t0}, want: Gone, reason: ReasonDeleted},
	{name: "deleted, namespace of somebody else", state: Stopping, rec: deleting, look: Look{Found: Observation{Foreign: "x"}}, want: Gone},
	{name: "deletion overdue", state: Stopping, rec: deleting, look: aLook(1, 1), now: late, want: Abnormal, reason: ReasonDeleteFailed},
	{name: "a failed deletion goes on", state: Abnormal, rec: func(r *ClusterRecord) { deleting(r); r.Status.Reason = ReasonDeleteFailed }, look: aLook(0, 0), change: func(l *Look) { l.Found.Replicas = 0 }, want: Abnormal, reason: ReasonDeleteFailed},
	{name: "a failed deletion ends", state: Abnormal, rec: func(r *ClusterRecord) { deleting(r); r.Status.Reason = ReasonDeleteFailed }, look: Look{At: t0}, want: Gone},
	{name: "deleting what never was", state: Nonexistent, rec: func(r *ClusterRecord) { undispatched(r); deleting(r) }, look: Look{At: t0}, want: Gone},
}

func undispatched(r *ClusterRecord) {
	r.Status.Seen = false
	r.Status.Dispatched, r.Status.Applied, r.Status.Auth, r.Status.Volumes = false, 0, "", nil
}

func deleting(r *ClusterRecord) { r.Deleting = true; r.Status.Deadline = t0.Add(patient.Delete) }

func reason(x Reason) func(*ClusterRecord) {
	return func(r *ClusterRecord) { r.Status.Reason = x }
}

func missingMember(times int) func(*Look) {
	return func(l *Look) {
		l.Views[nodeName(0)] = l.Views[nodeName(0)][:2]
		l.Missing = times
	}
}

func split(times int) func(*Look) {
	return func(l *Look) {
		all := l.Views[nodeName(0)]
		l.Views = map[string][]Member{nodeName(0): all[:2], nodeName(2): all[2:]}
		l.Missing = times
	}
}

func TestJudge(t *testing.T) {
	used := map[string]bool{}
	for _, c := range judgeCases {
		t.Run(c.name, func(t *testing.T) {
			rec, look, now := aRecord(c.state), cloneLook(c.look), c.now
			if c.rec != nil {
				c.rec(&rec)
			}
			if c.change != nil {
				c.change(&look)
			}
			if now.IsZero() {
				now = t0
			}
			j := Judge(now, rec, look)
			used[j.Rule] = true
			require.Equal(t, c.want, j.State, "rule %q: %s", j.Rule, j.Message)
			if c.reason != "" {
				require.Equal(t, c.reason, j.Reason, "rule %q", j.Rule)
			}
			if j.State != rec.Status.State {
				require.NotEmpty(t, HostedStates.Route(rec.Status.State, j.State), "no way from %s to %s (rule %q)", rec.Status.State, j.State, j.Rule)
			}
			if j.State == Abnormal && rec.Status.State != Abnormal {
				require.NotEmpty(t, j.Message, "an abnormal cluster says why")
			}
		})
	}
	for _, r := range hostedRules {
		require.True(t, used[r.name], "no case reaches the rule %q", r.name)
	}
}

func cloneLook(l Look) Look {
	l.Found.Nodes = append([]NodeObservation(nil), l.Found.Nodes...)
	l.Found.Volumes = append([]VolumeObservation(nil), l.Found.Volumes...)
	if l.Views != nil {
		views := map[string][]Member{}
		for k, v := range l.Views {
			views[k] = append([]Member(nil), v...)
		}
		l.Views = views
	}
	return l
}
