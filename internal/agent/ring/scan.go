package ring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
)

const (
	suffix      = ".seg"
	nameDigits  = 10
	mostNumbers = math.MaxInt32 // an int has 32 bits on ARMv6
)

func (s *segment) name() string { return fmt.Sprintf("%0*d%s", nameDigits, s.number, suffix) }

// numberOf returns the number of a segment's file; false means it is none.
func numberOf(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && len(digits) == nameDigits && n > 0 && n <= mostNumbers
}

// leftover is what earlier runs have left: what held at some moment, what was recorded
// since but for samples, and the time of the last record.
type leftover struct {
	state   json.RawMessage
	records []agentproto.HistoryRecord
	last    time.Time
}

// scan finds the segments that are there, up to the last line of each that was written
// whole.
func (r *Ring) scan() (left leftover, err error) {
	entries, err := fs.ReadDir(r.root.FS(), ".")
	if err != nil {
		return leftover{}, err
	}
	now := r.cfg.Now()
	for _, e := range entries { // in the order of names
		n, ok := numberOf(e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		r.number = n
		// Its age is taken once, and never below zero: a clock may begin anew.
		written := now.Add(-max(now.Sub(info.ModTime()), 0))
		s := &segment{number: n, begun: written, until: written}
		if err := r.scanSegment(s, &left); err != nil {
			return leftover{}, err
		}
		if s.size > 0 {
			r.segments = append(r.segments, s)
			r.cut(s, info.Size())
		} else if err := r.root.Remove(s.name()); err != nil { // nothing in it can be read
			return leftover{}, err
		}
	}
	return left, nil
}

// cut cuts off what was not written whole. Where that fails nobody reads it all the
// same.
func (r *Ring) cut(s *segment, has int64) {
	if has == s.size {
		return
	}
	if f, err := r.root.OpenFile(s.name(), os.O_RDWR, 0); err == nil {
		_ = f.Truncate(s.size)
		_ = f.Close()
	}
}

// scanSegment reads a segment to its last whole line.
func (r *Ring) scanSegment(s *segment, left *leftover) error {
	f, err := r.root.OpenFile(s.name(), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := newLineReader(f); ; {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := checkLine(line)
		if err == nil && left.take(text) {
			s.size = lines.read
		}
	}
}

// take takes up the text of a line, and reports whether it is one of a ring.
func (l *leftover) take(text []byte) bool {
	if isHeader(text) {
		h, err := decodeHeader(text)
		if err == nil && h.State != nil {
			l.state, l.records = bytes.Clone(h.State), nil
		}
		if err == nil && l.last.IsZero() { // its run may have begun with what was lost
			l.last = h.At
		}
		return err == nil
	}
	rec, err := agentproto.DecodeHistory(text)
	if err != nil {
		return false
	}
	if l.last = rec.At; rec.Kind != agentproto.HistorySample {
		l.records = append(l.records, rec)
	}
	return true
}

// resumeLocked goes on writing in the last segment: whoever is started again and
// again fills no disk with files. Where that fails, another one is begun.
func (r *Ring) resumeLocked() {
	if len(r.segments) == 0 {
		return
	}
	s, now := r.segments[len(r.segments)-1], r.cfg.Now()
	if now.Sub(s.until) > r.cfg.Age/byAge || s.size > r.cfg.Size/bySize {
		return
	}
	f, err := r.root.OpenFile(s.name(), os.O_RDWR, 0)
	if err != nil {
		return
	}
	if info, err := f.Stat(); err != nil || info.Size() != s.size || f.Chmod(0o600) != nil {
		_ = f.Close()
		return
	}
	r.file = f
	if r.writeHeaderLocked(now, r.state) != nil {
		r.leaveLocked()
	}
}
