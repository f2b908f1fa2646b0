package adopt

import "time"

// An agent reports every few seconds, and at once when something happens. Its reports are
// read no faster than this, so that one agent cannot keep the Manager or the store busy.
// Further reports stay with the agent.
const (
	reportEvery = 200 * time.Millisecond // one report in the long run
	reportBurst = 20                     // reports at once, before that
)

// reportRate limits how fast the reports of one connection are read.
type reportRate struct {
	next time.Time // when all that were taken would have come at the rate that is allowed
}

// after counts one report and returns how long the next one has to wait.
func (p *reportRate) after(now time.Time) time.Duration {
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(reportEvery)
	return max(p.next.Sub(now)-reportBurst*reportEvery, 0)
}
