package adopt

import "time"

// An agent reports every few seconds, and at once when something happens. Faster
// than this its reports are not read, so that one agent can keep neither the Manager
// nor the store busy: what it sends meanwhile waits with it, as its connection's
// windows are full.
const (
	reportEvery = 200 * time.Millisecond // one report in the long run
	reportBurst = 20                     // reports at once, before that
)

// pace is how fast the reports of one connection are taken.
type pace struct {
	next time.Time // when all that were taken would have come at the rate that is allowed
}

// after counts one report and returns how long the next one has to wait.
func (p *pace) after(now time.Time) time.Duration {
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(reportEvery)
	return max(p.next.Sub(now)-reportBurst*reportEvery, 0)
}
