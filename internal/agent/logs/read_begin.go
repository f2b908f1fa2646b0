package logs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// begin goes to the place where the query begins.
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
		return r.restart()
	case err != nil:
		return false, err
	}
	if !r.q.Follow {
		r.ends = &files[len(files)-1]
	}
	r.begun = true
	for _, f := range files[:at.index] {
		if err := r.skip(f); err != nil {
			return r.restart()
		}
	}
	if !r.d.unchanged(files, at.index) {
		return r.restart()
	}
	if at.index == len(files) || at.off == 0 {
		return true, nil // the first file that has not been passed is next
	}
	f := files[at.index]
	c, err := r.d.open(f)
	if err == nil {
		err = r.openAt(f, c, at)
	}
	if err != nil {
		return r.restart()
	}
	return true, nil
}

// restart lets the next round begin once more, because files have been renamed meanwhile.
func (r *reader) restart() (bool, error) {
	r.begun, r.passed = false, passed{byHead: map[headKey][]record{}}
	return r.retry()
}

// retry reports whether to list the directory again at once, because files have been renamed
// meanwhile.
func (r *reader) retry() (bool, error) {
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
		return at, r.reportGap("mark",
			fmt.Sprintf("%s was truncated; lines after the last one that was read may be missing",
				files[at.index].name))
	}
	return r.d.after(files, m.time()), r.reportGap("mark",
		"the file with the last line that was read is no longer there; lines after it may be missing")
}

// locate finds the file of a mark. It begins with the newest file: if a file has been copied,
// the original is the one that EMQX goes on writing to. It returns an error if the file may
// be one that has been renamed meanwhile.
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
			at, best = place{i, m.off, m}, exact
		case fit == partial && best == foreign:
			if off, err := lineStart(c, min(m.off, files[i].size)); err == nil {
				at, best = place{index: i, off: off}, partial
			}
		}
		c.Close()
	}
	if best == exact {
		return at, best, nil
	}
	if moved == nil && !d.unchanged(files, 0) {
		moved = errMoved
	}
	return at, best, moved
}

// after returns a place behind everything that was written up to a time.
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

// afterIn returns the first line of a file whose time is later than t. If there is none, it
// returns the beginning of the next file.
func (d *Dir) afterIn(files []file, i int, t time.Time) place {
	next := place{index: i + 1}
	c, err := d.open(files[i])
	if err != nil {
		return place{index: i} // reading on says what is wrong with it
	}
	defer c.Close()
	if i == len(files)-1 {
		next = place{index: i}
		if end, err := lineStart(c, files[i].size); err == nil && !files[i].part.gz {
			next.off = end
		}
	}
	to, untold := files[i].size, int64(-1) // where lines without a time begin
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
			next = place{index: i, off: untold}
			return false
		}
		untold = -1
		return true
	})
	return next
}
