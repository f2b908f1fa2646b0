package derive

import (
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Verdict is what one observation says of one condition; a zero Verdict keeps what
// was said before.
type Verdict struct {
	Status  ecp.ConditionStatus
	Reason  ecp.Reason
	Message string
}

var (
	yes          = Verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected}
	unchanged    = Verdict{}
	notAsked     = Verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked}
	poweredOff   = Verdict{Status: ecp.False, Reason: ecp.ReasonPoweredOff}
	onItsWay     = Verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
	cannotBeSeen = Verdict{Status: ecp.Unknown, Reason: ecp.ReasonUnseen}
)

// ConditionRow computes one condition from a view of a cluster, whose record already
// has the state the observation led to.
type ConditionRow[V any] struct {
	Type ecp.ConditionType
	// Blind: the condition does not depend on what can be seen.
	Blind bool
	Eval  func(v V) Verdict
	// Lacks reports whether a cluster does not have the condition; nil means every cluster has it.
	Lacks func(v V) bool
}

var conditionRows = []ConditionRow[View]{
	{Type: ecp.CondAccepted, Blind: true, Eval: func(View) Verdict { return yes }},
	{Type: ecp.CondProvisioned, Eval: provisioned},
	{Type: ecp.CondAvailable, Eval: available},
	{Type: ecp.CondExposed, Eval: exposed},
	{Type: ecp.CondReady, Eval: readyCondition},
	{Type: ecp.CondManagementReachable, Eval: managementReachable},
	{Type: ecp.CondUpToDate, Blind: true, Eval: upToDate},
	{Type: ecp.CondConfigured, Eval: configured},
	{Type: ecp.CondSettled, Eval: settled},
	{Type: ecp.CondHealthy, Eval: healthy},
	// The last ones: not every cluster has them.
	{Type: ecp.CondCertificateValid, Blind: true, Eval: certificateValid,
		Lacks: func(v View) bool { return v.Rec.Spec.Hosted.Network.Certificate == "" }},
	{Type: ecp.CondOnSchedule, Eval: onSchedule,
		Lacks: func(v View) bool { return v.Rec.Spec.Hosted.Hibernation == (ecp.Hibernation{}) }},
}

// Conditions returns the conditions of a hosted cluster after an observation.
func Conditions(now time.Time, v View, newestRender int) []ecp.Condition {
	v.newestRender = newestRender
	return EvalConditions(conditionRows, v, now, v.Rec, v.Snapshot.Unseen)
}

// EvalConditions returns the conditions of a record after an observation. Since moves only
// when a status changes. unseen is why nothing can be seen; empty means something can.
func EvalConditions[V any](
	rows []ConditionRow[V], v V, now time.Time, rec ecp.ClusterRecord, unseen string,
) []ecp.Condition {
	out := make([]ecp.Condition, 0, len(rows))
	for _, row := range rows {
		if row.Lacks != nil && row.Lacks(v) {
			continue
		}
		old := ecp.ConditionOf(rec.Status.Conditions, row.Type)
		got := cannotBeSeen
		got.Message = unseen
		if row.Blind || unseen == "" {
			got = row.Eval(v)
		}
		if got == unchanged {
			got = Verdict{old.Status, old.Reason, old.Message}
		}
		c := ecp.Condition{Type: row.Type, Status: got.Status, Reason: got.Reason, Message: got.Message,
			Generation: rec.Generation, Since: old.Since}
		if c.Status != old.Status || c.Since.IsZero() {
			c.Since = now
		}
		out = append(out, c)
	}
	return out
}

func provisioned(v View) Verdict {
	f := v.Snapshot.Found
	switch {
	case v.older != nil:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonRecordOlder, Message: v.older.Error()}
	case v.Loss != nil:
		return Verdict{Status: ecp.False, Reason: v.Loss.Reason}
	case f.ForeignOwner != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonForeignOwner}
	case v.Refused() != nil:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonRefused, Message: ecp.MessageOf(v.Snapshot.Failure)}
	case len(f.Contested) > 0:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonContested, Message: f.Contested[0].String() +
			"; let only one side write it"}
	case len(f.Obstacles) > 0:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonInProgress, Message: joinCauses(f.Obstacles...)}
	case v.smallVolumes() != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonVolumePending, Message: v.smallVolumes()}
	case v.Rec.Status.Applied == v.Rec.Generation && f.Exists && !f.Terminating && len(f.Drift) == 0:
		return yes
	}
	return onItsWay
}

func available(v View) Verdict {
	switch {
	case v.silentToClients():
		return Verdict{Status: ecp.False, Reason: ecp.ReasonMQTTUnanswered, Message: v.Snapshot.MQTT.why}
	case len(v.Ready) > 0 && v.Snapshot.MQTT.NotAsked != "":
		return Verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected,
			Message: "nodes are ready; MQTT itself was not asked: " + v.Snapshot.MQTT.NotAsked}
	case len(v.Ready) > 0:
		return yes
	case v.Want == 0:
		return poweredOff
	case v.settling() != "":
		return onItsWay
	}
	return Verdict{Status: ecp.False, Reason: ecp.ReasonNothingServes}
}

func readyCondition(v View) Verdict {
	switch {
	case v.Agreed() && v.Want > 0:
		return yes
	case v.Want == 0:
		return poweredOff
	case v.NeverMet():
		return Verdict{Status: ecp.False, Reason: ecp.ReasonPartitioned, Message: describeSides(v.strangers())}
	case v.settling() != "":
		return onItsWay
	case v.away() > 0:
		return Verdict{Status: ecp.False, Reason: v.whyAway()}
	case v.Partitioned() && v.Snapshot.MissingMembers >= 2:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonPartitioned}
	case v.Snapshot.MissingMembers >= 2:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonMemberMissing}
	case v.Snapshot.Unanswered >= 2:
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonNoAnswer}
	}
	return unchanged
}

func managementReachable(v View) Verdict {
	switch {
	case len(v.Snapshot.Views) > 0:
		return yes
	case v.Snapshot.Unanswered >= 2:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonNoAnswer, Message: v.Snapshot.UnansweredWhy}
	case v.Snapshot.NoAdapter || len(v.Ready) == 0:
		return notAsked
	}
	return unchanged
}

func upToDate(v View) Verdict {
	if v.Snapshot.Unseen != "" && ecp.ConditionOf(v.Rec.Status.Conditions,
		ecp.CondUpToDate).Reason == ecp.ReasonTemplateChanged {
		return unchanged
	}
	if n := len(OutdatedOf(v.Snapshot.Found)); n > 0 && !v.replaces() {
		return Verdict{Status: ecp.False, Reason: ecp.ReasonTemplateChanged,
			Message: templateChanged(n, len(v.Snapshot.Found.Nodes))}
	}
	if v.Rec.Status.RenderVersion < v.newestRender {
		return Verdict{Status: ecp.False, Reason: ecp.ReasonRendererNewer,
			Message: rendererNewer(v.Rec.Status.RenderVersion, v.newestRender)}
	}
	return yes
}

func settled(v View) Verdict {
	st := v.Rec.Status
	wanted := ecp.Running
	if v.Want == 0 {
		wanted = ecp.Stopped
	}
	switch {
	case st.State != wanted || v.Rec.Deleting:
		return Verdict{Status: ecp.False, Reason: st.Reason}
	case v.Refused() != nil:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonRefused}
	case provisioned(v) != yes:
		return Verdict{Status: ecp.False, Reason: provisioned(v).Reason}
	}
	return yes
}

func healthy(v View) Verdict {
	st := v.Rec.Status
	switch {
	case st.State == ecp.Running && v.unexposedFor() > addressPatience:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonAddressPending}
	case st.State == ecp.Running && v.silentToClients():
		return Verdict{Status: ecp.False, Reason: ecp.ReasonMQTTUnanswered, Message: v.Snapshot.MQTT.why}
	case st.State == ecp.Running && st.HasForeignMembers() && len(v.Snapshot.Views) == 0: // EMQX does not say
		return unchanged
	case st.State == ecp.Running && len(v.Snapshot.ForeignMembers) > 0:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonForeignMember,
			Message: DescribeForeign(v.Snapshot.ForeignMembers)}
	case st.State == ecp.Running, st.State == ecp.Stopped, !v.Opens().IsZero(): // all serve until the window
		return yes
	case st.State.Unsteady():
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	}
	return Verdict{Status: ecp.False, Reason: st.Reason}
}

// onSchedule reports whether hibernation has done what was due.
func onSchedule(v View) Verdict {
	if w := v.Snapshot.OffSchedule; w != nil {
		return Verdict{Status: ecp.False, Reason: w.Reason, Message: w.Why}
	}
	return yes
}

// addressPatience is how long a load balancer may go without an address before
// that needs attention: clouds take a minute or three to make one.
const addressPatience = 5 * time.Minute

// exposed reports whether clients have the address that they are to have.
func exposed(v View) Verdict {
	switch {
	case v.Snapshot.Found.AddressPending != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonAddressPending, Message: v.Snapshot.Found.AddressPending}
	case v.Snapshot.Found.Exists:
		return yes
	}
	return Verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
}

// unexposedFor is how long the address has been missing; 0 where it is not.
func (v View) unexposedFor() time.Duration {
	was := ecp.ConditionOf(v.Rec.Status.Conditions, ecp.CondExposed)
	if v.Snapshot.Found.AddressPending == "" || was.Status != ecp.False || was.Reason != ecp.ReasonAddressPending {
		return 0
	}
	return v.now.Sub(was.Since)
}

// RefreshMessages returns stored conditions in the words of the last observation, where that
// says the same: a new wording alone is not stored.
func RefreshMessages(rec ecp.ClusterRecord, snap Snapshot) []ecp.Condition {
	out := slices.Clone(rec.Status.Conditions)
	for i, now := range Conditions(snap.At, NewView(snap.At, rec, snap), rec.Status.RenderVersion) {
		if i < len(out) && out[i].Type == now.Type && out[i].Status == now.Status && out[i].Reason == now.Reason {
			out[i].Message = now.Message
		}
	}
	return out
}

// VolumesOf are the volumes of a cluster, as last seen.
func VolumesOf(rec ecp.ClusterRecord, found ecp.Observation) []ecp.VolumeInfo {
	var out []ecp.VolumeInfo
	for _, v := range found.Volumes {
		if !v.Terminating {
			out = append(out, ecp.VolumeInfo{Ordinal: v.Ordinal, Name: v.Name, Capacity: v.Capacity,
				Wanted: rec.Resolved.Size.Storage.Size, Pending: v.Pending})
		}
	}
	return out
}

// smallVolumes returns the names of the volumes that are smaller than wanted, and why; "" =
// there is none.
func (v View) smallVolumes() string {
	var parts []string
	for _, c := range v.Snapshot.Found.Volumes {
		if c.Pending != "" && !c.Terminating {
			parts = append(parts, "the volume "+c.Name+": "+c.Pending)
		}
	}
	return joinCauses(parts...)
}
