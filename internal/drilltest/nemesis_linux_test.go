package drilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/openecp/openecp/internal/pgtest"
)

// place is where one daemon after the other runs.
type place interface {
	label() string
	link() *wire
	skew(by time.Duration) // of its wall clock
	start() error
	kill()
	end()
	suspend()
	wake()
}

// nemesis breaks things at random, and mends them after a while.
type nemesis struct {
	*world
	places []place
	faults []string // of faultsOf, as often as they are wanted
	server *pgtest.Server
	dice   *rand.Rand
	done   map[string]int // how often each
	lines  []string
	began  time.Time
}

// faultsOf are what a nemesis does to one place: break it, and what mends it. Each is done
// to one that is whole.
func faultsOf() map[string]func(place) (mend func()) {
	restart := func(s place) func() {
		return func() {
			for s.start() != nil { // the database may be away
				<-time.After(200 * time.Millisecond)
			}
		}
	}
	broken := func(is way) func(place) func() {
		return func(s place) func() {
			s.link().set(is)
			return func() { s.link().set(open) }
		}
	}
	clock := func(by time.Duration) func(place) func() {
		return func(s place) func() {
			s.skew(by)
			return func() { s.skew(0) }
		}
	}
	return map[string]func(place) func(){
		"killed":        func(s place) func() { s.kill(); return restart(s) },
		"ended":         func(s place) func() { s.end(); return restart(s) },
		"suspended":     func(s place) func() { s.suspend(); return s.wake },
		"cut off":       broken(cut),
		"lost":          broken(lost),
		"muffled":       broken(muffled),
		"an hour ahead": clock(time.Hour),
		"an hour late":  clock(-time.Hour),
		"killed while suspended": func(s place) func() {
			s.suspend()
			return func() { s.kill(); restart(s)() }
		},
	}
}

// inOneProcess are the faults of daemons that are no processes.
var inOneProcess = []string{"killed", "ended", "suspended", "suspended", "cut off", "lost", "muffled", "an hour ahead",
	"an hour late", "killed while suspended", "killed"}

// rage breaks things until ctx ends, and mends all of it.
func (n *nemesis) rage(ctx context.Context) {
	n.began, n.done = time.Now(), map[string]int{}
	faults := faultsOf()
	var mending sync.WaitGroup
	whole := make(chan place, len(n.places))
	for _, s := range n.places {
		whole <- s
	}
	for ctx.Err() == nil {
		if n.server != nil && n.dice.IntN(12) == 0 {
			n.tell("PostgreSQL ended")
			n.server.End()
			n.server.Run(n.t)
			n.tell("PostgreSQL runs")
		}
		name, lasts := n.faults[n.dice.IntN(len(n.faults))], time.Duration(1+n.dice.IntN(8))*time.Second
		if n.dice.IntN(4) == 0 { // longer than claims hold
			lasts += 12 * time.Second
		}
		if len(whole) == 1 && n.dice.IntN(8) > 0 { // mostly one is left
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case s := <-whole:
			n.tell("%s %s for %v", s.label(), name, lasts)
			mend := faults[name](s)
			mending.Go(func() {
				select {
				case <-time.After(lasts):
				case <-ctx.Done():
				}
				mend()
				whole <- s
			})
		case <-ctx.Done():
		}
		select {
		case <-time.After(time.Duration(200+n.dice.IntN(2000)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	mending.Wait()
}

func (n *nemesis) tell(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	n.lines = append(n.lines, fmt.Sprintf("%6.1f s %s", time.Since(n.began).Seconds(), what))
	n.done[what]++
}
