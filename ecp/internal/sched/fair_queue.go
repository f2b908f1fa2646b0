package sched

import (
	"time"

	"github.com/openecp/openecp/ecp"
)

// SlowReconcile is what a pass may take that is not held up by anything.
const SlowReconcile = time.Second

// Flow is one of the lines in which clusters wait for a worker. Those of every
// target wait apart, and those apart whose last pass was held up, by a broker
// or a platform that does not answer: they may hold a share of the workers only.
type Flow struct {
	Target string
	Slow   bool
}

// fairQueue hand clusters out: of the lines whose share is not used up that which
// has the fewest at work, and of several that which was served longest ago. The
// zero line, of clusters that nothing is known of yet, is a line as any other.
type fairQueue struct {
	flowOf    func(ecp.ID) Flow // nil means all wait in one
	slowShare int               // how many slow ones of a target may be at work: a quarter of the workers; 0 means any
	waiting   map[Flow][]ecp.ID // in order of arrival; no empty ones
	working   map[Flow]int
	served    map[Flow]int64 // when, in turns; of lines that wait or work
	turn      int64
}

func newFairQueue() fairQueue {
	return fairQueue{waiting: map[Flow][]ecp.ID{}, working: map[Flow]int{}, served: map[Flow]int64{}}
}

func (l *fairQueue) push(id ecp.ID) {
	var in Flow
	if l.flowOf != nil {
		in = l.flowOf(id)
	}
	l.waiting[in] = append(l.waiting[in], id)
}

// pop takes the next in turn; false where none may go on now.
func (l *fairQueue) pop() (id ecp.ID, from Flow, ok bool) {
	for in := range l.waiting {
		if !l.full(in) && (!ok || l.before(in, from)) {
			from, ok = in, true
		}
	}
	if !ok {
		return "", from, false
	}
	id = l.waiting[from][0]
	if l.waiting[from] = l.waiting[from][1:]; len(l.waiting[from]) == 0 {
		delete(l.waiting, from)
	}
	l.working[from]++
	l.turn++
	l.served[from] = l.turn
	return id, from, true
}

// full reports whether a line has its share: of the slow ones of one target as
// many as are written to at once, and twice that of all targets. The last quarter of
// the workers is for targets that have less than a quarter at work: one that stops to
// answer would otherwise hold them all, until each of its clusters is known to be slow.
func (l *fairQueue) full(in Flow) bool {
	if l.slowShare == 0 {
		return false
	}
	all, slow, ofTarget := 0, 0, 0
	for other, n := range l.working {
		all += n
		if other.Slow {
			slow += n
		}
		if other.Target == in.Target {
			ofTarget += n
		}
	}
	return in.Slow && (l.working[in] >= l.slowShare || slow >= 2*l.slowShare) ||
		all >= 3*l.slowShare && ofTarget >= l.slowShare
}

func (l *fairQueue) before(a, b Flow) bool {
	if l.working[a] != l.working[b] {
		return l.working[a] < l.working[b]
	}
	return l.served[a] < l.served[b]
}

// leave notes that one of a flow is worked on no more.
func (l *fairQueue) leave(from Flow) {
	if l.working[from]--; l.working[from] <= 0 {
		delete(l.working, from)
		if _, more := l.waiting[from]; !more {
			delete(l.served, from)
		}
	}
}

// clear drops those that wait.
func (l *fairQueue) clear() { clear(l.waiting) }

// len is how many wait.
func (l *fairQueue) len() int {
	n := 0
	for _, ids := range l.waiting {
		n += len(ids)
	}
	return n
}
