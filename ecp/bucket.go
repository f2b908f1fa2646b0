package ecp

import (
	"slices"
	"sync"
	"time"
)

// rate is how often something may be done: so many times at once, and once more
// after each period. The zero value stands for no limit.
type rate struct {
	burst int
	every time.Duration
}

// buckets limit how often something is written for each of many keys. What is
// over the limit is counted, and the counts can be taken with [buckets.overdue],
// so that in the end everything is told of, one by one or in sum.
type buckets[K comparable] struct {
	each    rate
	all     rate          // of all keys together
	watched int           // keys; later ones share
	spare   func(K) K     // the key that one shares for which there is no room
	mu      sync.Mutex    //
	keys    map[K]*bucket // guarded by mu
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
func (k *bucket) fill(r rate, now time.Time) {
	if k.filled.IsZero() {
		k.left, k.filled = r.burst, now
	} else if n := int(now.Sub(k.filled) / max(r.every, 1)); n > 0 {
		k.left, k.filled = min(k.left+n, r.burst), now
	}
}

// take reports whether an entry may be written now, and how many of its key came
// before it and were not.
func (b *buckets[K]) take(key K, e AuditEntry, now time.Time) (missed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucketLocked(key, now)
	k.fill(b.each, now)
	b.total.fill(b.all, now)
	if k.left == 0 || b.all != (rate{}) && b.total.left == 0 {
		k.missed++
		k.last = e
		return 0, false
	}
	k.left--
	b.total.left--
	missed, k.missed, k.last = k.missed, 0, AuditEntry{}
	return missed, true
}

func (b *buckets[K]) bucketLocked(key K, now time.Time) *bucket {
	if b.keys == nil {
		b.keys = map[K]*bucket{}
	}
	if k := b.keys[key]; k != nil {
		return k
	}
	if len(b.keys) >= b.watched {
		for other, k := range b.keys { // those that have been quiet are not missed
			if k.missed == 0 && now.Sub(k.filled) > time.Duration(b.each.burst)*b.each.every {
				delete(b.keys, other)
			}
		}
	}
	if len(b.keys) >= b.watched {
		key = b.spare(key)
		if k := b.keys[key]; k != nil {
			return k
		}
	}
	k := &bucket{}
	b.keys[key] = k
	return k
}

// overdue takes what was missed: so many sums at most, the largest first, and of
// what is left one for each actor, so that nobody is missed for the many. Each is
// the last entry of its key, which stands for those that came before it, too; one
// that stands for several keys names no origin.
func (b *buckets[K]) overdue(most int) []AuditEntry {
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
	if len(out) <= most {
		return out
	}
	at := map[string]int{} // of an actor's sum
	sums := slices.Clone(out[:most])
	for _, e := range out[most:] {
		if i, ok := at[e.Actor]; ok {
			sums[i].Unwritten += e.Unwritten + 1
			sums[i].Origin = Origin{}
			continue
		}
		at[e.Actor] = len(sums)
		sums = append(sums, e)
	}
	return sums
}
