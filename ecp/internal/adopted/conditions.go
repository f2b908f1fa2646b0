package adopted

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

type verdict = derive.Verdict

var (
	yes       = verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected}
	unchanged = verdict{}
	notAsked  = verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked}
)

var conditionRows = []derive.ConditionRow[View]{
	{Type: ecp.CondAccepted, Blind: true, Eval: accepted},
	{Type: ecp.CondAvailable, Eval: available},
	{Type: ecp.CondReady, Eval: ready},
	{Type: ecp.CondManagementReachable, Eval: managementReachable},
	{Type: ecp.CondAgentConnected, Eval: agentConnected},
	{Type: ecp.CondUpToDate, Eval: upToDate,
		Lacks: func(v View) bool { return v.rec.Status.Limit == nil }},
	{Type: ecp.CondSettled, Eval: settled},
	{Type: ecp.CondHealthy, Eval: healthy},
}

// Conditions returns the conditions of an adopted cluster after an observation.
func Conditions(v View) []ecp.Condition {
	return derive.EvalConditions(conditionRows, v, v.now.UTC().Round(0), v.rec, v.Stale())
}

func accepted(v View) verdict {
	return verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected, Message: unverified(v.rec.Status.Version)}
}

// worst finds the first thing wrong that counts, of some reasons.
func (v View) worst(reasons ...ecp.Reason) (verdict, bool) {
	for _, f := range v.findings {
		for _, r := range reasons {
			if f.certainty <= missed && f.Reason == r {
				return verdict{Status: ecp.False, Reason: r, Message: f.Message}, true
			}
		}
	}
	return verdict{}, false
}

// newestReport returns the newest report that is complete; false where there is none.
func (v View) newestReport() (newest ecp.AgentReport, ok bool) {
	for _, r := range v.reports {
		if r.Complete() && r.At.After(newest.At) {
			newest, ok = r, true
		}
	}
	return newest, ok
}

// notKnown is a condition of which no agent tells anything.
func (v View) notKnown() verdict {
	switch {
	case len(v.agents) == 0:
		return notAsked
	case !v.heard && len(v.deciding()) > 0:
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonAgentDisconnected}
	case len(v.deciding()) > 0:
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonNoAnswer}
	}
	return unchanged
}

func available(v View) verdict {
	r, ok := v.newestReport()
	if !ok {
		return v.notKnown()
	}
	for _, n := range r.Description.Nodes {
		if n.Status == ecp.NodeRunning {
			return yes
		}
	}
	return verdict{Status: ecp.False, Reason: ecp.ReasonNothingServes}
}

func ready(v View) verdict {
	if bad, is := v.worst(ecp.ReasonPartitioned, ecp.ReasonNodeDown); is {
		return bad
	}
	if _, ok := v.newestReport(); !ok {
		return v.notKnown()
	}
	if v.doubtful() {
		return unchanged
	}
	return yes
}

func managementReachable(v View) verdict {
	if bad, is := v.worst(ecp.ReasonUnsupportedVersion, ecp.ReasonEMQXAuthFailed, ecp.ReasonEMQXUnreachable); is {
		return bad
	}
	if _, ok := v.newestReport(); ok {
		return yes
	}
	return v.notKnown()
}

func agentConnected(v View) verdict {
	switch bad, is := v.worst(ecp.ReasonIdentityConflict, ecp.ReasonClusterMismatch, ecp.ReasonAgentDisconnected); {
	case len(v.agents) == 0 && v.Snapshot.NoAddress:
		return verdict{Status: ecp.False, Reason: ecp.ReasonNoAgentAddress, Message: ecp.NoAgentAddress}
	case len(v.agents) == 0:
		return verdict{Status: ecp.False, Reason: ecp.ReasonNotAsked, Message: "no agent has registered yet"}
	case is:
		return bad
	case v.heard:
		return yes
	}
	return unchanged
}

func settled(v View) verdict {
	switch st := v.rec.Status; st.State {
	case ecp.Created, ecp.Running:
		if v.rec.Status.Operation != "" {
			return verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
		}
		return yes
	default:
		return verdict{Status: ecp.False, Reason: st.Reason}
	}
}

func healthy(v View) verdict {
	switch st := v.rec.Status; st.State {
	case ecp.Running:
		return yes
	case ecp.Created:
		return notAsked
	case ecp.Abnormal:
		return verdict{Status: ecp.False, Reason: st.Reason, Message: st.Message}
	default:
		return verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	}
}

// otherLimit reports whether the newest complete report has the broker keep to
// another limit than it did when one was set from here last, and when that report was
// received. While something is under way it is not compared.
func (v View) otherLimit() (differs bool, at time.Time) {
	l := v.rec.Status.Limit
	r, ok := v.newestReport()
	if !ok || l == nil || l.Pending || l.Set == 0 || l.InForce == 0 || r.Description.Limit == 0 || !r.At.After(l.At) {
		return false, r.At
	}
	return r.Description.Limit != l.InForce, r.At
}

// limitTaker reports whether the broker is reported to be another one than when it
// dropped a limit, so that it may take one now.
func (v View) limitTaker(d *ecp.LimitDropped) bool {
	r, ok := v.newestReport()
	if d == nil || !ok {
		return false
	}
	return r.LicenseType != d.LicenseType || r.Description.Version != d.Version || r.Description.Limit != d.Limit
}

// upToDate reports whether the broker has the limit that was set from here.
func upToDate(v View) verdict {
	l := v.rec.Status.Limit
	switch differs, _ := v.otherLimit(); {
	case l.Pending && v.rec.Status.Operation != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonInProgress, Message: "its connection limit is being set"}
	case l.Pending:
		return verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers,
			Message: "EMQX may have a limit that was sent by an operation which has failed; it is taken back as soon " +
				"as EMQX answers"}
	case differs && v.Snapshot.OtherLimit.N >= enough:
		return verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers,
			Message: fmt.Sprintf("%d connections were set from here, and EMQX keeps to another number: somebody has "+
				"changed the number or the license there; set it again, or give it back with 0", l.Set)}
	case differs:
		return unchanged
	}
	if _, ok := v.newestReport(); !ok {
		return v.notKnown()
	}
	return yes
}
