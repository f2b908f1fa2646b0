package logs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// pollEvery is how often the directory is looked at while somebody follows.
const pollEvery = 250 * time.Millisecond

// mostMoves is how often a file may be renamed while it is about to be opened before
// the reader waits.
const mostMoves = 20

// mostRounds is how often in a row the reader goes on at once without finding a line.
// The files then change in a way that nobody writes a log.
const mostRounds = 2 * maxFiles

// Read calls yield with the lines that are wanted, the oldest first, and returns its
// error when it fails. Without Follow it returns after the last whole line that was
// there at the beginning, and with an error if the directory cannot be read or holds no
// log; fs.ErrNotExist and fs.ErrPermission are then in its chain where they are the
// cause. Where the last lines are not wanted, a Line with Passed tells how far was read.
// With Follow it ends with ctx, and Gaps tell what keeps it from reading. A slow yield
// delays reading. Several may read at a time.
func (d *Dir) Read(ctx context.Context, q Query, yield func(Line) error) error {
	r := &reader{d: d, q: q, yield: yield, last: q.After, told: map[string]bool{}, passed: passed{byHead: map[headKey][]record{}}}
	defer r.close()
	for {
		more, err := r.round(ctx)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !more || r.over:
			err = r.tellPassed()
		}
		switch {
		case err != nil:
			return err
		case r.over || !more && !q.Follow:
			return nil
		case more && r.rounds < mostRounds:
			r.rounds++
			continue
		case !q.Follow:
			return errRenamed
		}
		r.rounds = 0
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.poll):
		}
	}
}

// reader is one call of Read.
type reader struct {
	d      *Dir
	q      Query
	yield  func(Line) error
	begun  bool
	src    *source // the file that is read; nil where none is
	sieve  *sieve  // of src
	passed passed
	last   Mark            // of the last line that was given
	gapped bool            // a Gap has been told since
	told   map[string]bool // what keeps from reading, and has been told
	at     fileID          // the file that is or was read last, from which the next one is found
	end    Mark            // up to where it has been read
	kept   content         // that file, if it is src no more, open so that no other one gets its identity
	rounds int             // since a line was found
	moves  int             // how often in a row a file was renamed before it was opened
	ends   *file           // the newest file at the beginning, where reading ends without Follow
	over   bool
}

// stopped is an error that ends the reading, in contrast to those of files.
type stopped struct{ error }

func (e stopped) Unwrap() error { return e.error }

// round reads what there is in the file at hand and looks for the next one. It reports
// whether to go on at once.
func (r *reader) round(ctx context.Context) (more bool, err error) {
	failed := r.drain(ctx)
	var stop stopped
	if errors.As(failed, &stop) {
		return false, stop.error
	}
	if r.over {
		return false, nil
	}
	files, err := r.d.list()
	switch {
	case err != nil && !r.q.Follow:
		return false, err
	case errors.Is(err, errRenamed):
		return false, nil
	case err != nil:
		return false, r.tell("", err.Error())
	}
	delete(r.told, "")
	switch {
	case !r.begun:
		return r.begin(ctx, files)
	case failed != nil:
		return r.relocate(files, failed)
	}
	more, err = r.advance(ctx, files)
	if errors.As(err, &stop) {
		err = stop.error
	}
	return more, err
}

// drain gives the whole lines that the file at hand holds.
func (r *reader) drain(ctx context.Context) error {
	if r.src == nil {
		return nil
	}
	for !r.over {
		if ctx.Err() != nil {
			return stopped{ctx.Err()}
		}
		l, ok, err := r.src.next()
		if err != nil || !ok {
			return err
		}
		r.rounds = 0
		if err := r.sieve.add(l, r.give); err != nil {
			return stopped{err}
		}
		r.over = r.sieve.over || r.ends != nil && r.ends.id == r.src.file.id && r.src.at() >= r.ends.size && !r.src.file.part.gz
	}
	return nil
}

// give hands a line out.
func (r *reader) give(l found) error {
	r.last, r.gapped = r.src.markAt(l.end, l.tail, l.at), false
	return r.yield(Line{At: l.at, Text: l.text, Cut: l.cut, Mark: r.last})
}

// tellPassed hands out how far was read, where that is behind the last line that was
// wanted. What may still be wanted is not passed.
func (r *reader) tellPassed() error {
	if r.src == nil || len(r.sieve.held) > 0 {
		return nil
	}
	m := r.src.mark(r.sieve.at)
	if m.off == 0 && m.size < headSize {
		return nil // so little tells the file from no other one
	}
	if m.off != r.last.off || m.tail != r.last.tail {
		r.last = m
		return r.yield(Line{At: m.time(), Mark: m, Passed: true})
	}
	return nil
}

// tell hands a Gap out, once until it is over; about says what it is about.
func (r *reader) tell(about, gap string) error {
	key := about
	if r.told[key] {
		return nil
	}
	if len(r.told) > maxFiles {
		clear(r.told)
	}
	r.told[key] = true
	return r.gap(gap)
}

func (r *reader) gap(text string) error {
	at := r.last.time()
	if at.IsZero() {
		at = time.Now().UTC().Truncate(time.Microsecond)
	}
	r.gapped = true
	return r.yield(Line{At: at, Mark: r.last, Gap: text})
}

// begin finds where the query begins.
func (r *reader) begin(ctx context.Context, files []file) (more bool, err error) {
	var at place
	switch {
	case !r.q.After.IsZero():
		at, err = r.resume(files)
	case r.q.Tail > 0:
		at, err = r.d.newest(files, r.q, ctx.Err)
	case !r.q.Since.IsZero():
		at = r.d.sinceTime(files, r.q.Since)
	}
	switch {
	case errors.Is(err, errMoved):
		return r.anew()
	case err != nil:
		return false, err
	}
	if !r.q.Follow {
		r.ends = &files[len(files)-1]
	}
	r.begun = true
	for _, f := range files[:at.index] {
		if err := r.pass(f); err != nil {
			return r.anew()
		}
	}
	if at.index == len(files) || at.off == 0 {
		return true, nil // the first file that has not been passed is next
	}
	f := files[at.index]
	c, err := r.d.open(f)
	if err == nil {
		err = r.enter(f, c, at.off)
	}
	if err != nil {
		return r.anew()
	}
	return true, nil
}

// anew begins once more, after files have been renamed meanwhile.
func (r *reader) anew() (bool, error) {
	r.begun, r.passed = false, passed{byHead: map[headKey][]record{}}
	return r.again()
}

// again reports whether to look anew at once, after files have been renamed meanwhile.
func (r *reader) again() (bool, error) {
	if r.moves++; r.moves < mostMoves {
		return true, nil
	}
	r.moves = 0
	if !r.q.Follow {
		return false, errRenamed
	}
	return false, nil
}

// resume finds the place of the mark that the query begins after.
func (r *reader) resume(files []file) (place, error) {
	m := r.q.After
	at, fit, err := r.d.locate(files, m)
	switch {
	case err != nil || fit == exact:
		return at, err
	case fit == partial:
		return at, r.tell("mark", fmt.Sprintf("%s was truncated; lines after the last one that was read may be missing", files[at.index].name))
	}
	return r.d.after(files, m.time()), r.tell("mark", "the file with the last line that was read is no longer there; lines after it may be missing")
}

// locate finds the file of a mark, the newest first: of a copy and its original it is
// the original that goes on. It fails if the file may be one that has been renamed
// meanwhile.
func (d *Dir) locate(files []file, m Mark) (at place, best fit, err error) {
	var moved error
	for i := len(files) - 1; i >= 0 && best != exact; i-- {
		c, err := d.open(files[i])
		if err != nil {
			if errors.Is(err, errMoved) {
				moved = err
			}
			continue
		}
		switch fit := compare(c, m); {
		case fit == exact:
			at, best = place{i, m.off}, exact
		case fit == partial && best == foreign:
			if off, err := lineStart(c, min(m.off, files[i].size)); err == nil {
				at, best = place{i, off}, partial
			}
		}
		c.Close()
	}
	if best == exact {
		return at, best, nil
	}
	return at, best, moved
}

// after finds a place behind what was written up to a time.
func (d *Dir) after(files []file, t time.Time) place {
	for i := len(files) - 1; i >= 0; i-- {
		first, ok := d.firstTime(files[i])
		if !ok {
			first = files[i].mod
		}
		if !first.Before(t) {
			continue
		}
		return d.afterIn(files, i, t)
	}
	return place{}
}

// afterIn finds the first line of a file whose time is later. Where it holds none, the
// place is the next file.
func (d *Dir) afterIn(files []file, i int, t time.Time) place {
	next := place{i + 1, 0}
	c, err := d.open(files[i])
	if err != nil {
		return place{i, 0} // reading on says what is wrong with it
	}
	defer c.Close()
	if i == len(files)-1 {
		next = place{i, 0}
		if end, err := lineStart(c, files[i].size); err == nil && !files[i].part.gz {
			next.off = end
		}
	}
	to, untold := files[i].size, int64(-1) // where lines begin that tell no time
	if files[i].part.gz {
		to = math.MaxInt64
	}
	_ = eachLine(files[i], c, d.sinceIn(files[i], c, t.Add(-slack)), to, func(l raw) bool {
		if untold < 0 {
			untold = l.start
		}
		e := emqxlog.Parse(string(l.text))
		switch {
		case e.At.IsZero():
			return true
		case timeOf(e, d.zone).After(t):
			next = place{i, untold}
			return false
		}
		untold = -1
		return true
	})
	return next
}

// enter goes on in a file.
func (r *reader) enter(f file, c content, off int64) error {
	src, err := newSource(f, c, off)
	if err != nil {
		c.Close()
		return err
	}
	start := off
	if off > 0 {
		if start, err = entryStart(f, c, off); err == nil {
			err = src.seek(start)
		}
		if err != nil {
			c.Close()
			return err
		}
	}
	var at time.Time // of the line before
	if start == off && off > 0 && off == r.last.off {
		at = r.last.time()
	}
	r.close()
	r.moves = 0
	delete(r.told, f.name)
	r.src = src
	r.sieve = newSieve(r.q, r.d.zone, off, at, func() time.Time { return r.d.leadTime(f, c) })
	return nil
}

// relocate finds where to go on after the file at hand is not what it was, or cannot be
// read any more.
func (r *reader) relocate(files []file, why error) (more bool, err error) {
	pos, was := r.src.mark(r.sieve.at), r.src.file
	if !errors.Is(why, errTruncated) {
		return r.leave(files, why)
	}
	at, fit, err := r.d.locate(files, pos)
	if err != nil {
		return r.again()
	}
	if fit == partial && files[at.index].id != was.id {
		fit = foreign // a copy that was made before the last lines were read
	}
	if fit != exact {
		if err := r.gap(was.name + " was truncated or written anew; lines after the last one that was read may be missing"); err != nil {
			return false, err
		}
	}
	r.passed.add(record{id: was.id, mark: pos})
	r.close()
	if fit == foreign {
		return true, nil
	}
	c, err := r.d.open(files[at.index])
	if err == nil {
		err = r.enter(files[at.index], c, at.off)
	}
	if err != nil { // it has been renamed again: what it holds after pos is found by the record
		return r.again()
	}
	return true, nil
}

// leave tells that the file at hand cannot be read any more. It is tried again as long
// as it is the last one.
func (r *reader) leave(files []file, why error) (more bool, err error) {
	was := r.src.file
	if err := r.tell(was.name, fmt.Sprintf("%s cannot be read any more: %v", was.name, plain(why))); err != nil {
		return false, err
	}
	i := slices.IndexFunc(files, func(f file) bool { return f.id == was.id })
	if !slices.ContainsFunc(files[i+1:], func(f file) bool { return f.size > 0 }) {
		return false, nil
	}
	r.keep(true)
	return true, nil
}

// advance goes on to the next file where there is one. What is in the file at hand has
// been read; once the next one holds something, nothing is added to it.
func (r *reader) advance(ctx context.Context, files []file) (more bool, err error) {
	rest, found, err := r.behind(files)
	if err != nil {
		return r.again()
	}
	for n, f := range rest {
		if f.size == 0 && f.why == "" {
			continue
		}
		c, off, err := r.unread(f)
		switch {
		case errors.Is(err, errMoved):
			return r.again()
		case err == nil && off < 0:
			continue
		case r.src != nil:
			if c != nil {
				c.Close()
			}
			return true, r.finish(ctx)
		}
		if !found && !r.gapped {
			if err := r.gap("the file that was read is no longer there; lines that were written to others after it may be missing"); err != nil {
				if c != nil {
					c.Close()
				}
				return false, stopped{err}
			}
		}
		if err == nil {
			if err := r.enter(f, c, off); err != nil {
				return r.again()
			}
			return true, nil
		}
		found = true
		if err := r.tell(f.name, err.Error()); err != nil {
			return false, stopped{err}
		}
		if n < len(rest)-1 || !r.q.Follow {
			r.passed.unreadable(f)
		}
	}
	return false, nil
}

// behind returns the files behind the one that is or was read last, and whether that one
// was found: by its identity, else by what it holds, as where it has been compressed.
// Otherwise it returns all files. It fails where files are renamed meanwhile.
func (r *reader) behind(files []file) (rest []file, found bool, err error) {
	switch {
	case r.src != nil:
		r.at, r.end = r.src.file.id, r.src.mark(r.sieve.at)
	case r.kept == nil:
		return files, true, nil
	case compare(r.kept, r.end) != exact:
		return files, false, nil // it has been written anew
	}
	if i := slices.IndexFunc(files, func(f file) bool { return f.id == r.at }); i >= 0 {
		return files[i+1:], true, nil
	}
	at, fit, err := r.d.locate(files, r.end)
	if err != nil || fit != exact {
		return files, false, err
	}
	return files[at.index+1:], true, nil
}

// finish reads what is left of the file at hand, to which nothing is added any more.
func (r *reader) finish(ctx context.Context) error {
	if err := r.drain(ctx); err != nil {
		if errors.As(err, new(stopped)) {
			return err
		}
		return nil // the next round sees it again
	}
	if r.over {
		return nil
	}
	if l, ok := r.src.rest(); ok {
		if err := r.sieve.add(l, r.give); err != nil {
			return stopped{err}
		}
	}
	r.keep(false)
	return nil
}

// keep ends with the file at hand, but for its identity. With whole nothing is read of
// it any more.
func (r *reader) keep(whole bool) {
	src, end := r.src, r.src.mark(r.sieve.at)
	r.passed.add(record{id: src.file.id, mark: end, whole: whole})
	r.src = nil
	r.close()
	r.at, r.end, r.kept = src.file.id, end, src.content
}

// unread opens a file and returns from where on it holds something new; -1 where it
// holds nothing new.
func (r *reader) unread(f file) (content, int64, error) {
	if r.passed.isUnreadable(f) {
		return nil, -1, nil
	}
	c, err := r.d.open(f)
	if err != nil {
		return nil, 0, err
	}
	off, err := r.passed.newIn(f, c)
	if err != nil || off < 0 {
		c.Close()
		return nil, off, err
	}
	return c, off, nil
}

// pass notes a file whose lines are older than what is wanted. It fails if the file has
// another name meanwhile.
func (r *reader) pass(f file) error {
	if f.size == 0 && f.why == "" {
		return nil
	}
	c, err := r.d.open(f)
	switch {
	case errors.Is(err, errMoved):
		return err
	case err != nil:
		r.passed.unreadable(f)
		return nil
	}
	defer c.Close()
	if head, err := headOf(c); err == nil && len(head) > 0 {
		r.passed.add(record{id: f.id, whole: true, mark: Mark{size: len(head), head: sum(head)}})
	}
	return nil
}

// close leaves no file open.
func (r *reader) close() {
	if r.src != nil {
		r.src.close()
		r.src = nil
	}
	if r.kept != nil {
		r.kept.Close()
		r.kept = nil
	}
	r.at, r.end = fileID{}, Mark{}
}
