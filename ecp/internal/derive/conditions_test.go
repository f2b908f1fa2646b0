package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// conditionCases give what each condition says of an observation, as "status reason";
// a condition that is left out is True AsExpected.
var conditionCases = []struct {
	name  string
	state ecp.State
	rec   func(*ecp.ClusterRecord)
	look  Snapshot
	edit  func(*Snapshot)
	want  map[ecp.ConditionType]string
}{
	{name: "running", state: ecp.Running, look: aLook(3, 3)},
	{name: "degraded", state: ecp.Degraded, rec: reason(ecp.ReasonNodeDown), look: aLook(3, 2),
		want: map[ecp.ConditionType]string{
			ecp.CondReady: "False NodeDown", ecp.CondSettled: "False NodeDown", ecp.CondHealthy: "False NodeDown"}},
	{name: "creating", state: ecp.Creating, rec: reason(ecp.ReasonByRequest), look: aLook(3, 0),
		want: map[ecp.ConditionType]string{
			ecp.CondAvailable: "False InProgress", ecp.CondReady: "False InProgress",
			ecp.CondManagementReachable: "Unknown NotAsked",
			ecp.CondSettled:             "False ByRequest", ecp.CondHealthy: "Unknown InProgress"}},
	{name: "creating, one node serves", state: ecp.Creating, rec: reason(ecp.ReasonByRequest), look: aLook(3, 1),
		want: map[ecp.ConditionType]string{
			ecp.CondReady: "False InProgress", ecp.CondSettled: "False ByRequest",
			ecp.CondHealthy: "Unknown InProgress"}},
	{name: "nothing serves", state: ecp.Abnormal, rec: reason(ecp.ReasonNothingServes), look: aLook(3, 0),
		want: map[ecp.ConditionType]string{
			ecp.CondAvailable: "False NothingServes", ecp.CondReady: "False NodeDown",
			ecp.CondManagementReachable: "Unknown NotAsked",
			ecp.CondSettled:             "False NothingServes", ecp.CondHealthy: "False NothingServes"}},
	{name: "the limit is refused", state: ecp.Running, look: aLook(3, 3), rec: divided,
		edit: says(BrokerLimits{Refused: true, Why: "x"}),
		want: map[ecp.ConditionType]string{ecp.CondConfigured: "False LimitDiffers"}},
	{name: "the limit is kept to", state: ecp.Running, look: aLook(3, 3), rec: divided,
		edit: says(BrokerLimits{Done: true})},
	{name: "clients are not served", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.MQTT.Unserved = 2 }, want: map[ecp.ConditionType]string{
			ecp.CondAvailable: "False MQTTUnanswered", ecp.CondHealthy: "False MQTTUnanswered"}},
	{name: "listeners are full", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.MQTT.Unserved, l.Limits = 2, &BrokerLimits{Full: true} }},
	{name: "stopped", state: ecp.Stopped, look: aLook(0, 0), edit: func(l *Snapshot) { l.Found.Replicas = 0 },
		want: map[ecp.ConditionType]string{
			ecp.CondAvailable: "False PoweredOff", ecp.CondReady: "False PoweredOff",
			ecp.CondManagementReachable: "Unknown NotAsked"}},
	{name: "the broker is silent", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Views, l.Unanswered, l.UnansweredWhy = nil, 2, "refused" },
		want: map[ecp.ConditionType]string{
			ecp.CondReady: "Unknown NoAnswer", ecp.CondManagementReachable: "False NoAnswer"}},
	{name: "the broker was silent once", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Views, l.Unanswered = nil, 1 }, want: map[ecp.ConditionType]string{
			ecp.CondReady: "Unknown NotAsked", ecp.CondManagementReachable: "Unknown NotAsked"}}, // as they were
	{name: "a member is missing", state: ecp.Degraded, rec: reason(ecp.ReasonMemberMissing), look: aLook(3, 3),
		edit: missingMember(2), want: map[ecp.ConditionType]string{
			ecp.CondReady: "False MemberMissing", ecp.CondSettled: "False MemberMissing",
			ecp.CondHealthy: "False MemberMissing"}},
	{name: "partitioned", state: ecp.Abnormal, rec: reason(ecp.ReasonPartitioned), look: aLook(3, 3), edit: split(2),
		want: map[ecp.ConditionType]string{
			ecp.CondReady: "False Partitioned", ecp.CondSettled: "False Partitioned",
			ecp.CondHealthy: "False Partitioned"}},
	{name: "the secret is lost", state: ecp.Abnormal, rec: reason(ecp.ReasonSecretLost), look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.Auth = "" }, want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False SecretLost", ecp.CondSettled: "False SecretLost",
			ecp.CondHealthy: "False SecretLost"}},
	{name: "somebody else's", state: ecp.Abnormal,
		rec:  func(r *ecp.ClusterRecord) { undispatched(r); reason(ecp.ReasonForeignOwner)(r) },
		look: Snapshot{Found: ecp.Observation{ForeignOwner: "x"}}, want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False ForeignOwner", ecp.CondExposed: "False InProgress",
			ecp.CondAvailable: "False NothingServes", ecp.CondReady: "False NodeDown",
			ecp.CondManagementReachable: "Unknown NotAsked",
			ecp.CondSettled:             "False ForeignOwner", ecp.CondHealthy: "False ForeignOwner"}},
	{name: "drift", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.Drift = []string{"Service"} }, want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False InProgress", ecp.CondSettled: "False InProgress"}},
	{name: "an older renderer", state: ecp.Running, rec: func(r *ecp.ClusterRecord) { r.Status.RenderVersion = 0 },
		look: aLook(3, 3), want: map[ecp.ConditionType]string{
			ecp.CondUpToDate: "False RendererNewer"}},
	{name: "somebody changed the pod template", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.Converged, l.Found.Nodes[1].Outdated = false, true },
		want: map[ecp.ConditionType]string{
			ecp.CondUpToDate: "False TemplateChanged"}},
	{name: "somebody changed the pod template, and nothing is seen", state: ecp.Running, look: Snapshot{Unseen: "away"},
		rec: func(r *ecp.ClusterRecord) {
			r.Status.Conditions = []ecp.Condition{{Type: ecp.CondUpToDate, Status: ecp.False,
				Reason: ecp.ReasonTemplateChanged, Since: t0}}
		}, want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "Unknown Unseen", ecp.CondExposed: "Unknown Unseen",
			ecp.CondAvailable: "Unknown Unseen",
			ecp.CondReady:     "Unknown Unseen", ecp.CondManagementReachable: "Unknown Unseen",
			ecp.CondConfigured: "Unknown Unseen",
			ecp.CondUpToDate:   "False TemplateChanged", ecp.CondSettled: "Unknown Unseen",
			ecp.CondHealthy: "Unknown Unseen"}},
	{name: "a change of our own replaces nodes", state: ecp.Updating, rec: reason(ecp.ReasonByRequest),
		look: aLook(3, 3), edit: func(l *Snapshot) { l.Found.Converged, l.Found.Nodes[1].Outdated = false, true },
		want: map[ecp.ConditionType]string{
			ecp.CondReady: "False InProgress", ecp.CondSettled: "False ByRequest",
			ecp.CondHealthy: "Unknown InProgress"}},
	{name: "no address yet", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.AddressPending = "nothing gives one" }, want: map[ecp.ConditionType]string{
			ecp.CondExposed: "False AddressPending"}},
	{name: "no address for long", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.AddressPending = "nothing gives one" }, rec: func(r *ecp.ClusterRecord) {
			r.Status.Conditions = []ecp.Condition{{Type: ecp.CondExposed, Status: ecp.False,
				Reason: ecp.ReasonAddressPending, Since: t0.Add(-addressPatience - time.Second)}}
		}, want: map[ecp.ConditionType]string{
			ecp.CondExposed: "False AddressPending", ecp.CondHealthy: "False AddressPending"}},
	{name: "no node takes a client", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.MQTT.Unserved = 2 }, want: map[ecp.ConditionType]string{
			ecp.CondAvailable: "False MQTTUnanswered", ecp.CondHealthy: "False MQTTUnanswered"}},
	{name: "no node took a client once", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.MQTT.Unserved = 1 }},
	{name: "nobody can knock", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.MQTT.NotAsked = "no way" }},
	{name: "a fight over a field", state: ecp.Running, look: aLook(3, 3),
		edit: func(l *Snapshot) { l.Found.Contested = []ecp.Contest{{Object: "StatefulSet x"}} },
		want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False Contested", ecp.CondSettled: "False Contested"}},
	{name: "deaf", state: ecp.Running, look: aLook(3, 3), edit: func(l *Snapshot) { l.Views, l.NoAdapter = nil, true },
		want: map[ecp.ConditionType]string{
			ecp.CondManagementReachable: "Unknown NotAsked"}},
	{name: "another generation is wanted", state: ecp.Running, rec: func(r *ecp.ClusterRecord) { r.Generation = 2 },
		look: aLook(3, 3), want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False InProgress", ecp.CondReady: "Unknown NotAsked",
			ecp.CondSettled: "False InProgress"}},
	{name: "unseen", state: ecp.Running, look: Snapshot{Unseen: "away"}, want: map[ecp.ConditionType]string{
		ecp.CondProvisioned: "Unknown Unseen", ecp.CondExposed: "Unknown Unseen", ecp.CondAvailable: "Unknown Unseen",
		ecp.CondReady: "Unknown Unseen", ecp.CondManagementReachable: "Unknown Unseen",
		ecp.CondConfigured: "Unknown Unseen",
		ecp.CondSettled:    "Unknown Unseen", ecp.CondHealthy: "Unknown Unseen"}},
	{name: "nonexistent", state: ecp.Nonexistent,
		rec: func(r *ecp.ClusterRecord) { undispatched(r); reason(ecp.ReasonNotDispatched)(r) }, look: Snapshot{At: t0},
		want: map[ecp.ConditionType]string{
			ecp.CondProvisioned: "False InProgress", ecp.CondExposed: "False InProgress",
			ecp.CondAvailable: "False NothingServes", ecp.CondReady: "False NodeDown",
			ecp.CondManagementReachable: "Unknown NotAsked",
			ecp.CondSettled:             "False NotDispatched", ecp.CondHealthy: "False NotDispatched"}},
}

func TestConditions(t *testing.T) {
	for _, c := range conditionCases {
		t.Run(c.name, func(t *testing.T) {
			rec, snap := aRecord(c.state), cloneLook(c.look)
			rec.Status.RenderVersion, rec.Status.Reason = 1, ecp.ReasonAsExpected
			if c.rec != nil {
				c.rec(&rec)
			}
			if c.edit != nil {
				c.edit(&snap)
			}
			got := Conditions(t0, NewView(t0, rec, snap), 1)
			require.Len(t, got, len(conditionRows)-2, "those of all clusters")
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
	rec := aRecord(ecp.Running)
	see := func(after time.Duration, snap Snapshot) ecp.Condition {
		rec.Status.Conditions = Conditions(t0.Add(after), NewView(t0, rec, snap), 0)
		return ecp.ConditionOf(rec.Status.Conditions, ecp.CondReady)
	}
	require.Equal(t, t0, see(0, aLook(3, 3)).Since)
	require.Equal(t, t0, see(time.Second, aLook(3, 3)).Since)
	down := see(2*time.Second, aLook(3, 2))
	require.Equal(t, ecp.Condition{Type: ecp.CondReady, Status: ecp.False, Reason: ecp.ReasonNodeDown, Generation: 1,
		Since: t0.Add(2 * time.Second)}, down)
	missing := aLook(3, 3)
	missingMember(2)(&missing)
	other := see(3*time.Second, missing)
	require.Equal(t, ecp.ReasonMemberMissing, other.Reason)
	require.Equal(t, down.Since, other.Since, "another reason for the same status")
	blind := see(4*time.Second, Snapshot{Unseen: "away"})
	require.Equal(t, ecp.Unknown, blind.Status)
	require.Equal(t, t0.Add(4*time.Second), blind.Since)
}

func TestConditionThatWasNeverSet(t *testing.T) {
	require.Equal(t, ecp.Condition{Type: ecp.CondReady, Status: ecp.Unknown, Reason: ecp.ReasonNotAsked},
		ecp.ConditionOf(nil, ecp.CondReady))
}
