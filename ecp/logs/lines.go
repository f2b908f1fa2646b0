package logs

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxlog"
)

// takenLine is a line of a log with the time the platform took it up, or with what an
// agent knows of it.
type takenLine struct {
	at     time.Time
	text   string
	mark   string // where reading goes on behind it; empty where lines have none
	cut    bool   // it was longer
	gap    string // lines are missing here, for this reason
	passed bool   // no line: the log was read up to the mark
}

// apart reports whether this is no line of the log, so that the entry before it has
// ended.
func (l takenLine) apart() bool { return l.gap != "" || l.passed }

// alone is what is told of the gap.
func (l takenLine) alone(node string, now func() time.Time) ecp.LogLine {
	at := l.at
	if at.IsZero() {
		at = now()
	}
	return ecp.LogLine{At: at.UTC(), Node: node, Gap: l.gap, Mark: l.mark}
}

// longestLine bounds a line with its time: an entry that is cut is seen to be.
const longestLine = emqxlog.MaxEntry + 64

// takeLines hands the lines of a log to take until it says no, or the log
// ends. nil means it ended by itself.
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
		if !take(takenLine{at: last, text: text}) {
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
	mark  string    // of the last line
	cut   bool      // a line of the entry under way was longer
}

// add takes a line and gives the entry that it ends.
func (j *logJoin) add(l takenLine) (ecp.LogLine, bool) {
	e, ok := j.join.Add(l.text, l.at.Sub(j.last) < together)
	line := j.line(e)
	if ok || j.first.IsZero() {
		j.first, j.cut = l.at, false
	}
	j.last, j.mark, j.cut = l.at, l.mark, j.cut || l.cut
	return line, ok
}

// flush returns the entry under way.
func (j *logJoin) flush() (ecp.LogLine, bool) {
	e, ok := j.join.Flush()
	line := j.line(e)
	j.first, j.cut = time.Time{}, false
	return line, ok
}

func (j *logJoin) line(e emqxlog.Entry) ecp.LogLine {
	l := ecp.LogLine{At: e.At, Node: j.node, Level: ecp.LogLevel(e.Level), Message: e.Message, Fields: e.Fields,
		Raw: e.Raw, Cut: e.Cut || j.cut, Mark: j.mark}
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
	mark   string    // of the last entry that was handed over, where lines have marks
}

// handed is told of the mark of an entry that was handed over.
func (b *bookmark) handed(mark string) {
	if mark != "" {
		b.mark = mark
	}
}

// opened is told that the log begins anew, of a pod.
func (b *bookmark) opened(pod string) {
	if b.pod != pod {
		*b = bookmark{pod: pod}
	}
	b.passed = 0
}

// passes reports whether a line was not read before, and moves the mark. Lines that have
// marks of their own were not.
func (b *bookmark) passes(l takenLine) bool {
	switch {
	case l.mark != "":
		return true
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
	ecp.LogLine
	order time.Time
}

// perLine is what a line costs beside its texts, in bytes.
const perLine = 256

// the texts of fields and message are about the line once more
func lineSize(l ecp.LogLine) int { return perLine + 3*len(l.Raw) }

func (r *recent) add(l ecp.LogLine) {
	o := orderedLine{l, l.At}
	if n := len(r.lines); n > 0 && r.lines[n-1].order.After(o.order) {
		o.order = r.lines[n-1].order
	}
	r.lines, r.size = append(r.lines, o), r.size+lineSize(l)
	for len(r.lines) > r.most || r.size > r.room && len(r.lines) > 1 {
		r.lost = r.lost || len(r.lines) <= r.most
		r.size -= lineSize(r.lines[0].LogLine)
		r.lines[0] = orderedLine{}
		r.lines = r.lines[1:]
	}
}

// history reads a node's log to its end.
func (r *logStream) history(ctx context.Context, node logNode, keep *recent, mark *bookmark) error {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	join := logJoin{node: node.name, now: r.m.observed.Now}
	take := func(l ecp.LogLine, ok bool) {
		if ok && (l.Gap != "" || wanted(r.q, l)) {
			keep.add(l)
		}
		if ok {
			mark.handed(l.Mark)
		}
	}
	err := r.from.read(ctx, node, logReading{r.q, mark, false}, func() {}, func(l takenLine) bool {
		if l.apart() {
			take(join.flush())
			take(l.alone(node.name, r.m.observed.Now), l.gap != "")
			mark.handed(l.mark)
			return true
		}
		mark.passes(l)
		take(join.add(l))
		return true
	})
	if err == nil || !r.from.exact() { // what is cut short is read again as a whole
		take(join.flush())
	}
	if err == nil && ctx.Err() != nil {
		err = ecp.NewError(ecp.CodeUnavailable, r.op, logReading{}.brokeOff())
	}
	return err
}
