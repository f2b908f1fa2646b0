package derive

import (
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// addressPatience is how long a load balancer may go without an address before
// that needs attention: clouds take a minute or three to make one.
const addressPatience = 5 * time.Minute

// exposed says whether clients have the address that they are to have.
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

// RefreshMessages returns stored conditions in the words of the last look, where that
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
