package adopt

import (
	"container/heap"
	"time"
)

// deadlines orders keys by the moments at which each has to be looked at again.
// One timer serves all of them. It is not safe for use by several goroutines.
type deadlines[K comparable] struct {
	queue deadlineQueue[K]
	of    map[K]*deadline[K]
}

type deadline[K comparable] struct {
	key   K
	at    time.Time
	index int
}

func newDeadlines[K comparable]() *deadlines[K] { return &deadlines[K]{of: map[K]*deadline[K]{}} }

// set moves the deadline of a key; a zero time removes it.
func (d *deadlines[K]) set(key K, at time.Time) {
	have := d.of[key]
	switch {
	case at.IsZero():
		if have != nil {
			heap.Remove(&d.queue, have.index)
			delete(d.of, key)
		}
	case have == nil:
		have = &deadline[K]{key: key, at: at}
		d.of[key] = have
		heap.Push(&d.queue, have)
	default:
		have.at = at
		heap.Fix(&d.queue, have.index)
	}
}

// next returns the earliest deadline; zero where there is none.
func (d *deadlines[K]) next() time.Time {
	if len(d.queue) == 0 {
		return time.Time{}
	}
	return d.queue[0].at
}

// passed removes and returns the keys whose deadline is not after now.
func (d *deadlines[K]) passed(now time.Time) (out []K) {
	for len(d.queue) > 0 && !d.queue[0].at.After(now) {
		key := d.queue[0].key
		out = append(out, key)
		d.set(key, time.Time{})
	}
	return out
}

type deadlineQueue[K comparable] []*deadline[K]

func (q deadlineQueue[K]) Len() int           { return len(q) }
func (q deadlineQueue[K]) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q deadlineQueue[K]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *deadlineQueue[K]) Push(x any) {
	d := x.(*deadline[K]) //nolint:forcetypeassert // heap.Push is called in set only
	d.index = len(*q)
	*q = append(*q, d)
}

func (q *deadlineQueue[K]) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
}
