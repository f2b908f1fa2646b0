package ecp

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// takenLine is a line of a log with the time the platform took it up.
type takenLine struct {
	at   time.Time
	text string
}

// longestLine bounds a line with its time: an entry that is cut is seen to be.
const longestLine = emqxlog.MaxEntry + 64

// takeLines hands the lines of a log to take until it says no, or the log
// ends. nil = it ended by itself.
func takeLines(log io.Reader, take func(takenLine) bool) error {
	lines := emqxlog.NewLines(log)
	var last time.Time
	for {
		line, _, err := lines.Next(longestLine)
		if err == io.EOF { //nolint:errorlint // the sentinel itself: anything around it is no end
			return nil
		}
		if err != nil {
			return err
		}
		stamp, text, ok := strings.Cut(line, " ")
		at, wrong := time.Parse(time.RFC3339Nano, stamp)
		if !ok || wrong != nil { // against the promise: it is shown all the same
			at, text = last, line
		}
		last = at.UTC()
		if !take(takenLine{last, text}) {
			return nil
		}
	}
}

// together is how close the lines of one entry are taken up: EMQX writes them
// at once.
const together = 100 * time.Millisecond

// logJoin makes entries of the lines of one node.
type logJoin struct {
	node  string
	now   func() time.Time
	join  emqxlog.Joiner
	first time.Time // of the entry under way
	last  time.Time // of the last line
}

// add takes a line and gives the entry that it ends.
func (j *logJoin) add(l takenLine) (LogLine, bool) {
	e, ok := j.join.Add(l.text, l.at.Sub(j.last) < together)
	line := j.line(e)
	if j.last = l.at; ok || j.first.IsZero() {
		j.first = l.at
	}
	return line, ok
}

// flush gives the entry under way.
func (j *logJoin) flush() (LogLine, bool) {
	e, ok := j.join.Flush()
	line := j.line(e)
	j.first = time.Time{}
	return line, ok
}

func (j *logJoin) line(e emqxlog.Entry) LogLine {
	l := LogLine{At: e.At, Node: j.node, Level: LogLevel(e.Level), Message: e.Message, Fields: e.Fields, Raw: e.Raw, Cut: e.Cut}
	if !e.Zoned {
		l.At = j.first
	}
	if l.At.IsZero() { // what a platform says instead of a log
		l.At = j.now().UTC()
	}
	return l
}

// bookmark is how far a log was read, so that it can be opened again there.
// Lines may have the same time: they are counted.
type bookmark struct {
	pod    string    // whose log it is
	at     time.Time // of the last line; zero = none was read
	lines  int       // that had this time
	passed int       // of those, since the log was opened again
}

// opened is told that the log begins anew, of a pod.
func (b *bookmark) opened(pod string) {
	if b.pod != pod {
		*b = bookmark{pod: pod}
	}
	b.passed = 0
}

// passes says whether a line was not read before, and moves the mark.
func (b *bookmark) passes(l takenLine) bool {
	switch {
	case l.at.Before(b.at):
		return false
	case l.at.After(b.at):
		b.at, b.lines, b.passed = l.at, 1, 1
		return true
	}
	if b.passed++; b.passed <= b.lines {
		return false
	}
	b.lines = b.passed
	return true
}

// recent keeps the newest lines of a node, bounded in number and in bytes.
type recent struct {
	lines []orderedLine
	most  int
	room  int // bytes
	size  int // bytes
	lost  bool
}

// orderedLine has a time that is never before that of the line above it: a
// node's own times are not always in order, its lines are.
type orderedLine struct {
	LogLine
	order time.Time
}

// perLine is what a line costs beside its texts, in bytes.
const perLine = 256

func (l LogLine) size() int { return perLine + 3*len(l.Raw) } // the texts of fields and message are about the line once more

func (r *recent) add(l LogLine) {
	o := orderedLine{l, l.At}
	if n := len(r.lines); n > 0 && r.lines[n-1].order.After(o.order) {
		o.order = r.lines[n-1].order
	}
	r.lines, r.size = append(r.lines, o), r.size+l.size()
	for len(r.lines) > r.most || r.size > r.room && len(r.lines) > 1 {
		r.lost = r.lost || len(r.lines) <= r.most
		r.size -= r.lines[0].size()
		r.lines[0] = orderedLine{}
		r.lines = r.lines[1:]
	}
}

// history reads a node's log to its end.
func (r *logs) history(ctx context.Context, node NodeObservation, keep *recent, mark *bookmark) error {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	o := LogOptions{Since: r.q.Since}
	if r.q.unfiltered() {
		o.Tail = r.q.Limit + spareLines
	}
	body, err := r.body(ctx, node.Name, o)
	if err != nil {
		return err
	}
	defer body.Close()
	mark.opened(node.PodUID)
	join := logJoin{node: node.Name, now: r.m.now}
	take := func(l LogLine, ok bool) {
		if ok && r.q.wants(l) {
			keep.add(l)
		}
	}
	err = takeLines(body, func(l takenLine) bool {
		mark.passes(l)
		take(join.add(l))
		return true
	})
	take(join.flush())
	if err != nil {
		return &Error{Code: CodeUnavailable, Message: "the log broke off before its end", Cause: err}
	}
	return nil
}
