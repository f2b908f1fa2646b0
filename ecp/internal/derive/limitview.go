package derive

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

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

// adoptedUpToDate says whether the broker has the limit that was set from here. A
// cluster without one has no such condition.
func adoptedUpToDate(v AdoptedView) verdict {
	l := v.rec.Status.Limit
	switch differs, _ := v.otherLimit(); {
	case l == nil:
		return verdict{}
	case l.Pending && v.rec.Status.Operation != "":
		return verdict{Status: ecp.False, Reason: ecp.ReasonInProgress, Message: "its connection limit is being set"}
	case l.Pending:
		return verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers, Message: "EMQX may have a limit that was sent by an operation which has failed; it is taken back as soon as EMQX answers"}
	case differs && v.Snapshot.OtherLimit.N >= enough:
		return verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers, Message: fmt.Sprintf("%d connections were set from here, and EMQX keeps to another number: somebody has changed the number or the license there; set it again, or give it back with 0", l.Set)}
	case differs:
		return unchanged
	}
	if _, ok := v.newestReport(); !ok {
		return v.notKnown()
	}
	return yes
}
