package change

import (
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

const (
	refusalKeys = 1000 // that are counted each; later ones share
	refusalSums = 100  // that are written at a time
)

// Rate limits how often something is done: Burst times at once, and once more after
// every period. The zero value means no limit.
type Rate struct {
	Burst int
	Every time.Duration
}

// Refusals limits how many refusals are written to the audit, or logged, for each of
// many keys. Those over the limit are counted, and end up in a sum. All methods may be
// called at once.
type Refusals[K comparable] struct {
	each, all Rate
	spare     func(K) K

	mu    sync.Mutex
	keys  map[K]*bucket // guarded by mu
	total bucket        // guarded by mu
}

// NewRefusals returns Refusals with a rate for each key and one for all keys together.
// There are 1,000 keys at most. spare returns the key that takes the refusals of one
// for which there is no room.
func NewRefusals[K comparable](each, all Rate, spare func(K) K) *Refusals[K] {
	return &Refusals[K]{each: each, all: all, spare: spare, keys: map[K]*bucket{}}
}

// bucket is what one key may still write, and what it could not.
type bucket struct {
	left   int
	filled time.Time // when left was last brought up to date
	missed int
	last   AuditEntry // of those missed
}

// fill brings left up to date.
func (k *bucket) fill(r Rate, now time.Time) {
	if k.filled.IsZero() {
		k.left, k.filled = r.Burst, now
	} else if n := int(now.Sub(k.filled) / max(r.Every, 1)); n > 0 {
		k.left, k.filled = min(k.left+n, r.Burst), now
	}
}

// Take reports whether an entry may be written now, and how many of its key came
// before it and were not. An entry that may not is counted.
func (b *Refusals[K]) Take(key K, e AuditEntry, now time.Time) (missed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucketLocked(key, now)
	k.fill(b.each, now)
	b.total.fill(b.all, now)
	if k.left == 0 || b.all != (Rate{}) && b.total.left == 0 {
		k.missed++
		k.last = e
		return 0, false
	}
	k.left--
	b.total.left--
	missed, k.missed, k.last = k.missed, 0, AuditEntry{}
	return missed, true
}

func (b *Refusals[K]) bucketLocked(key K, now time.Time) *bucket {
	if k := b.keys[key]; k != nil {
		return k
	}
	if len(b.keys) >= refusalKeys {
		for other, k := range b.keys { // those that have been quiet are not missed
			if k.missed == 0 && now.Sub(k.filled) > time.Duration(b.each.Burst)*b.each.Every {
				delete(b.keys, other)
			}
		}
	}
	if len(b.keys) >= refusalKeys {
		key = b.spare(key)
		if k := b.keys[key]; k != nil {
			return k
		}
	}
	k := &bucket{}
	b.keys[key] = k
	return k
}

// Sums returns what was counted since the last call: the last entry of each key, whose
// Unwritten is the number of those before it. There are 100 sums at most, the largest
// first, and after them one for each actor of all others. A sum of several keys has no
// origin.
func (b *Refusals[K]) Sums() []AuditEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []AuditEntry
	for _, k := range b.keys {
		if k.missed > 0 {
			e := k.last
			e.Unwritten = k.missed - 1
			out = append(out, e)
			k.missed, k.last = 0, AuditEntry{}
		}
	}
	slices.SortFunc(out, func(x, y AuditEntry) int { return y.Unwritten - x.Unwritten })
	if len(out) <= refusalSums {
		return out
	}
	at := map[string]int{} // of an actor's sum
	sums := slices.Clone(out[:refusalSums])
	for _, e := range out[refusalSums:] {
		if i, ok := at[e.Actor]; ok {
			sums[i].Unwritten += e.Unwritten + 1
			sums[i].Origin = ecp.Origin{}
			continue
		}
		at[e.Actor] = len(sums)
		sums = append(sums, e)
	}
	return sums
}
