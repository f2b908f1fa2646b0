package ring

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/openecp/openecp/agentproto"
)

// History returns the records that a query selects; see [agentproto.HistorySource].
// Those that are appended meanwhile are not among them. It holds nobody up: the files
// are read while others are written, and one that is dropped meanwhile is a gap.
func (r *Ring) History(ctx context.Context, q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	return func(yield func(agentproto.HistoryRecord, error) bool) {
		known, err := r.knows(ctx, q.After)
		p := &passage{q: q, passed: !known}
		if err == nil {
			_, err = r.each(ctx, func(rec agentproto.HistoryRecord) bool { return p.take(rec, yield) })
		}
		if err != nil {
			yield(agentproto.HistoryRecord{}, err)
		}
	}
}

// knows reports whether the epoch of a position has a record that is kept.
func (r *Ring) knows(ctx context.Context, after agentproto.Position) (bool, error) {
	if after.Epoch == 0 {
		return false, nil
	}
	if after.Epoch == r.epoch {
		return true, nil
	}
	stopped, err := r.each(ctx, func(rec agentproto.HistoryRecord) bool { return rec.Epoch != after.Epoch })
	return stopped, err
}

// each calls do for the records that are kept, oldest first, until it returns false,
// which stopped tells.
func (r *Ring) each(ctx context.Context, do func(agentproto.HistoryRecord) bool) (stopped bool, err error) {
	r.mu.Lock()
	now := r.segmentsLocked()
	r.mu.Unlock()
	for _, s := range now {
		more, err := r.readSegment(ctx, s, do)
		if err != nil || !more {
			return err == nil, err
		}
	}
	return false, nil
}

func (r *Ring) segmentsLocked() []segment {
	out := make([]segment, len(r.segments))
	for i, s := range r.segments {
		out[i] = *s
	}
	return out
}

// readSegment reads a segment to the length that it had. What is damaged is left out:
// the numbers of the others tell.
func (r *Ring) readSegment(ctx context.Context, s segment, do func(agentproto.HistoryRecord) bool) (more bool,
	err error) {
	f, err := r.root.OpenFile(s.name(), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // dropped meanwhile
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	for lines := newLineReader(io.LimitReader(f, s.size)); ; {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, err
		}
		text, err := checkLine(line)
		if err != nil || isHeader(text) {
			continue
		}
		rec, err := agentproto.DecodeHistory(text)
		if err == nil && !do(rec) {
			return false, nil
		}
	}
}

// passage is a way through the records of a ring, in which missing ones are noticed.
type passage struct {
	q      agentproto.HistoryQuery
	passed bool                     // the position that was asked for lies behind
	before agentproto.HistoryRecord // zero means none yet
}

// take passes a record on if it is selected, and a gap in front of it where records
// are missing between it and the one before.
func (p *passage) take(rec agentproto.HistoryRecord, yield func(agentproto.HistoryRecord, error) bool) (more bool) {
	before := p.before
	p.before = rec
	if !p.passed {
		if rec.Epoch != p.q.After.Epoch {
			return true
		}
		p.passed, before = true, agentproto.HistoryRecord{}
	}
	if rec.Epoch == p.q.After.Epoch && rec.Seq <= p.q.After.Seq {
		return true
	}
	if gap, lost := missing(before, rec, p.q.After); lost && p.q.Wants(gap) && !yield(gap, nil) {
		return false
	}
	return !p.q.Wants(rec) || yield(rec, nil)
}

// missing returns the gap between two records that follow one another in a ring. The
// first record that is left, or is left of the run that was read before, follows what
// was read before, or else what was dropped.
func missing(before, rec agentproto.HistoryRecord, after agentproto.Position) (gap agentproto.HistoryRecord,
	lost bool) {
	g := agentproto.Gap{From: before.At, Until: rec.At, Why: agentproto.GapDamaged}
	switch before.Epoch {
	case 0:
		lost, g.Why = rec.Seq > 1 || after.Epoch != 0, agentproto.GapDropped
		if rec.Epoch == after.Epoch {
			lost = rec.Seq > after.Seq+1
		}
	case rec.Epoch:
		lost = rec.Seq > before.Seq+1
	default:
		lost = rec.Seq > 1
	}
	if rec.Kind == agentproto.HistoryGap && rec.Gap != nil { // it begins earlier than it was noticed
		g.Until = earlier(rec.Gap.From, g.Until)
	}
	return agentproto.HistoryRecord{Epoch: rec.Epoch, Seq: rec.Seq - 1, At: g.Until, Kind: agentproto.HistoryGap,
		Gap: &g}, lost
}

// earlier returns the earlier of two times; a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
