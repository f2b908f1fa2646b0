package logs

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

// MaxTail is the largest number of newest entries that Read returns; a larger Tail means
// MaxTail.
const MaxTail = 100_000

// How many bytes are read at a time in the search for a place.
const (
	backBlock  = 32 << 10
	leastChunk = 256 << 10
	mostChunk  = 4 << 20
	nearEnough = 64 << 10
)

// lineStart returns the last place at or before off at which a line begins.
func lineStart(c content, off int64) (int64, error) {
	block := make([]byte, backBlock)
	for off > 0 {
		from := max(0, off-backBlock)
		got, err := readAll(c, block[:off-from], from)
		if err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(got, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		off = from
	}
	return 0, nil
}

// entryStart returns the place at which the entry of the line at off begins. That is off
// itself if the entry has no first line within reach.
func entryStart(f file, c content, off int64) (int64, error) {
	for back := int64(4 << 10); off > 0; back *= 8 {
		back = min(back, reach, off)
		from, start := max(0, off-back-1), int64(-1)
		err := eachLine(f, c, from, off, func(l raw) bool {
			if from > 0 && l.start == from {
				return true // the end of a line
			}
			if e := emqxlog.Parse(string(l.text)); off-l.start <= reach && (e.Level != "" || !e.At.IsZero()) {
				start = l.start
			}
			return true
		})
		if err != nil || start >= 0 {
			return start, err
		}
		if back >= reach || from == 0 {
			break
		}
	}
	return off, nil
}

// eachLine calls do with the whole lines of a file between two places, until do returns
// false. It reads nothing behind the second place, however long a line or a hole is.
func eachLine(f file, c content, from, to int64, do func(raw) bool) error {
	src, err := newSource(f, c, from)
	if err != nil {
		return err
	}
	src.limit = to
	for {
		l, ok, err := src.next()
		if err != nil || !ok || !do(l) {
			return err
		}
	}
}

// firstTime returns the first time near the beginning of a file.
func (d *Dir) firstTime(f file) (time.Time, bool) {
	c, err := d.open(f)
	if err != nil {
		return time.Time{}, false
	}
	defer c.Close()
	return d.timeFrom(f, c, 0)
}

// timeFrom returns the first time in the lines from a place on.
func (d *Dir) timeFrom(f file, c content, from int64) (at time.Time, ok bool) {
	_ = eachLine(f, c, from, from+reach, func(l raw) bool {
		if e := emqxlog.Parse(string(l.text)); !e.At.IsZero() {
			at, ok = timeOf(e, d.zone), true
		}
		return !ok
	})
	return at, ok
}

// place is where to begin reading: a file of a list, and a line of that file.
type place struct {
	index int
	off   int64
	mark  Mark // what the file must hold before off; the zero Mark means anything
}

// sinceTime returns a place before everything that was written at a time or later.
func (d *Dir) sinceTime(files []file, since time.Time) place {
	early := since.Add(-slack)
	for i := len(files) - 1; i >= 0; i-- {
		first, ok := d.firstTime(files[i])
		if !ok || first.After(early) {
			continue
		}
		c, err := d.open(files[i])
		if err != nil {
			return place{index: i}
		}
		defer c.Close()
		return place{index: i, off: d.sinceIn(files[i], c, early)}
	}
	return place{}
}

// sinceIn returns a line before everything in a file that was written later.
func (d *Dir) sinceIn(f file, c content, early time.Time) int64 {
	if f.part.gz {
		return 0
	}
	low, high := int64(0), f.size
	for high-low > nearEnough {
		middle := low + (high-low)/2
		line, err := lineStart(c, middle)
		if err != nil || line <= low {
			break
		}
		if at, ok := d.timeFrom(f, c, line); ok && at.Before(early) {
			low = line
		} else {
			high = middle
		}
	}
	return low
}

// newest returns a place behind which there are as many selected entries as the query's
// Tail asks for, or all of them if there are fewer.
func (d *Dir) newest(files []file, q Query, stop func() error) (place, error) {
	need := min(q.Tail, MaxTail)
	begin := place{index: len(files)} // if nothing is selected, reading begins at the end
	for i := len(files) - 1; i >= 0 && need > 0; i-- {
		c, err := d.open(files[i])
		switch {
		case errors.Is(err, errMoved):
			return place{}, err
		case err != nil:
			begin = place{index: i} // reading on says what is wrong with it
			continue
		}
		in := &tailScan{d: d, file: files[i], content: c, query: q, need: need, stop: stop}
		err = in.run()
		c.Close()
		if ended := stop(); ended != nil {
			return place{}, ended
		}
		if err != nil {
			begin = place{index: i}
			continue
		}
		if in.any || begin.index == len(files) && in.end > 0 {
			begin = place{index: i, off: in.begin}
		}
		if need = in.need; in.past {
			break
		}
	}
	if begin.index == len(files) {
		return place{}, nil // all files are empty
	}
	return begin, nil
}

// tailScan reads a file from its end.
type tailScan struct {
	d       *Dir
	file    file
	content content
	query   Query
	need    int
	stop    func() error

	begin int64 // where the first selected entry begins; without one, the last entry
	end   int64 // of the last whole line
	any   bool  // an entry is selected
	past  bool  // everything before is too old
}

func (t *tailScan) run() error {
	if t.file.part.gz {
		t.end = 1
		_, err := t.chunk(0, math.MaxInt64)
		return err
	}
	size := t.file.size
	if f, ok := t.content.(io.Seeker); ok {
		var err error
		if size, err = f.Seek(0, io.SeekEnd); err != nil {
			return err
		}
	}
	end, err := lineStart(t.content, size)
	if err != nil {
		return err
	}
	t.end = end
	if t.begin, err = t.lastEntry(end); err != nil {
		return err
	}
	for length := int64(leastChunk); end > 0 && t.need > 0 && !t.past; length = min(2*length, mostChunk) {
		from, err := lineStart(t.content, max(0, end-length))
		if err == nil {
			from, err = entryStart(t.file, t.content, from)
		}
		if err != nil {
			return err
		}
		if t.past, err = t.chunk(from, end); err != nil {
			return err
		}
		end = from
	}
	return nil
}

// lastEntry returns where the entry of the last whole line begins.
func (t *tailScan) lastEntry(end int64) (int64, error) {
	if end == 0 {
		return 0, nil
	}
	line, err := lineStart(t.content, end-1)
	if err != nil {
		return 0, err
	}
	return entryStart(t.file, t.content, line)
}

// chunk counts the selected entries between two places. It reports whether the first place
// is before everything that can be selected.
func (t *tailScan) chunk(from, to int64) (past bool, err error) {
	starts := make([]int64, 0, min(t.need, 1024)) // a ring of the last ones
	n, last := 0, int64(-1)
	var first time.Time
	s := newFilter(t.query, t.d.zone, from, time.Time{}, func() time.Time { return t.d.leadTime(t.file, t.content) })
	emit := func(l found) error {
		if l.entry == last {
			return nil
		}
		last = l.entry
		if len(starts) < t.need {
			starts = append(starts, l.entry)
		} else {
			starts[n%t.need] = l.entry
		}
		n++
		return nil
	}
	lines := 0
	var failed error
	err = eachLine(t.file, t.content, from, to, func(l raw) bool {
		if lines++; lines%1024 == 0 {
			failed = t.stop()
		}
		_ = s.add(l, emit) // emit does not fail
		if first.IsZero() {
			first = s.at
		}
		return failed == nil && !s.over
	})
	if err != nil || failed != nil {
		return false, err
	}
	if n > 0 {
		t.begin, t.any = starts[0], true
		if n > t.need {
			t.begin = starts[n%t.need]
		}
		t.need -= min(n, t.need)
	}
	return first.Before(t.query.Since.Add(-slack)), nil
}

// leadTime returns the time of the lines at the head of a file that have none.
func (d *Dir) leadTime(f file, c content) time.Time {
	if at, ok := d.timeFrom(f, c, 0); ok {
		return at
	}
	return f.mod.UTC().Truncate(time.Microsecond)
}
