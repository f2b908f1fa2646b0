package derive

import (
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// verdict is what one observation says of one condition; a zero Status keeps what
// was said before.
type verdict struct {
	Status  ecp.ConditionStatus
	Reason  ecp.Reason
	Message string
}

var (
	yes          = verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected}
	unchanged    = verdict{}
	notAsked     = verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked}
	poweredOff   = verdict{Status: ecp.False, Reason: ecp.ReasonPoweredOff}
	onItsWay     = verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
	cannotBeSeen = verdict{Status: ecp.Unknown, Reason: ecp.ReasonUnseen}
)

// conditionRow computes one condition of a hosted cluster; v.rec already has
// the state the observation led to.
type conditionRow struct {
	kind ecp.ConditionType
	// blind: the condition does not depend on what can be seen.
	blind bool
	eval  func(v View, newestRender int) verdict
}

var conditionRows = []conditionRow{
	{ecp.CondAccepted, true, func(View, int) verdict { return yes }},
	{ecp.CondProvisioned, false, provisioned},
	{ecp.CondAvailable, false, available},
	{ecp.CondExposed, false, exposed},
	{ecp.CondReady, false, readyCondition},
	{ecp.CondManagementReachable, false, managementReachable},
	{ecp.CondUpToDate, true, upToDate},
	{ecp.CondConfigured, false, configured},
	{ecp.CondSettled, false, settled},
	{ecp.CondHealthy, false, healthy},
	// The last ones: not every cluster has them.
	{ecp.CondCertificateValid, true, certificateValid},
	{ecp.CondOnSchedule, false, onSchedule},
}

// lacksCondition says which clusters do not have a condition. Those that are not in it are of all.
var lacksCondition = map[ecp.ConditionType]func(ecp.HostedSpec) bool{
	ecp.CondCertificateValid: func(s ecp.HostedSpec) bool { return s.Network.Certificate == "" },
	ecp.CondOnSchedule:       func(s ecp.HostedSpec) bool { return s.Hibernation == (ecp.Hibernation{}) },
}

// Conditions returns a cluster's conditions after an observation. Since moves only when
// a status changes.
func Conditions(now time.Time, v View, newestRender int) []ecp.Condition {
	out := make([]ecp.Condition, 0, len(conditionRows))
	for _, row := range conditionRows {
		if lacks := lacksCondition[row.kind]; lacks != nil && lacks(*v.Rec.Spec.Hosted) {
			continue
		}
		old := ecp.ConditionOf(v.Rec.Status.Conditions, row.kind)
		got := cannotBeSeen
		got.Message = v.Snapshot.Unseen
		if row.blind || v.Snapshot.Unseen == "" {
			got = row.eval(v, newestRender)
		}
		if got == unchanged {
			got = verdict{old.Status, old.Reason, old.Message}
		}
		c := ecp.Condition{Type: row.kind, Status: got.Status, Reason: got.Reason, Message: got.Message,
			Generation: v.Rec.Generation, Since: old.Since}
		if c.Status != old.Status || c.Since.IsZero() {
			c.Since = now
		}
		out = append(out, c)
	}
	return out
}

func provisioned(v View, _ int) verdict {
	f := v.Snapshot.Found
	switch {
	case v.older != nil:
		return verdict{Status: ecp.False, Reason: ecp.ReasonRecordOlder, Message: v.older.Error()}
	case v.Loss != nil:
		return verdict{Status: ecp.False, Reason: v.Loss.Reason}
	case f.ForeignOwner != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonForeignOwner}
	case v.Refused() != nil:
		return verdict{Status: ecp.False, Reason: ecp.ReasonRefused, Message: ecp.MessageOf(v.Snapshot.Failure)}
	case len(f.Contested) > 0:
		return verdict{Status: ecp.False, Reason: ecp.ReasonContested, Message: f.Contested[0].String() +
			"; let only one side write it"}
	case len(f.Obstacles) > 0:
		return verdict{Status: ecp.False, Reason: ecp.ReasonInProgress, Message: joinCauses(f.Obstacles...)}
	case v.smallVolumes() != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonVolumePending, Message: v.smallVolumes()}
	case v.Rec.Status.Applied == v.Rec.Generation && f.Exists && !f.Terminating && len(f.Drift) == 0:
		return yes
	}
	return onItsWay
}

func available(v View, _ int) verdict {
	switch {
	case v.silentToClients():
		return verdict{Status: ecp.False, Reason: ecp.ReasonMQTTUnanswered, Message: v.Snapshot.MQTT.why}
	case len(v.Ready) > 0 && v.Snapshot.MQTT.NotAsked != "":
		return verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected,
			Message: "nodes are ready; MQTT itself was not asked: " + v.Snapshot.MQTT.NotAsked}
	case len(v.Ready) > 0:
		return yes
	case v.Want == 0:
		return poweredOff
	case v.settling() != "":
		return onItsWay
	}
	return verdict{Status: ecp.False, Reason: ecp.ReasonNothingServes}
}

func readyCondition(v View, _ int) verdict {
	switch {
	case v.Agreed() && v.Want > 0:
		return yes
	case v.Want == 0:
		return poweredOff
	case v.NeverMet():
		return verdict{Status: ecp.False, Reason: ecp.ReasonPartitioned, Message: describeSides(v.strangers())}
	case v.settling() != "":
		return onItsWay
	case v.away() > 0:
		return verdict{Status: ecp.False, Reason: v.whyAway()}
	case v.Partitioned() && v.Snapshot.MissingMembers >= 2:
		return verdict{Status: ecp.False, Reason: ecp.ReasonPartitioned}
	case v.Snapshot.MissingMembers >= 2:
		return verdict{Status: ecp.False, Reason: ecp.ReasonMemberMissing}
	case v.Snapshot.Unanswered >= 2:
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonNoAnswer}
	}
	return unchanged
}

func managementReachable(v View, _ int) verdict {
	switch {
	case len(v.Snapshot.Views) > 0:
		return yes
	case v.Snapshot.Unanswered >= 2:
		return verdict{Status: ecp.False, Reason: ecp.ReasonNoAnswer, Message: v.Snapshot.UnansweredWhy}
	case v.Snapshot.NoAdapter || len(v.Ready) == 0:
		return notAsked
	}
	return unchanged
}

func upToDate(v View, newest int) verdict {
	if v.Snapshot.Unseen != "" && ecp.ConditionOf(v.Rec.Status.Conditions,
		ecp.CondUpToDate).Reason == ecp.ReasonTemplateChanged {
		return unchanged
	}
	if n := len(OutdatedOf(v.Snapshot.Found)); n > 0 && !v.replaces() {
		return verdict{Status: ecp.False, Reason: ecp.ReasonTemplateChanged,
			Message: templateChanged(n, len(v.Snapshot.Found.Nodes))}
	}
	if v.Rec.Status.RenderVersion < newest {
		return verdict{Status: ecp.False, Reason: ecp.ReasonRendererNewer,
			Message: rendererNewer(v.Rec.Status.RenderVersion, newest)}
	}
	return yes
}

func settled(v View, _ int) verdict {
	st := v.Rec.Status
	wanted := ecp.Running
	if v.Want == 0 {
		wanted = ecp.Stopped
	}
	switch {
	case st.State != wanted || v.Rec.Deleting:
		return verdict{Status: ecp.False, Reason: st.Reason}
	case v.Refused() != nil:
		return verdict{Status: ecp.False, Reason: ecp.ReasonRefused}
	case provisioned(v, 0) != yes:
		return verdict{Status: ecp.False, Reason: provisioned(v, 0).Reason}
	}
	return yes
}

func healthy(v View, _ int) verdict {
	st := v.Rec.Status
	switch {
	case st.State == ecp.Running && v.unexposedFor() > addressPatience:
		return verdict{Status: ecp.False, Reason: ecp.ReasonAddressPending}
	case st.State == ecp.Running && v.silentToClients():
		return verdict{Status: ecp.False, Reason: ecp.ReasonMQTTUnanswered, Message: v.Snapshot.MQTT.why}
	case st.State == ecp.Running && st.HasForeignMembers() && len(v.Snapshot.Views) == 0: // EMQX does not say
		return unchanged
	case st.State == ecp.Running && len(v.Snapshot.ForeignMembers) > 0:
		return verdict{Status: ecp.False, Reason: ecp.ReasonForeignMember,
			Message: DescribeForeign(v.Snapshot.ForeignMembers)}
	case st.State == ecp.Running, st.State == ecp.Stopped, !v.Opens().IsZero(): // all serve until the window
		return yes
	case st.State.Unsteady():
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	}
	return verdict{Status: ecp.False, Reason: st.Reason}
}

// onSchedule reports whether hibernation has done what was due.
func onSchedule(v View, _ int) verdict {
	if w := v.Snapshot.OffSchedule; w != nil {
		return verdict{Status: ecp.False, Reason: w.Reason, Message: w.Why}
	}
	return yes
}

// addressPatience is how long a load balancer may go without an address before
// that needs attention: clouds take a minute or three to make one.
const addressPatience = 5 * time.Minute

// exposed reports whether clients have the address that they are to have.
func exposed(v View, _ int) verdict {
	switch {
	case v.Snapshot.Found.AddressPending != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonAddressPending, Message: v.Snapshot.Found.AddressPending}
	case v.Snapshot.Found.Exists:
		return yes
	}
	return verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
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
