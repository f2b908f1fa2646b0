package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// openAt goes on with a file, from a line of it. It returns an error if the file no longer
// holds what it held when the place was found: it may have been truncated, and grown past the
// place again.
func (r *reader) openAt(f file, c content, at place) error {
	off := at.off
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
	}
	switch {
	case err != nil:
	case !r.d.unchanged(r.files, at.index),
		at.off > 0 && !at.mark.IsZero() && !f.part.gz && compare(c, at.mark) != exact:
		err = errMoved
	}
	if err != nil {
		c.Close()
		return err
	}
	var before time.Time // when the line before was written
	if start == off && off > 0 && off == r.last.off {
		before = r.last.time()
	}
	r.close()
	r.moves = 0
	delete(r.reported, f.name)
	r.src = src
	r.filter = newFilter(r.q, r.d.zone, off, before, func() time.Time { return r.d.leadTime(f, c) })
	return nil
}

// relocate finds where to go on after the content of the current file has changed, or it
// cannot be read any more.
func (r *reader) relocate(files []file, why error) (more bool, err error) {
	pos, was := r.src.mark(r.filter.at), r.src.file
	if !errors.Is(why, errTruncated) {
		return r.giveUp(files, why)
	}
	at, fit, err := r.d.locate(files, pos)
	if err != nil {
		return r.retry()
	}
	if fit == partial && files[at.index].id != was.id {
		fit = foreign // a copy that was made before the last lines were read
	}
	if fit != exact {
		if err := r.gap(was.name +
			" was truncated or written anew; lines after the last one that was read may be missing"); err != nil {
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
		err = r.openAt(files[at.index], c, at)
	}
	if err != nil { // it has been renamed again: what it holds after pos is found by the record
		return r.retry()
	}
	return true, nil
}

// giveUp reports that the current file cannot be read any more. The reader tries it again
// as long as it is the last file.
func (r *reader) giveUp(files []file, why error) (more bool, err error) {
	was := r.src.file
	if err := r.reportGap(was.name, fmt.Sprintf("%s cannot be read any more: %v", was.name, plain(why))); err != nil {
		return false, err
	}
	i := slices.IndexFunc(files, func(f file) bool { return f.id == was.id })
	if !slices.ContainsFunc(files[i+1:], func(f file) bool { return f.size > 0 }) {
		return false, nil
	}
	r.closeFile(true)
	return true, nil
}

// advance goes on to the next file if there is one. The current file has been read; once
// the next one holds something, EMQX adds nothing to it.
func (r *reader) advance(ctx context.Context, files []file) (more bool, err error) {
	rest, found, err := r.behind(files)
	if err != nil {
		return r.retry()
	}
	for n, f := range rest {
		if f.size == 0 && f.why == "" {
			continue
		}
		c, from, err := r.unread(f)
		switch {
		case errors.Is(err, errMoved):
			return r.retry()
		case err == nil && c == nil:
			continue
		case r.src != nil:
			if c != nil {
				c.Close()
			}
			return true, r.finish(ctx)
		}
		if !found && !r.gapped {
			if err := r.gap("the file that was read is no longer there; " +
				"lines that were written to others after it may be missing"); err != nil {
				if c != nil {
					c.Close()
				}
				return false, stopped{err}
			}
		}
		if err == nil {
			if err := r.openAt(f, c, place{len(files) - len(rest) + n, from.off, from}); err != nil {
				return r.retry()
			}
			return true, nil
		}
		found = true
		if err := r.reportGap(f.name, err.Error()); err != nil {
			return false, stopped{err}
		}
		if n < len(rest)-1 || !r.q.Follow {
			r.passed.unreadable(f)
		}
	}
	return false, nil
}

// behind returns the files after the one that is or was read last, and reports whether that
// one was found: by its identity or, if it has been compressed for example, by its content.
// If it was not found, behind returns all files. It returns an error if files are renamed
// meanwhile.
func (r *reader) behind(files []file) (rest []file, found bool, err error) {
	switch {
	case r.src != nil:
		r.at, r.end = r.src.file.id, r.src.mark(r.filter.at)
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

// finish reads the rest of the current file, to which nothing is added any more.
func (r *reader) finish(ctx context.Context) error {
	if err := r.readFile(ctx); err != nil {
		if errors.As(err, new(stopped)) {
			return err
		}
		return nil // the next round sees it again
	}
	if r.over {
		return nil
	}
	if l, ok := r.src.rest(); ok {
		if err := r.filter.add(l, r.emit); err != nil {
			return stopped{err}
		}
	}
	r.closeFile(false)
	return nil
}

// closeFile ends reading the current file but keeps its identity. If whole is true, nothing
// of the file is read later.
func (r *reader) closeFile(whole bool) {
	src, end := r.src, r.src.mark(r.filter.at)
	r.passed.add(record{id: src.file.id, mark: end, whole: whole})
	r.src = nil
	r.close()
	r.at, r.end, r.kept = src.file.id, end, src.content
}

// unread opens a file and returns where its new content begins. The content is nil if it
// holds nothing new.
func (r *reader) unread(f file) (content, Mark, error) {
	if r.passed.isUnreadable(f) {
		return nil, Mark{}, nil
	}
	c, err := r.d.open(f)
	if err != nil {
		return nil, Mark{}, err
	}
	from, found, err := r.passed.newIn(c)
	if err != nil || !found {
		c.Close()
		return nil, Mark{}, err
	}
	return c, from, nil
}

// skip records a file whose lines are older than what the query selects. It returns an error
// if the file has another name meanwhile.
func (r *reader) skip(f file) error {
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

// close closes the files that the reader has open.
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
