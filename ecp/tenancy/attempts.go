package tenancy

import (
	"cmp"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp/change"
)

// attempts slow down who guesses passwords, for names that are users and for
// those that are not alike. Three counts are kept, in memory, since they are about
// the next minutes:
//
//   - of a name and an origin: it makes whoever guesses wait ever longer;
//   - of a name, from all origins that are not known for it: many origins guess no
//     faster than a few;
//   - of an origin, over all names that are not known from there.
//
// From an origin that is known for a name only the first one counts: what others do
// elsewhere locks nobody out.
//
// Of several programs on one Store each counts for itself, and grants its part of what one
// alone would: guessing at all of them is no faster, but for some eight more guesses for
// each further program until the waits are at their longest.
type attempts struct {
	// programs is how many share the Store now; nil = this one is alone.
	programs func() int

	mu      sync.Mutex
	own     map[guesser]*attempt  // guarded by mu
	names   map[string]*allowance // guarded by mu
	origins map[string]*allowance // guarded by mu
}

// guesser is who tries to log in: under which name, from where, see [originGroup].
type guesser struct{ name, origin string }

type attempt struct {
	failed int
	last   time.Time
}

// Patience with wrong passwords.
const (
	attemptsFree    = 5               // without a wait
	attemptsLongest = 5 * time.Minute // the wait between later ones doubles up to this
	attemptsWatched = 10_000          // of each count
	attemptsForgot  = 15 * time.Minute
)

var (
	guessesOfName   = change.Rate{Burst: 50, Every: 30 * time.Second} // from origins that are not known
	guessesOfOrigin = change.Rate{Burst: 100, Every: 6 * time.Second} // of names that are not known there
)

// allowance is how much of a rate was used.
type allowance struct {
	used int
	at   time.Time // when used was last brought up to date
}

// wait brings the allowance up to date and returns how long it takes until there
// is room; 0 = there is some.
func (a *allowance) wait(r change.Rate, now time.Time) time.Duration {
	if n := int(now.Sub(a.at) / r.Every); n >= a.used {
		a.used, a.at = 0, now
	} else if n > 0 {
		a.used -= n
		a.at = a.at.Add(time.Duration(n) * r.Every)
	}
	if a.used < r.Burst {
		return 0
	}
	return max(a.at.Add(r.Every).Sub(now), 1)
}

// begin counts an attempt before its outcome is known, so that guesses made at
// once count, too. It returns how long to wait where it is too early.
func (t *attempts) begin(g guesser, known bool, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.among()
	own, shared := t.ownLocked(g, now), t.sharedLocked(g, known, now)
	wait = own.wait(n, now)
	for _, s := range shared {
		wait = max(wait, s.wait(s.rate, now))
	}
	if wait > 0 {
		return wait
	}
	own.failed++
	own.last = now
	for _, s := range shared {
		s.used++
	}
	return 0
}

// among returns how many programs share what may be tried; at least one.
func (t *attempts) among() int {
	if t.programs == nil {
		return 1
	}
	return max(t.programs(), 1)
}

// part returns the part of a rate that is that of one of n programs.
func part(r change.Rate, n int) change.Rate {
	return change.Rate{Burst: max(r.Burst/n, 1), Every: r.Every * time.Duration(n)}
}

// wait returns how long the next attempt has to wait at one of n programs.
func (a *attempt) wait(n int, now time.Time) time.Duration {
	over := a.failed - max(attemptsFree/n, 1)
	if over < 0 {
		return 0
	}
	pause := min(time.Second<<min(over, 20), attemptsLongest) * time.Duration(n)
	return max(a.last.Add(pause).Sub(now), 0)
}

func (t *attempts) ownLocked(g guesser, now time.Time) *attempt {
	if t.own == nil {
		t.own, t.names, t.origins = map[guesser]*attempt{}, map[string]*allowance{}, map[string]*allowance{}
	}
	forgot := attemptsForgot * time.Duration(t.among())
	a := t.own[g]
	if a == nil || now.Sub(a.last) > forgot {
		makeRoom(t.own, func(a *attempt) bool { return now.Sub(a.last) > forgot },
			func(a, b *attempt) int { return cmp.Or(a.failed-b.failed, a.last.Compare(b.last)) })
		a = &attempt{last: now}
		t.own[g] = a
	}
	return a
}

type sharedAllowance struct {
	*allowance
	rate change.Rate
}

// sharedLocked returns the counts that a guesser shares with others.
func (t *attempts) sharedLocked(g guesser, known bool, now time.Time) []sharedAllowance {
	if known {
		return nil
	}
	ofName, ofOrigin := part(guessesOfName, t.among()), part(guessesOfOrigin, t.among())
	out := []sharedAllowance{{allowanceOf(t.names, g.name, ofName, now), ofName}}
	if g.origin != "" { // an embedder that names no origins means no one place
		out = append(out, sharedAllowance{allowanceOf(t.origins, g.origin, ofOrigin, now), ofOrigin})
	}
	return out
}

func allowanceOf(all map[string]*allowance, key string, r change.Rate, now time.Time) *allowance {
	a := all[key]
	if a == nil {
		makeRoom(all, func(a *allowance) bool { return now.Sub(a.at) >= time.Duration(a.used)*r.Every },
			func(a, b *allowance) int { return cmp.Or(a.used-b.used, a.at.Compare(b.at)) })
		a = &allowance{at: now}
		all[key] = a
	}
	return a
}

// makeRoom keeps a table of counts small: it removes those that are over and, where
// none is, the one that is missed least. Counts that were driven up are missed
// most, so nobody gets rid of theirs by making up names.
func makeRoom[K comparable, V any](all map[K]V, over func(V) bool, compare func(a, b V) int) {
	if len(all) < attemptsWatched {
		return
	}
	var least K
	var found *V
	for key, v := range all {
		if over(v) {
			delete(all, key)
		} else if found == nil || compare(v, *found) < 0 {
			least, found = key, &v
		}
	}
	if len(all) >= attemptsWatched && found != nil {
		delete(all, least)
	}
}

// succeeded forgets the failures of one who knew the password, and takes the
// attempt back from the counts that are shared.
func (t *attempts) succeeded(g guesser, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.own, g)
	if known {
		return
	}
	for _, a := range []*allowance{t.names[g.name], t.origins[g.origin]} {
		if a != nil && a.used > 0 {
			a.used--
		}
	}
}

// forgive forgets all failures under a name.
func (t *attempts) forgive(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for g := range t.own {
		if g.name == name {
			delete(t.own, g)
		}
	}
	delete(t.names, name)
}
