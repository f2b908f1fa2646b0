package ecp

import "time"

// slowPass is what a pass may take that is not held up by anything.
const slowPass = time.Second

// line is one of the lines in which clusters wait for a worker. Those of every
// target wait apart, and those apart whose last pass was held up, by a broker
// or a platform that does not answer: they may hold a share of the workers only.
type line struct {
	target string
	slow   bool
}

// lines hand clusters out: of the lines whose share is not used up that which
// has the fewest at work, and of several that which was served longest ago. The
// zero line, of clusters that nothing is known of yet, is a line as any other.
type lines struct {
	of      func(ID) line // nil = all wait in one
	share   int           // how many slow ones of a target may be at work; 0 = any number
	waiting map[line][]ID // in order of arrival; no empty ones
	working map[line]int
	served  map[line]int64 // when, in turns; of lines that wait or work
	turn    int64
}

func newLines() lines {
	return lines{waiting: map[line][]ID{}, working: map[line]int{}, served: map[line]int64{}}
}

func (l *lines) push(id ID) {
	var in line
	if l.of != nil {
		in = l.of(id)
	}
	l.waiting[in] = append(l.waiting[in], id)
}

// pop takes the next in turn; false where none may go on now.
func (l *lines) pop() (id ID, from line, ok bool) {
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
func (l *lines) full(in line) bool {
	if !in.slow || l.share == 0 {
		return false
	}
	all := 0
	for other, n := range l.working {
		if other.slow {
			all += n
		}
	}
	return l.working[in] >= l.share || all >= 2*l.share
}

func (l *lines) before(a, b line) bool {
	if l.working[a] != l.working[b] {
		return l.working[a] < l.working[b]
	}
	return l.served[a] < l.served[b]
}

// leave says that one of a line is at work no more.
func (l *lines) leave(from line) {
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

// lineOf is where a cluster waits, by what its last pass was like.
func (m *Manager) lineOf(id ID) line {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		return line{mem.target, mem.slow}
	}
	return line{}
}

func (m *Manager) onTarget(mem *memory, rec ClusterRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem.target = rec.Spec.Hosted.Target
}

// remarkPace notes whether a pass was held up.
func (m *Manager) remarkPace(id ID, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		mem.slow = took > slowPass
	}
}
