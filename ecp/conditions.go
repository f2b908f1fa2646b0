package ecp

import "time"

// verdictOf is what one look says of one condition; a zero Status keeps what
// was said before.
type verdictOf struct {
	Status  Truth
	Reason  Reason
	Message string
}

var (
	yes         = verdictOf{Status: True, Reason: ReasonAsExpected}
	unchanged   = verdictOf{}
	notAsked    = verdictOf{Status: Unknown, Reason: ReasonNotAsked}
	poweredOff  = verdictOf{Status: False, Reason: ReasonPoweredOff}
	onItsWay    = verdictOf{Status: False, Reason: ReasonInProgress}
	cannotBeSee = verdictOf{Status: Unknown, Reason: ReasonUnseen}
)

// conditionRow computes one condition of a hosted cluster; v.rec already has
// the state the look led to.
type conditionRow struct {
	kind ConditionType
	// blind: the condition does not depend on what can be seen.
	blind bool
	eval  func(v view, newestRender int) verdictOf
}

var conditionRows = []conditionRow{
	{CondAccepted, true, func(view, int) verdictOf { return yes }},
	{CondProvisioned, false, provisioned},
	{CondAvailable, false, available},
	{CondExposed, false, exposed},
	{CondReady, false, readyCondition},
	{CondManagementReachable, false, managementReachable},
	{CondUpToDate, true, upToDate},
	{CondConfigured, false, configured},
	{CondSettled, false, settled},
	{CondHealthy, false, healthy},
}

// conditions gives a cluster's conditions after a look. Since moves only when
// a status changes.
func conditions(now time.Time, v view, newestRender int) []Condition {
	out := make([]Condition, 0, len(conditionRows))
	for _, row := range conditionRows {
		old := ConditionOf(v.rec.Status.Conditions, row.kind)
		got := cannotBeSee
		got.Message = v.look.Unseen
		if row.blind || v.look.Unseen == "" {
			got = row.eval(v, newestRender)
		}
		if got == unchanged {
			got = verdictOf{old.Status, old.Reason, old.Message}
		}
		c := Condition{Type: row.kind, Status: got.Status, Reason: got.Reason, Message: got.Message, Generation: v.rec.Generation, Since: old.Since}
		if c.Status != old.Status || c.Since.IsZero() {
			c.Since = now
		}
		out = append(out, c)
	}
	return out
}

func provisioned(v view, _ int) verdictOf {
	f := v.look.Found
	switch {
	case v.older != nil:
		return verdictOf{Status: False, Reason: ReasonRecordOlder, Message: v.older.Error()}
	case v.loss != nil:
		return verdictOf{Status: False, Reason: v.loss.Reason}
	case f.Foreign != "":
		return verdictOf{Status: False, Reason: ReasonForeignOwner}
	case v.refused() != nil:
		return verdictOf{Status: False, Reason: ReasonRefused, Message: MessageOf(v.look.Failure)}
	case len(f.Contested) > 0:
		return verdictOf{Status: False, Reason: ReasonContested, Message: f.Contested[0].String() + "; let only one side write it"}
	case len(f.Obstacles) > 0:
		return verdictOf{Status: False, Reason: ReasonInProgress, Message: joinCauses(f.Obstacles...)}
	case v.smallVolumes() != "":
		return verdictOf{Status: False, Reason: ReasonVolumePending, Message: v.smallVolumes()}
	case v.rec.Status.Applied == v.rec.Generation && f.Exists && !f.Terminating && len(f.Drift) == 0:
		return yes
	}
	return onItsWay
}

func available(v view, _ int) verdictOf {
	switch {
	case v.silentToClients():
		return verdictOf{Status: False, Reason: ReasonMQTTUnanswered, Message: v.look.mqtt.why}
	case len(v.ready) > 0 && v.look.mqtt.unasked != "":
		return verdictOf{Status: True, Reason: ReasonAsExpected, Message: "nodes are ready; MQTT itself was not asked: " + v.look.mqtt.unasked}
	case len(v.ready) > 0:
		return yes
	case v.want == 0:
		return poweredOff
	case v.settling() != "":
		return onItsWay
	}
	return verdictOf{Status: False, Reason: ReasonNothingServes}
}

func readyCondition(v view, _ int) verdictOf {
	switch {
	case v.agreed() && v.want > 0:
		return yes
	case v.want == 0:
		return poweredOff
	case v.apart():
		return verdictOf{Status: False, Reason: ReasonPartitioned, Message: apartWords(v.sides())}
	case v.settling() != "":
		return onItsWay
	case len(v.ready) < v.want:
		return verdictOf{Status: False, Reason: ReasonNodeDown}
	case v.partitioned() && v.look.Missing >= 2:
		return verdictOf{Status: False, Reason: ReasonPartitioned}
	case v.look.Missing >= 2:
		return verdictOf{Status: False, Reason: ReasonMemberMissing}
	case v.look.Silent >= 2:
		return verdictOf{Status: Unknown, Reason: ReasonNoAnswer}
	}
	return unchanged
}

func managementReachable(v view, _ int) verdictOf {
	switch {
	case len(v.look.Views) > 0:
		return yes
	case v.look.Silent >= 2:
		return verdictOf{Status: False, Reason: ReasonNoAnswer, Message: v.look.SilentWhy}
	case v.look.Deaf || len(v.ready) == 0:
		return notAsked
	}
	return unchanged
}

func upToDate(v view, newest int) verdictOf {
	if v.look.Unseen != "" && ConditionOf(v.rec.Status.Conditions, CondUpToDate).Reason == ReasonTemplateChanged {
		return unchanged
	}
	if n := len(outdatedOf(v.look.Found)); n > 0 && !v.replaces() {
		return verdictOf{Status: False, Reason: ReasonTemplateChanged, Message: templateChanged(n, len(v.look.Found.Nodes))}
	}
	if v.rec.Status.RenderVersion < newest {
		return verdictOf{Status: False, Reason: ReasonRendererNewer}
	}
	return yes
}

func settled(v view, _ int) verdictOf {
	st := v.rec.Status
	wanted := Running
	if v.want == 0 {
		wanted = Stopped
	}
	switch {
	case st.State != wanted || v.rec.Deleting:
		return verdictOf{Status: False, Reason: st.Reason}
	case v.refused() != nil:
		return verdictOf{Status: False, Reason: ReasonRefused}
	case provisioned(v, 0) != yes:
		return verdictOf{Status: False, Reason: provisioned(v, 0).Reason}
	}
	return yes
}

func healthy(v view, _ int) verdictOf {
	st := v.rec.Status
	switch {
	case st.State == Running && v.unexposedFor() > addressPatience:
		return verdictOf{Status: False, Reason: ReasonAddressPending}
	case st.State == Running && v.silentToClients():
		return verdictOf{Status: False, Reason: ReasonMQTTUnanswered, Message: v.look.mqtt.why}
	case st.State == Running && hasForeign(st) && len(v.look.Views) == 0: // EMQX does not say
		return unchanged
	case st.State == Running && len(v.look.Foreign) > 0:
		return verdictOf{Status: False, Reason: ReasonForeignMember, Message: foreignWords(v.look.Foreign)}
	case st.State == Running, st.State == Stopped:
		return yes
	case st.State.Unsteady():
		return verdictOf{Status: Unknown, Reason: ReasonInProgress}
	}
	return verdictOf{Status: False, Reason: st.Reason}
}
