package agentproto

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
)

// ReportLog keeps the newest reports of an agent's process, for servers that are
// not connected all the time. When it is full, the oldest report is dropped. It is
// safe for use by several goroutines.
type ReportLog struct {
	epoch uint64

	mu      sync.Mutex
	ring    []Report // oldest first from next, once it is full
	next    int      // index of the report that is written next
	max     int
	seq     uint64        // of the newest report
	changed chan struct{} // closed and replaced by Append
}

// NewReportLog returns an empty log for up to max reports, at least one. Each log
// has a random epoch of its own, so that two logs never share positions.
func NewReportLog(max int) *ReportLog {
	if max < 1 {
		max = 1
	}
	return &ReportLog{epoch: drawEpoch(), max: max, changed: make(chan struct{})}
}

// drawEpoch returns a number from 1 to 2^53: every JSON decoder reads it
// exactly. It is random and not a time because an agent's clock may start
// anew at every boot.
func drawEpoch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])>>11 + 1
}

// Append adds a report, and returns it with its Epoch and Seq set.
func (l *ReportLog) Append(r Report) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	r.Epoch, r.Seq = l.epoch, l.seq
	if len(l.ring) < l.max {
		l.ring = append(l.ring, r)
	} else {
		l.ring[l.next] = r
	}
	l.next = (l.next + 1) % l.max
	close(l.changed)
	l.changed = make(chan struct{})
	return r
}

// Since returns the kept reports after a position, oldest first. A position of another
// epoch, or one that this log has not reached, is before all reports; [Newest] is before
// the newest report. The slices inside the reports are shared and must not be changed.
func (l *ReportLog) Since(after Position) []Report {
	reports, _ := l.since(after)
	return reports
}

// since also returns a channel that is closed by the next Append.
func (l *ReportLog) since(after Position) ([]Report, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := uint64(len(l.ring))
	missing := l.seq
	switch {
	case after == Newest:
		missing = min(missing, 1)
	case after.Epoch == l.epoch && after.Seq <= l.seq:
		missing = l.seq - after.Seq
	}
	missing = min(missing, kept)
	oldest := 0
	if len(l.ring) == l.max {
		oldest = l.next
	}
	out := slices.Concat(l.ring[oldest:], l.ring[:oldest])
	return out[kept-missing:], l.changed
}

// changes returns a channel that is closed by the next Append.
func (l *ReportLog) changes() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Last returns the position of the newest report; before the first one its Seq
// is zero.
func (l *ReportLog) Last() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position{l.epoch, l.seq}
}
