package ecp

// adoptedRow computes one condition of an adopted cluster; v.rec already has the
// state that follows.
type adoptedRow struct {
	kind ConditionType
	// blind: the condition does not depend on what can be seen.
	blind bool
	eval  func(adoptedView) verdictOf
}

var adoptedConditionRows = []adoptedRow{
	{CondAccepted, true, adoptedAccepted},
	{CondAvailable, false, adoptedAvailable},
	{CondReady, false, adoptedReady},
	{CondManagementReachable, false, adoptedReachable},
	{CondAgentConnected, false, agentConnected},
	{CondUpToDate, false, adoptedUpToDate},
	{CondSettled, false, adoptedSettled},
	{CondHealthy, false, adoptedHealthy},
}

// adoptedConditions gives a cluster's conditions. Since moves only when a status
// changes.
func adoptedConditions(v adoptedView) []Condition {
	out := make([]Condition, 0, len(adoptedConditionRows))
	stale := v.stale()
	for _, row := range adoptedConditionRows {
		if row.kind == CondUpToDate && v.rec.Status.Limit == nil {
			continue
		}
		old := ConditionOf(v.rec.Status.Conditions, row.kind)
		got := cannotBeSee
		got.Message = stale
		if row.blind || stale == "" {
			got = row.eval(v)
		}
		if got == unchanged {
			got = verdictOf{old.Status, old.Reason, old.Message}
		}
		c := Condition{Type: row.kind, Status: got.Status, Reason: got.Reason, Message: got.Message, Generation: v.rec.Generation, Since: old.Since}
		if c.Status != old.Status || c.Since.IsZero() {
			c.Since = v.now.UTC().Round(0)
		}
		out = append(out, c)
	}
	return out
}

func adoptedAccepted(v adoptedView) verdictOf {
	return verdictOf{Status: True, Reason: ReasonAsExpected, Message: unverified(v.rec.Status.Version)}
}

// worst finds the first thing wrong that counts, of some reasons.
func (v adoptedView) worst(reasons ...Reason) (verdictOf, bool) {
	for _, f := range v.found {
		for _, r := range reasons {
			if f.sure <= missed && f.reason == r {
				return verdictOf{Status: False, Reason: r, Message: f.message}, true
			}
		}
	}
	return verdictOf{}, false
}

// told gives the newest report that is complete; false where there is none.
func (v adoptedView) told() (newest AgentReport, ok bool) {
	for _, r := range v.fresh {
		if r.Complete() && r.At.After(newest.At) {
			newest, ok = r, true
		}
	}
	return newest, ok
}

// notKnown is a condition of which no agent tells anything.
func (v adoptedView) notKnown() verdictOf {
	switch {
	case len(v.agents) == 0:
		return notAsked
	case !v.heard && len(v.counting()) > 0:
		return verdictOf{Status: Unknown, Reason: ReasonAgentDisconnected}
	case len(v.counting()) > 0:
		return verdictOf{Status: Unknown, Reason: ReasonNoAnswer}
	}
	return unchanged
}

func adoptedAvailable(v adoptedView) verdictOf {
	r, ok := v.told()
	if !ok {
		return v.notKnown()
	}
	for _, n := range r.Description.Nodes {
		if n.Status == NodeRunning {
			return yes
		}
	}
	return verdictOf{Status: False, Reason: ReasonNothingServes}
}

func adoptedReady(v adoptedView) verdictOf {
	if bad, is := v.worst(ReasonPartitioned, ReasonNodeDown); is {
		return bad
	}
	if _, ok := v.told(); !ok {
		return v.notKnown()
	}
	if v.doubtful() {
		return unchanged
	}
	return yes
}

func adoptedReachable(v adoptedView) verdictOf {
	if bad, is := v.worst(ReasonUnsupportedVersion, ReasonEMQXAuthFailed, ReasonEMQXUnreachable); is {
		return bad
	}
	if _, ok := v.told(); ok {
		return yes
	}
	return v.notKnown()
}

func agentConnected(v adoptedView) verdictOf {
	switch bad, is := v.worst(ReasonIdentityConflict, ReasonClusterMismatch, ReasonAgentDisconnected); {
	case len(v.agents) == 0 && v.look.NoAddress:
		return verdictOf{Status: False, Reason: ReasonNoAgentAddress, Message: noAgentAddress}
	case len(v.agents) == 0:
		return verdictOf{Status: False, Reason: ReasonNotAsked, Message: "no agent has registered yet"}
	case is:
		return bad
	case v.heard:
		return yes
	}
	return unchanged
}

func adoptedSettled(v adoptedView) verdictOf {
	switch st := v.rec.Status; st.State {
	case Created, Running:
		if v.rec.Status.Operation != "" {
			return verdictOf{Status: False, Reason: ReasonInProgress}
		}
		return yes
	default:
		return verdictOf{Status: False, Reason: st.Reason}
	}
}

func adoptedHealthy(v adoptedView) verdictOf {
	switch st := v.rec.Status; st.State {
	case Running:
		return yes
	case Created:
		return notAsked
	case Abnormal:
		return verdictOf{Status: False, Reason: st.Reason, Message: st.Message}
	default:
		return verdictOf{Status: Unknown, Reason: ReasonInProgress}
	}
}

// noAgentAddress says what is missing where no address is configured that agents
// can dial.
const noAgentAddress = "no address is configured that agents can dial: set `cluster.agent` (the flag --cluster-agent) to the https URL under which their hosts reach this program"
