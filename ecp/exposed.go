package ecp

import (
	"slices"
	"time"
)

// addressPatience is how long a load balancer may go without an address before
// that needs attention: clouds take a minute or three to make one.
const addressPatience = 5 * time.Minute

// exposed says whether clients have the address that they are to have.
func exposed(v view, _ int) verdictOf {
	switch {
	case v.look.Found.AddressPending != "":
		return verdictOf{Status: False, Reason: ReasonAddressPending, Message: v.look.Found.AddressPending}
	case v.look.Found.Exists:
		return yes
	}
	return verdictOf{Status: False, Reason: ReasonInProgress}
}

// unexposedFor is how long the address has been missing; 0 where it is not.
func (v view) unexposedFor() time.Duration {
	was := ConditionOf(v.rec.Status.Conditions, CondExposed)
	if v.look.Found.AddressPending == "" || was.Status != False || was.Reason != ReasonAddressPending {
		return 0
	}
	return v.now.Sub(was.Since)
}

// reworded returns stored conditions in the words of the last look, where that
// says the same: a new wording alone is not stored.
func reworded(rec ClusterRecord, look Look) []Condition {
	out := slices.Clone(rec.Status.Conditions)
	for i, now := range conditions(look.At, newView(look.At, rec, look), rec.Status.RenderVersion) {
		if i < len(out) && out[i].Type == now.Type && out[i].Status == now.Status && out[i].Reason == now.Reason {
			out[i].Message = now.Message
		}
	}
	return out
}
