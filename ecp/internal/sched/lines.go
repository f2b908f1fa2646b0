package sched

import (
	"time"

	"github.com/openecp/openecp/ecp"
)

// SlowPass is what a pass may take that is not held up by anything.
const SlowPass = time.Second

// Line is one of the lines in which clusters wait for a worker. Those of every
// target wait apart, and those apart whose last pass was held up, by a broker
// or a platform that does not answer: they may hold a share of the workers only.
type Line struct {
	Target string
	Slow   bool
}

// lines hand clusters out: of the lines whose share is not used up that which
// has the fewest at work, and of several that which was served longest ago. The
// zero line, of clusters that nothing is known of yet, is a line as any other.
type lines struct {
	Of      func(ecp.ID) Line // nil = all wait in one
	Share   int               // how many slow ones of a target may be at work; 0 = any number
	waiting map[Line][]ecp.ID // in order of arrival; no empty ones
	working map[Line]int
	served  map[Line]int64 // when, in turns; of lines that wait or work
	turn    int64
}

func newLines() lines {
	return lines{waiting: map[Line][]ecp.ID{}, working: map[Line]int{}, served: map[Line]int64{}}
}

func (l *lines) push(id ecp.ID) {
	var in Line
	if l.Of != nil {
		in = l.Of(id)
	}
	l.waiting[in] = append(l.waiting[in], id)
}

// pop takes the next in turn; false where none may go on now.
func (l *lines) pop() (id ecp.ID, from Line, ok bool) {
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
// many as are written to at once, and twice that of all targets.
func (l *lines) full(in Line) bool {
	if !in.Slow || l.Share == 0 {
		return false
	}
	all := 0
	for other, n := range l.working {
		if other.Slow {
			all += n
		}
	}
	return l.working[in] >= l.Share || all >= 2*l.Share
}

func (l *lines) before(a, b Line) bool {
	if l.working[a] != l.working[b] {
		return l.working[a] < l.working[b]
	}
	return l.served[a] < l.served[b]
}

// leave says that one of a line is at work no more.
func (l *lines) leave(from Line) {
	if l.working[from]--; l.working[from] <= 0 {
		delete(l.working, from)
		if _, more := l.waiting[from]; !more {
			delete(l.served, from)
		}
	}
}

// clear drops those that wait.
func (l *lines) clear() { clear(l.waiting) }

// len is how many wait.
func (l *lines) len() int {
	n := 0
	for _, ids := range l.waiting {
		n += len(ids)
	}
	return n
}
