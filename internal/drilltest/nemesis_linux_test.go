package drilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/openecp/openecp/internal/pgtest"
)

// nemesis breaks things at random, and mends them after a while.
type nemesis struct {
	*world
	server *pgtest.Server
	dice   *rand.Rand
	done   map[string]int // how often each
	lines  []string
	began  time.Time
}

// faults are what a nemesis does to one seat: break it, and what mends it. Each is done
// to a seat that is whole.
func (n *nemesis) faults() map[string]func(*seat) (mend func()) {
	restart := func(s *seat) func() {
		return func() {
			for s.start() != nil { // the database may be away
				<-time.After(200 * time.Millisecond)
			}
		}
	}
	broken := func(is way) func(*seat) func() {
		return func(s *seat) func() {
			s.wire.set(is)
			return func() { s.wire.set(open) }
		}
	}
	clock := func(by time.Duration) func(*seat) func() {
		return func(s *seat) func() {
			s.clock.Store(int64(by))
			return func() { s.clock.Store(0) }
		}
	}
	return map[string]func(*seat) func(){
		"killed":        func(s *seat) func() { s.kill(); return restart(s) },
		"ended":         func(s *seat) func() { s.end(); return restart(s) },
		"suspended":     func(s *seat) func() { s.suspend(); return s.wake },
		"cut off":       broken(cut),
		"lost":          broken(lost),
		"muffled":       broken(muffled),
		"an hour ahead": clock(time.Hour),
		"an hour late":  clock(-time.Hour),
		"killed while suspended": func(s *seat) func() {
			s.suspend()
			return func() { s.kill(); restart(s)() }
		},
	}
}

// order of the names, so that the dice decide alone.
var faultNames = []string{"killed", "ended", "suspended", "suspended", "cut off", "lost", "muffled", "an hour ahead",
	"an hour late", "killed while suspended", "killed"}

// rage breaks things until ctx ends, and mends all of it.
func (n *nemesis) rage(ctx context.Context) {
	n.began, n.done = time.Now(), map[string]int{}
	faults := n.faults()
	var mending sync.WaitGroup
	whole := make(chan *seat, len(n.seats))
	for _, s := range n.seats {
		whole <- s
	}
	for ctx.Err() == nil {
		if n.server != nil && n.dice.IntN(12) == 0 {
			n.tell("PostgreSQL ended")
			n.server.End()
			n.server.Run(n.t)
			n.tell("PostgreSQL runs")
		}
		name, lasts := faultNames[n.dice.IntN(len(faultNames))], time.Duration(1+n.dice.IntN(8))*time.Second
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
			n.tell("%s %s for %v", s.name, name, lasts)
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
