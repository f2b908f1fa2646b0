package processtest

import (
	"testing"
	"time"
)

// patience is the shortest time-out: with the race detector on a loaded machine, what takes
// a second may take twenty.
const patience = time.Minute

const askAgainAfter = 20 * time.Millisecond

// Eventually asks again and again until done. If that takes longer than the timeout, and
// than a minute, the test fails with what was seen last.
func Eventually[S any](t testing.TB, timeout time.Duration, ask func() (done bool, seen S)) {
	t.Helper()
	timeout = max(timeout, patience)
	tick := time.NewTicker(askAgainAfter)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); ; <-tick.C {
		done, seen := ask()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not after %v: %v", timeout, seen)
		}
	}
}
