package derive

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

var adoptedConditionRows = []ConditionRow[AdoptedView]{
	{Type: ecp.CondAccepted, Blind: true, Eval: adoptedAccepted},
	{Type: ecp.CondAvailable, Eval: adoptedAvailable},
	{Type: ecp.CondReady, Eval: adoptedReady},
	{Type: ecp.CondManagementReachable, Eval: adoptedReachable},
	{Type: ecp.CondAgentConnected, Eval: agentConnected},
	{Type: ecp.CondUpToDate, Eval: adoptedUpToDate,
		Lacks: func(v AdoptedView) bool { return v.rec.Status.Limit == nil }},
	{Type: ecp.CondSettled, Eval: adoptedSettled},
	{Type: ecp.CondHealthy, Eval: adoptedHealthy},
}

// AdoptedConditions returns the conditions of an adopted cluster after an observation.
func AdoptedConditions(v AdoptedView) []ecp.Condition {
	return EvalConditions(adoptedConditionRows, v, v.now.UTC().Round(0), v.rec, v.Stale())
}

func adoptedAccepted(v AdoptedView) Verdict {
	return Verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected, Message: unverified(v.rec.Status.Version)}
}

// worst finds the first thing wrong that counts, of some reasons.
func (v AdoptedView) worst(reasons ...ecp.Reason) (Verdict, bool) {
	for _, f := range v.findings {
		for _, r := range reasons {
			if f.certainty <= missed && f.Reason == r {
				return Verdict{Status: ecp.False, Reason: r, Message: f.Message}, true
			}
		}
	}
	return Verdict{}, false
}

// newestReport returns the newest report that is complete; false where there is none.
func (v AdoptedView) newestReport() (newest ecp.AgentReport, ok bool) {
	for _, r := range v.reports {
		if r.Complete() && r.At.After(newest.At) {
			newest, ok = r, true
		}
	}
	return newest, ok
}

// notKnown is a condition of which no agent tells anything.
func (v AdoptedView) notKnown() Verdict {
	switch {
	case len(v.agents) == 0:
		return notAsked
	case !v.heard && len(v.deciding()) > 0:
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonAgentDisconnected}
	case len(v.deciding()) > 0:
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonNoAnswer}
	}
	return unchanged
}

func adoptedAvailable(v AdoptedView) Verdict {
	r, ok := v.newestReport()
	if !ok {
		return v.notKnown()
	}
	for _, n := range r.Description.Nodes {
		if n.Status == ecp.NodeRunning {
			return yes
		}
	}
	return Verdict{Status: ecp.False, Reason: ecp.ReasonNothingServes}
}

func adoptedReady(v AdoptedView) Verdict {
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

func adoptedReachable(v AdoptedView) Verdict {
	if bad, is := v.worst(ecp.ReasonUnsupportedVersion, ecp.ReasonEMQXAuthFailed, ecp.ReasonEMQXUnreachable); is {
		return bad
	}
	if _, ok := v.newestReport(); ok {
		return yes
	}
	return v.notKnown()
}

func agentConnected(v AdoptedView) Verdict {
	switch bad, is := v.worst(ecp.ReasonIdentityConflict, ecp.ReasonClusterMismatch, ecp.ReasonAgentDisconnected); {
	case len(v.agents) == 0 && v.Snapshot.NoAddress:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonNoAgentAddress, Message: ecp.NoAgentAddress}
	case len(v.agents) == 0:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonNotAsked, Message: "no agent has registered yet"}
	case is:
		return bad
	case v.heard:
		return yes
	}
	return unchanged
}

func adoptedSettled(v AdoptedView) Verdict {
	switch st := v.rec.Status; st.State {
	case ecp.Created, ecp.Running:
		if v.rec.Status.Operation != "" {
			return Verdict{Status: ecp.False, Reason: ecp.ReasonInProgress}
		}
		return yes
	default:
		return Verdict{Status: ecp.False, Reason: st.Reason}
	}
}

func adoptedHealthy(v AdoptedView) Verdict {
	switch st := v.rec.Status; st.State {
	case ecp.Running:
		return yes
	case ecp.Created:
		return notAsked
	case ecp.Abnormal:
		return Verdict{Status: ecp.False, Reason: st.Reason, Message: st.Message}
	default:
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	}
}

// otherLimit reports whether the newest complete report has the broker keep to
// another limit than it did when one was set from here last, and when that report was
// received. While something is under way it is not compared.
func (v AdoptedView) otherLimit() (differs bool, at time.Time) {
	l := v.rec.Status.Limit
	r, ok := v.newestReport()
	if !ok || l == nil || l.Pending || l.Set == 0 || l.InForce == 0 || r.Description.Limit == 0 || !r.At.After(l.At) {
		return false, r.At
	}
	return r.Description.Limit != l.InForce, r.At
}

// limitTaker reports whether the broker is reported to be another one than when it
// dropped a limit, so that it may take one now.
func (v AdoptedView) limitTaker(d *ecp.LimitDropped) bool {
	r, ok := v.newestReport()
	if d == nil || !ok {
		return false
	}
	return r.LicenseType != d.LicenseType || r.Description.Version != d.Version || r.Description.Limit != d.Limit
}

// adoptedUpToDate reports whether the broker has the limit that was set from here.
func adoptedUpToDate(v AdoptedView) Verdict {
	l := v.rec.Status.Limit
	switch differs, _ := v.otherLimit(); {
	case l.Pending && v.rec.Status.Operation != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonInProgress, Message: "its connection limit is being set"}
	case l.Pending:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers,
			Message: "EMQX may have a limit that was sent by an operation which has failed; it is taken back as soon " +
				"as EMQX answers"}
	case differs && v.Snapshot.OtherLimit.N >= enough:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers,
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
