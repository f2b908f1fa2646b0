package sched

import (
	"math/rand/v2"
	"time"
)

// LongestRetry is how long something that fails waits at most for its next try.
const LongestRetry = 30 * time.Second

// Backoff says when something that failed is tried again. The wait doubles with every failure. The try
// comes at a random time in the second half of the wait, so that what failed together does not come back
// together. The zero value has not failed yet.
type Backoff struct {
	At   time.Time     // when the next try is due; zero means at once
	wait time.Duration // after the last failure, at the longest
	of   int64         // the revision that failed
}

// Left returns how long a revision still has to wait; 0 means not at all. Another revision than the one
// that failed does not wait.
func (b *Backoff) Left(now time.Time, revision int64) time.Duration {
	if b.of != revision {
		return 0
	}
	return max(b.At.Sub(now), 0)
}

// Fail notes that a revision failed, and returns how long it waits for its next try: first after its
// first failure, and never longer than most.
func (b *Backoff) Fail(now time.Time, revision int64, first, most time.Duration) time.Duration {
	if b.of != revision {
		b.wait = 0
	}
	b.wait = min(max(2*b.wait, first), most)
	pause := max(b.wait/2+rand.N(b.wait/2+1), time.Millisecond)
	b.At, b.of = now.Add(pause), revision
	return pause
}

// Hold lets a revision wait for as long as is known, and begins anew with what it waits after failures.
func (b *Backoff) Hold(now time.Time, revision int64, pause time.Duration) {
	*b = Backoff{At: now.Add(pause), of: revision}
}
