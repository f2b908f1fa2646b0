package logs

import (
	"context"
	"errors"
	"time"
)

// pollEvery is how often the directory is listed while a caller follows the log.
const pollEvery = 250 * time.Millisecond

// mostMoves is how often a file may be renamed while it is about to be opened before
// the reader waits.
const mostMoves = 20

// mostRounds is how often in a row the reader goes on at once without finding a line.
// After that the files change in a way in which no program writes a log.
const mostRounds = 2 * maxFiles

// Read calls yield with the lines that the query selects, the oldest first. It returns the
// error of yield if there is one.
//
// Without Follow, Read returns after the last whole line that was there at the beginning.
// It returns an error if the directory cannot be read or holds no log; errors.Is finds
// fs.ErrNotExist and fs.ErrPermission where they are the cause. If the last lines are not
// selected, a Line with Passed reports how far was read.
//
// With Follow, Read returns when ctx ends, and a Gap reports what keeps it from reading.
//
// A slow yield delays reading. Several goroutines may call Read at the same time.
func (d *Dir) Read(ctx context.Context, q Query, yield func(Line) error) error {
	r := &reader{d: d, q: q, yield: yield, last: q.After, reported: map[string]bool{},
		passed: passed{byHead: map[headKey][]record{}}}
	defer r.close()
	for {
		more, err := r.round(ctx)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !more || r.over:
			err = r.reportProgress()
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
	d        *Dir
	q        Query
	yield    func(Line) error
	begun    bool
	files    []file  // as listed last
	src      *source // the file that is read; nil if none is
	filter   *filter // of src
	passed   passed
	last     Mark            // of the last line that was passed to yield
	gapped   bool            // a Gap has been reported since
	reported map[string]bool // what keeps the reader from reading, by subject
	at       fileID          // the file that is or was read last, from which the next one is found
	end      Mark            // up to where it has been read
	kept     content         // that file after src has moved on; it stays open, so that no other file gets its identity
	rounds   int             // since a line was found
	moves    int             // how often in a row a file was renamed before it was opened
	ends     *file           // the newest file at the beginning; without Follow reading ends with it
	over     bool
}

// stopped is an error that ends Read. Other errors are about one file.
type stopped struct{ error }

func (e stopped) Unwrap() error { return e.error }

// round reads the rest of the current file and looks for the next one. It reports whether
// to go on at once.
func (r *reader) round(ctx context.Context) (more bool, err error) {
	failed := r.readFile(ctx)
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
		return false, r.reportGap("", err.Error())
	}
	delete(r.reported, "")
	r.files = files
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

// readFile emits the whole lines that the current file holds.
func (r *reader) readFile(ctx context.Context) error {
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
		if err := r.filter.add(l, r.emit); err != nil {
			return stopped{err}
		}
		r.over = r.filter.over || r.ends != nil && r.ends.id == r.src.file.id && r.src.at() >= r.ends.size &&
			!r.src.file.part.gz
	}
	return nil
}

// emit calls yield with a line of the file.
func (r *reader) emit(l found) error {
	r.last, r.gapped = r.src.markAt(l.end, l.tail, l.at), false
	return r.yield(Line{At: l.at, Text: l.text, Cut: l.cut, Mark: r.last})
}

// reportProgress calls yield with the place up to which was read, if that is behind the
// last selected line. Lines that may still be selected are not part of it.
func (r *reader) reportProgress() error {
	if r.src == nil || len(r.filter.held) > 0 {
		return nil
	}
	m := r.src.mark(r.filter.at)
	if m.off == 0 && m.size < headSize {
		return nil // many files begin with so little
	}
	if m.off != r.last.off || m.tail != r.last.tail {
		r.last = m
		return r.yield(Line{At: m.time(), Mark: m, Passed: true})
	}
	return nil
}

// reportGap calls yield with a Gap, once until its cause is over. The subject is a file or
// another thing that the reader has trouble with.
func (r *reader) reportGap(subject, gap string) error {
	if r.reported[subject] {
		return nil
	}
	if len(r.reported) > maxFiles {
		clear(r.reported)
	}
	r.reported[subject] = true
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
