package agent

import (
	"context"
	"time"

	"github.com/openecp/openecp/internal/agent/home"
)

// lookEvery is how often files are looked at: a registration is taken within a second.
const lookEvery = 500 * time.Millisecond

// wakeup wakes somebody who waits: many at once are one.
type wakeup chan struct{}

func newWakeup() wakeup { return make(wakeup, 1) }

func (s wakeup) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// watched is a file whose change wakes somebody.
type watched struct {
	path string
	wake func()
	last home.Stamp
}

// watch looks at the files until ctx ends. A reload wakes all, changed or not.
func (a *Agent) watch(ctx context.Context) {
	files := []*watched{
		{path: a.home.Settings(), wake: a.loadSettings},
		{path: a.home.Identity(), wake: a.identityChanged.send},
		{path: a.home.Broker(), wake: a.brokerChanged.send},
	}
	for _, f := range files {
		f.last, _ = home.StampOf(f.path) // whoever reads it tells what is wrong
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-a.reload:
			forced = true
		case <-tick.C:
		}
		for _, f := range files {
			stamp, err := home.StampOf(f.path)
			if err == nil && stamp != f.last || forced {
				f.last = stamp
				f.wake()
			}
		}
	}
}
