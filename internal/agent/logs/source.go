package logs

import (
	"bytes"
	"errors"
	"math"
	"os"
	"time"
)

// blockSize is how many bytes of a file are read at a time. A whole line fits in it.
const blockSize = 128 << 10

// errTruncated means that a file no longer holds what was read from it.
var errTruncated = errors.New("the file was truncated")

// raw is a line as it stands in a file.
type raw struct {
	start, end int64 // with its end
	text       []byte
	cut        bool
	tail       []byte // the last bytes before end
}

// source reads the lines of one file. It keeps tailSize bytes before the current line, so
// that it notices when the content of the file has changed.
type source struct {
	file    file
	content content
	limit   int64  // where reading ends
	head    []byte // the first bytes; at most headSize
	buf     []byte // a piece of the file
	base    int64  // where buf begins in the file
	line    int    // where the current line begins in buf
	scanned int    // up to here buf holds no end of it
	long    []byte // the beginning of a line that is longer than buf
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

// end returns the place up to which the file has been read.
func (s *source) end() int64 { return s.base + int64(len(s.buf)) }

// at returns where the current line begins.
func (s *source) at() int64 {
	if s.long != nil {
		return s.start
	}
	return s.base + int64(s.line)
}

// next returns the next line that has an end, and reports whether there is one. Its texts
// are valid until the next call.
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

// rest returns a last line without an end, as a file may have that is no longer written to.
func (s *source) rest() (raw, bool) {
	if s.long == nil && s.line == len(s.buf) {
		return raw{}, false
	}
	return s.take(len(s.buf), len(s.buf)), true
}

// take returns the current line, which ends at stop; the next one begins at after.
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

// skipHole skips NUL bytes at the beginning of a line. They are a hole, which a file has if
// it was truncated while its writer goes on at the old place.
func (s *source) skipHole() {
	for s.line < len(s.buf) && s.buf[s.line] == 0 {
		s.line++
	}
	s.scanned = max(s.scanned, s.line)
}

// fill reads the next block. It reports false at the end of the file, or at the limit.
func (s *source) fill() (bool, error) {
	s.makeRoom()
	end := s.end()
	was := s.buf[max(0, len(s.buf)-tailSize):]
	at := end - int64(len(was))
	room := s.buf[len(s.buf):cap(s.buf)]
	if room = room[:min(int64(len(room)), max(0, s.limit-end))]; len(room) == 0 {
		return false, nil
	}
	got, err := readAll(s.content, room, end)
	if err != nil {
		return false, err
	}
	if len(was) == 0 { // a block may be read in pieces, and the file truncated between them
		was = got[:min(len(got), tailSize)]
	}
	if err := s.check(was, at); err != nil {
		return false, err
	}
	if end == 0 && !bytes.HasPrefix(got, s.head[:min(len(s.head), len(room))]) {
		return false, errTruncated
	}
	s.buf = s.buf[:len(s.buf)+len(got)]
	if s.base == 0 && len(s.head) < headSize {
		s.head = bytes.Clone(s.buf[:min(len(s.buf), headSize)])
	}
	return len(got) > 0, nil
}

// check returns an error if what was read at a place has changed since: what was read after it
// is then no continuation of it.
func (s *source) check(was []byte, at int64) error {
	switch c := s.content.(type) {
	case *unpacked:
		return c.check()
	case *os.File:
		if !sameBytes(c, was, at) {
			return errTruncated
		}
	}
	return nil
}

// makeRoom drops from buf what is no longer needed.
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

// mark returns the place where the current line begins, after an entry of the given time.
func (s *source) mark(at time.Time) Mark {
	m := s.markAt(s.at(), s.buf[max(0, s.line-tailSize):s.line], at)
	if s.long != nil {
		m.tail = s.before
	}
	return m
}

// markAt returns the Mark of a place that follows the bytes of tail.
func (s *source) markAt(off int64, tail []byte, at time.Time) Mark {
	return Mark{off: off, size: len(s.head), head: sum(s.head), tail: sum(tail), at: at.UnixMicro()}
}

func (s *source) close() { s.content.Close() }
