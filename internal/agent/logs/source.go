package logs

import (
	"bytes"
	"errors"
	"math"
	"os"
	"time"
)

// blockSize is how much of a file is read at a time, in bytes. A whole line finds
// place in it.
const blockSize = 128 << 10

// errTruncated: what has been read of a file is no longer what it holds.
var errTruncated = errors.New("the file was truncated")

// raw is a line as it stands in a file.
type raw struct {
	start, end int64 // with its end
	text       []byte
	cut        bool
	tail       []byte // the last bytes before end
}

// source reads the lines of one file. It holds tailSize bytes before the line that is
// under way, so that it sees when the file is no longer the one it was.
type source struct {
	file    file
	content content
	limit   int64  // up to where in the file lines are looked for
	head    []byte // the first bytes; at most headSize
	buf     []byte // a piece of the file
	base    int64  // where buf begins in the file
	line    int    // where the line that is under way begins in buf
	scanned int    // up to where buf holds no end of it
	long    []byte // the beginning of a line that buf has no room for
	start   int64  // where that line begins
	before  uint64 // hash of what is before it
}

func newSource(f file, c content, off int64) (*source, error) {
	head, err := headOf(c)
	if err != nil {
		return nil, err
	}
	s := &source{file: f, content: c, limit: math.MaxInt64, head: head, buf: make([]byte, 0, tailSize+blockSize)}
	return s, s.seek(off)
}

// seek goes to the beginning of a line.
func (s *source) seek(off int64) error {
	s.base = max(0, off-tailSize)
	s.long = nil
	before, err := readAll(s.content, s.buf[:off-s.base], s.base)
	if err != nil {
		return err
	}
	if int64(len(before)) < off-s.base {
		return errTruncated
	}
	s.buf, s.line, s.scanned = before, len(before), len(before)
	return nil
}

// end is up to where the file has been read.
func (s *source) end() int64 { return s.base + int64(len(s.buf)) }

// at is where the line that is under way begins.
func (s *source) at() int64 {
	if s.long != nil {
		return s.start
	}
	return s.base + int64(s.line)
}

// next returns the next line that has an end. Without more it is false. The texts are
// valid until the next call.
func (s *source) next() (raw, bool, error) {
	for {
		if s.long == nil {
			s.skipHole()
		}
		if i := bytes.IndexByte(s.buf[s.scanned:], '\n'); i >= 0 {
			return s.take(s.scanned+i, s.scanned+i+1), true, nil
		}
		s.scanned = len(s.buf)
		if more, err := s.fill(); err != nil || !more {
			return raw{}, false, err
		}
	}
}

// rest returns a last line that has no end, as one of a file that is no longer
// written to.
func (s *source) rest() (raw, bool) {
	if s.long == nil && s.line == len(s.buf) {
		return raw{}, false
	}
	return s.take(len(s.buf), len(s.buf)), true
}

// take ends the line under way at stop; the next one begins at after.
func (s *source) take(stop, after int) raw {
	l := raw{start: s.at(), end: s.base + int64(after), text: s.buf[s.line:stop]}
	if s.long != nil {
		l.text, l.cut, s.long = s.long, true, nil
	}
	if l.text = bytes.TrimSuffix(l.text, []byte("\r")); len(l.text) > MaxLine {
		l.text, l.cut = l.text[:MaxLine], true
	}
	l.tail = s.buf[max(0, after-tailSize):after]
	s.line, s.scanned = after, after
	return l
}

// skipHole leaves out NUL bytes at the beginning of a line: those of a hole, where a
// file was truncated under a writer that goes on at its old place.
func (s *source) skipHole() {
	for s.line < len(s.buf) && s.buf[s.line] == 0 {
		s.line++
	}
	s.scanned = max(s.scanned, s.line)
}

// fill reads on. It is false at the end of the file, or of what is looked at.
func (s *source) fill() (bool, error) {
	s.makeRoom()
	end := s.end()
	was := s.buf[max(0, len(s.buf)-tailSize):]
	room := s.buf[len(s.buf):cap(s.buf)]
	if room = room[:min(int64(len(room)), max(0, s.limit-end))]; len(room) == 0 {
		return false, nil
	}
	got, err := readAll(s.content, room, end)
	if err != nil {
		return false, err
	}
	if err := s.check(was, end); err != nil {
		return false, err
	}
	s.buf = s.buf[:len(s.buf)+len(got)]
	if end == 0 || len(s.head) < headSize && s.end() > int64(len(s.head)) {
		head, err := headOf(s.content)
		if err != nil {
			return false, err
		}
		if end == 0 || bytes.HasPrefix(head, s.head) {
			s.head = head
		}
	}
	return len(got) > 0, nil
}

// check finds out, after a read, whether what was read goes on from what was read
// before: then what is before it still stands there.
func (s *source) check(was []byte, end int64) error {
	if u, ok := s.content.(*unpacked); ok {
		return u.check()
	}
	f, ok := s.content.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < end || !sameBytes(f, was, end-int64(len(was))) {
		return errTruncated
	}
	return nil
}

// makeRoom drops what is no longer needed from buf.
func (s *source) makeRoom() {
	if len(s.buf) < cap(s.buf) && (s.line <= tailSize || len(s.buf) < cap(s.buf)/2) {
		return
	}
	if s.line <= tailSize && len(s.buf) == cap(s.buf) || s.long != nil { // a line that is longer than buf
		if s.long == nil {
			s.start, s.before = s.at(), sum(s.buf[max(0, s.line-tailSize):s.line])
			s.long = append([]byte{}, s.buf[s.line:min(len(s.buf), s.line+MaxLine)]...)
		}
		s.line = len(s.buf)
	}
	drop := max(0, min(s.line, len(s.buf))-tailSize)
	n := copy(s.buf, s.buf[drop:])
	s.buf, s.base = s.buf[:n], s.base+int64(drop)
	s.line -= drop
	s.scanned = max(0, s.scanned-drop)
}

// mark is where the line under way begins, after an entry of that time.
func (s *source) mark(at time.Time) Mark {
	m := s.markAt(s.at(), s.buf[max(0, s.line-tailSize):s.line], at)
	if s.long != nil {
		m.tail = s.before
	}
	return m
}

// markAt is the Mark at a place, before which tail stands.
func (s *source) markAt(off int64, tail []byte, at time.Time) Mark {
	return Mark{off: off, size: len(s.head), head: sum(s.head), tail: sum(tail), at: at.UnixMicro()}
}

func (s *source) close() { s.content.Close() }
