package agentproto

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// pauses draws the times between attempts to connect: full jitter that grows
// with each attempt, above a shortest pause, so that a fleet whose server comes
// back spreads by itself.
type pauses struct {
	shortest time.Duration
	growing  *backoff.ExponentialBackOff
}

func newPauses(t AgentTimings) *pauses {
	b := backoff.NewExponentialBackOff()
	b.RandomizationFactor = 1 // from zero to twice the interval
	b.Multiplier = 2
	b.InitialInterval = t.BackoffMin
	b.MaxInterval = max((t.BackoffMax-t.BackoffMin)/2, 1)
	b.MaxElapsedTime = 0 // for ever
	b.Reset()
	return &pauses{shortest: t.BackoffMin, growing: b}
}

// reset begins with short pauses again.
func (p *pauses) reset() { p.growing.Reset() }

// quick are the refusals that pass by themselves. The others need a person;
// the agent asks rarely.
var quick = []RefusalCode{RefusedBusy, RefusedGoingAway}

// next returns how long to wait after an attempt. The server's wish is the
// least; above it, agents spread over as long again.
func (p *pauses) next(r *Refusal, longest time.Duration) time.Duration {
	pause := p.shortest + p.growing.NextBackOff()
	if r == nil {
		return min(pause, longest)
	}
	least := r.RetryAfter
	if !slices.Contains(quick, r.Code) {
		least = max(least, longest/2)
	}
	return least + pause + jitter(min(least, time.Minute))
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
