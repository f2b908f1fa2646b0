package change

import (
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Rate is how often something may be done: so many times at once, and once more
// after each period. The zero value stands for no limit.
type Rate struct {
	Burst int
	Every time.Duration
}

// Buckets limit how often something is written for each of many keys. What is
// over the limit is counted, and the counts can be taken with [buckets.overdue],
// so that in the end everything is told of, one by one or in sum.
type Buckets[K comparable] struct {
	Each    Rate
	All     Rate          // of all keys together
	Watched int           // keys; later ones share
	Spare   func(K) K     // the key that one shares for which there is no room
	mu      sync.Mutex    //
	Keys    map[K]*bucket // guarded by mu
	total   bucket        // guarded by mu
}

// bucket holds what one key may still do, and what it could not.
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
// before it and were not.
func (b *Buckets[K]) Take(key K, e AuditEntry, now time.Time) (missed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucketLocked(key, now)
	k.fill(b.Each, now)
	b.total.fill(b.All, now)
	if k.left == 0 || b.All != (Rate{}) && b.total.left == 0 {
		k.missed++
		k.last = e
		return 0, false
	}
	k.left--
	b.total.left--
	missed, k.missed, k.last = k.missed, 0, AuditEntry{}
	return missed, true
}

func (b *Buckets[K]) bucketLocked(key K, now time.Time) *bucket {
	if b.Keys == nil {
		b.Keys = map[K]*bucket{}
	}
	if k := b.Keys[key]; k != nil {
		return k
	}
	if len(b.Keys) >= b.Watched {
		for other, k := range b.Keys { // those that have been quiet are not missed
			if k.missed == 0 && now.Sub(k.filled) > time.Duration(b.Each.Burst)*b.Each.Every {
				delete(b.Keys, other)
			}
		}
	}
	if len(b.Keys) >= b.Watched {
		key = b.Spare(key)
		if k := b.Keys[key]; k != nil {
			return k
		}
	}
	k := &bucket{}
	b.Keys[key] = k
	return k
}

// Overdue takes what was missed: so many sums at most, the largest first, and of
// what is left one for each actor, so that nobody is missed for the many. Each is
// the last entry of its key, which stands for those that came before it, too; one
// that stands for several keys names no origin.
func (b *Buckets[K]) Overdue(most int) []AuditEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []AuditEntry
	for _, k := range b.Keys {
		if k.missed > 0 {
			e := k.last
			e.Unwritten = k.missed - 1
			out = append(out, e)
			k.missed, k.last = 0, AuditEntry{}
		}
	}
	slices.SortFunc(out, func(x, y AuditEntry) int { return y.Unwritten - x.Unwritten })
	if len(out) <= most {
		return out
	}
	at := map[string]int{} // of an actor's sum
	sums := slices.Clone(out[:most])
	for _, e := range out[most:] {
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
