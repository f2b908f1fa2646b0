package ecp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// conditionCases give what each condition says of a look, as "status reason";
// a condition that is left out is True AsExpected.
var conditionCases = []struct {
	name  string
	state State
	rec   func(*ClusterRecord)
	look  Look
	edit  func(*Look)
	want  map[ConditionType]string
}{
	{name: "running", state: Running, look: aLook(3, 3)},
	{name: "degraded", state: Degraded, rec: reason(ReasonNodeDown), look: aLook(3, 2), want: map[ConditionType]string{
		CondReady: "False NodeDown", CondSettled: "False NodeDown", CondHealthy: "False NodeDown"}},
	{name: "creating", state: Creating, rec: reason(ReasonByRequest), look: aLook(3, 0), want: map[ConditionType]string{
		CondAvailable: "False InProgress", CondReady: "False InProgress", CondManagementReachable: "Unknown NotAsked",
		CondSettled: "False ByRequest", CondHealthy: "Unknown InProgress"}},
	{name: "creating, one node serves", state: Creating, rec: reason(ReasonByRequest), look: aLook(3, 1), want: map[ConditionType]string{
		CondReady: "False InProgress", CondSettled: "False ByRequest", CondHealthy: "Unknown InProgress"}},
	{name: "nothing serves", state: Abnormal, rec: reason(ReasonNothingServes), look: aLook(3, 0), want: map[ConditionType]string{
		CondAvailable: "False NothingServes", CondReady: "False NodeDown", CondManagementReachable: "Unknown NotAsked",
		CondSettled: "False NothingServes", CondHealthy: "False NothingServes"}},
	{name: "stopped", state: Stopped, look: aLook(0, 0), edit: func(l *Look) { l.Found.Replicas = 0 }, want: map[ConditionType]string{
		CondAvailable: "False PoweredOff", CondReady: "False PoweredOff", CondManagementReachable: "Unknown NotAsked"}},
	{name: "the broker is silent", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Views, l.Silent, l.SilentWhy = nil, 2, "refused" }, want: map[ConditionType]string{
		CondReady: "Unknown NoAnswer", CondManagementReachable: "False NoAnswer"}},
	{name: "the broker was silent once", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Views, l.Silent = nil, 1 }, want: map[ConditionType]string{
		CondReady: "Unknown NotAsked", CondManagementReachable: "Unknown NotAsked"}}, // as they were
	{name: "a member is missing", state: Degraded, rec: reason(ReasonMemberMissing), look: aLook(3, 3), edit: missingMember(2), want: map[ConditionType]string{
		CondReady: "False MemberMissing", CondSettled: "False MemberMissing", CondHealthy: "False MemberMissing"}},
	{name: "partitioned", state: Abnormal, rec: reason(ReasonPartitioned), look: aLook(3, 3), edit: split(2), want: map[ConditionType]string{
		CondReady: "False Partitioned", CondSettled: "False Partitioned", CondHealthy: "False Partitioned"}},
	{name: "the secret is lost", state: Abnormal, rec: reason(ReasonSecretLost), look: aLook(3, 3), edit: func(l *Look) { l.Found.Auth = "" }, want: map[ConditionType]string{
		CondProvisioned: "False SecretLost", CondSettled: "False SecretLost", CondHealthy: "False SecretLost"}},
	{name: "somebody else's", state: Abnormal, rec: func(r *ClusterRecord) { undispatched(r); reason(ReasonForeignOwner)(r) }, look: Look{Found: Observation{Foreign: "x"}}, want: map[ConditionType]string{
		CondProvisioned: "False ForeignOwner", CondExposed: "False InProgress", CondAvailable: "False NothingServes", CondReady: "False NodeDown", CondManagementReachable: "Unknown NotAsked",
		CondSettled: "False ForeignOwner", CondHealthy: "False ForeignOwner"}},
	{name: "drift", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Found.Drift = []string{"Service"} }, want: map[ConditionType]string{
		CondProvisioned: "False InProgress", CondSettled: "False InProgress"}},
	{name: "an older renderer", state: Running, rec: func(r *ClusterRecord) { r.Status.RenderVersion = 0 }, look: aLook(3, 3), want: map[ConditionType]string{
		CondUpToDate: "False RendererNewer"}},
	{name: "somebody changed the pod template", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Found.Converged, l.Found.Nodes[1].Outdated = false, true }, want: map[ConditionType]string{
		CondUpToDate: "False TemplateChanged"}},
	{name: "somebody changed the pod template, and nothing is seen", state: Running, look: Look{Unseen: "away"}, rec: func(r *ClusterRecord) {
		r.Status.Conditions = []Condition{{Type: CondUpToDate, Status: False, Reason: ReasonTemplateChanged, Since: t0}}
	}, want: map[ConditionType]string{
		CondProvisioned: "Unknown Unseen", CondExposed: "Unknown Unseen", CondAvailable: "Unknown Unseen", CondReady: "Unknown Unseen", CondManagementReachable: "Unknown Unseen", CondConfigured: "Unknown Unseen",
		CondUpToDate: "False TemplateChanged", CondSettled: "Unknown Unseen", CondHealthy: "Unknown Unseen"}},
	{name: "a change of our own replaces nodes", state: Updating, rec: reason(ReasonByRequest), look: aLook(3, 3), edit: func(l *Look) { l.Found.Converged, l.Found.Nodes[1].Outdated = false, true }, want: map[ConditionType]string{
		CondReady: "False InProgress", CondSettled: "False ByRequest", CondHealthy: "Unknown InProgress"}},
	{name: "no address yet", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Found.AddressPending = "nothing gives one" }, want: map[ConditionType]string{
		CondExposed: "False AddressPending"}},
	{name: "no address for long", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Found.AddressPending = "nothing gives one" }, rec: func(r *ClusterRecord) {
		r.Status.Conditions = []Condition{{Type: CondExposed, Status: False, Reason: ReasonAddressPending, Since: t0.Add(-addressPatience - time.Second)}}
	}, want: map[ConditionType]string{
		CondExposed: "False AddressPending", CondHealthy: "False AddressPending"}},
	{name: "no node takes a client", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.mqtt.mute = 2 }, want: map[ConditionType]string{
		CondAvailable: "False MQTTUnanswered", CondHealthy: "False MQTTUnanswered"}},
	{name: "no node took a client once", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.mqtt.mute = 1 }},
	{name: "nobody can knock", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.mqtt.unasked = "no way" }},
	{name: "a fight over a field", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Found.Contested = []Contest{{Object: "StatefulSet x"}} }, want: map[ConditionType]string{
		CondProvisioned: "False Contested", CondSettled: "False Contested"}},
	{name: "deaf", state: Running, look: aLook(3, 3), edit: func(l *Look) { l.Views, l.Deaf = nil, true }, want: map[ConditionType]string{
		CondManagementReachable: "Unknown NotAsked"}},
	{name: "another generation is wanted", state: Running, rec: func(r *ClusterRecord) { r.Generation = 2 }, look: aLook(3, 3), want: map[ConditionType]string{
		CondProvisioned: "False InProgress", CondReady: "Unknown NotAsked", CondSettled: "False InProgress"}},
	{name: "unseen", state: Running, look: Look{Unseen: "away"}, want: map[ConditionType]string{
		CondProvisioned: "Unknown Unseen", CondExposed: "Unknown Unseen", CondAvailable: "Unknown Unseen", CondReady: "Unknown Unseen", CondManagementReachable: "Unknown Unseen", CondConfigured: "Unknown Unseen",
		CondSettled: "Unknown Unseen", CondHealthy: "Unknown Unseen"}},
	{name: "nonexistent", state: Nonexistent, rec: func(r *ClusterRecord) { undispatched(r); reason(ReasonNotDispatched)(r) }, look: Look{At: t0}, want: map[ConditionType]string{
		CondProvisioned: "False InProgress", CondExposed: "False InProgress", CondAvailable: "False NothingServes", CondReady: "False NodeDown", CondManagementReachable: "Unknown NotAsked",
		CondSettled: "False NotDispatched", CondHealthy: "False NotDispatched"}},
}

func TestConditions(t *testing.T) {
	for _, c := range conditionCases {
		t.Run(c.name, func(t *testing.T) {
			rec, look := aRecord(c.state), cloneLook(c.look)
			rec.Status.RenderVersion, rec.Status.Reason = 1, ReasonAsExpected
			if c.rec != nil {
				c.rec(&rec)
			}
			if c.edit != nil {
				c.edit(&look)
			}
			got := conditions(t0, newView(t0, rec, look), 1)
			require.Len(t, got, len(conditionRows))
			for _, cond := range got {
				want := c.want[cond.Type]
				if want == "" {
					want = "True AsExpected"
				}
				require.Equal(t, want, string(cond.Status)+" "+string(cond.Reason), cond.Type)
				require.Equal(t, rec.Generation, cond.Generation)
				if !cond.Since.Before(t0) || len(rec.Status.Conditions) == 0 {
					require.Equal(t, t0, cond.Since)
				}
			}
		})
	}
}

func TestSinceMovesWithTheStatusOnly(t *testing.T) {
	rec := aRecord(Running)
	see := func(after time.Duration, look Look) Condition {
		rec.Status.Conditions = conditions(t0.Add(after), newView(t0, rec, look), 0)
		return ConditionOf(rec.Status.Conditions, CondReady)
	}
	require.Equal(t, t0, see(0, aLook(3, 3)).Since)
	require.Equal(t, t0, see(time.Second, aLook(3, 3)).Since)
	down := see(2*time.Second, aLook(3, 2))
	require.Equal(t, Condition{Type: CondReady, Status: False, Reason: ReasonNodeDown, Generation: 1, Since: t0.Add(2 * time.Second)}, down)
	missing := aLook(3, 3)
	missingMember(2)(&missing)
	other := see(3*time.Second, missing)
	require.Equal(t, ReasonMemberMissing, other.Reason)
	require.Equal(t, down.Since, other.Since, "another reason for the same status")
	blind := see(4*time.Second, Look{Unseen: "away"})
	require.Equal(t, Unknown, blind.Status)
	require.Equal(t, t0.Add(4*time.Second), blind.Since)
}

func TestConditionThatWasNeverSet(t *testing.T) {
	require.Equal(t, Condition{Type: CondReady, Status: Unknown, Reason: ReasonNotAsked}, ConditionOf(nil, CondReady))
}
