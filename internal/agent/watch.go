package agent

import (
	"context"
	"time"

	"github.com/openecp/openecp/internal/agent/home"
)

// checkEvery is how often files are checked: a registration is noticed within a second.
const checkEvery = 500 * time.Millisecond

// wakeup wakes a goroutine. Several wakeups before that count as one.
type wakeup chan struct{}

func newWakeup() wakeup { return make(wakeup, 1) }

func (s wakeup) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// watched is a file with a function to call when it changes.
type watched struct {
	path string
	wake func()
	last home.Stamp
}

// watch checks the files until ctx ends. A reload calls all functions.
func (a *Agent) watch(ctx context.Context) {
	files := []*watched{
		{path: a.home.Settings(), wake: a.loadSettings},
		{path: a.home.Identity(), wake: a.identityChanged.send},
		{path: a.home.Broker(), wake: a.brokerChanged.send},
	}
	for _, f := range files {
		f.last, _ = home.StampOf(f.path) // its reader reports what is wrong
	}
	tick := time.NewTicker(checkEvery)
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
