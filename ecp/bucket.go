package ecp

import (
	"sync"
	"time"
)

// Bounds of what is written of refusals.
const (
	refusalsAtOnce  = 10              // of one actor
	refusalEvery    = 6 * time.Second // gives one more
	refusalsWatched = 1000            // actors; later ones share
)

// buckets bound how often something is done for each of many names.
type buckets struct {
	mu    sync.Mutex
	names map[string]*bucket // guarded by mu
}

// bucket holds what one name may still do, and how often it could not.
type bucket struct {
	left    int
	filled  time.Time // when left was last brought up to date
	refused int
}

// take says whether a name may act now, and how often it could not before.
func (b *buckets) take(name string, now time.Time) (missed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucketLocked(name, now)
	if n := int(now.Sub(k.filled) / refusalEvery); n > 0 {
		k.left, k.filled = min(k.left+n, refusalsAtOnce), now
	}
	if k.left == 0 {
		k.refused++
		return 0, false
	}
	k.left--
	missed, k.refused = k.refused, 0
	return missed, true
}

func (b *buckets) bucketLocked(name string, now time.Time) *bucket {
	if b.names == nil {
		b.names = map[string]*bucket{}
	}
	if k := b.names[name]; k != nil {
		return k
	}
	if len(b.names) >= refusalsWatched {
		for other, k := range b.names { // those that have been quiet are not missed
			if k.refused == 0 && now.Sub(k.filled) > refusalsAtOnce*refusalEvery {
				delete(b.names, other)
			}
		}
	}
	if len(b.names) >= refusalsWatched {
		name = ""
		if k := b.names[name]; k != nil {
			return k
		}
	}
	k := &bucket{left: refusalsAtOnce, filled: now}
	b.names[name] = k
	return k
}
