package logs

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/internal/emqxlog"
)

const (
	// reach is how far behind the first line of an entry its other lines are, at most,
	// in bytes. Farther ones are entries of their own, so that the beginning of an entry
	// is found without reading a whole file.
	reach = 256 << 10
	// slack is how far times may be out of order: many processes write lines, a moment
	// after the time that stands in them.
	slack = time.Minute
)

// decision is whether an entry is selected.
type decision int

const (
	undecided decision = iota // its lines so far do not contain the text
	wanted
	unwanted
)

// found is a line that the query selects.
type found struct {
	raw

	at    time.Time
	entry int64 // where its entry begins
}

// filter joins the lines of one file to entries and selects those that a query asks for.
type filter struct {
	query Query // its Text in lower case
	zone  *time.Location
	lead  func() time.Time // the time of lines before any time
	from  int64            // earlier lines are not selected, but they may begin an entry that goes on here
	at    time.Time        // of the line before
	over  bool             // nothing more can be selected

	entry    int64 // where the entry under way begins
	begins   bool  // it has a first line with a time or level
	decision decision
	held     []found // of an undecided entry
	text     []byte  // theirs, in lower case
}

// newFilter returns the filter of a file from a place on. The line before had the time at.
func newFilter(q Query, zone *time.Location, from int64, at time.Time, lead func() time.Time) *filter {
	q.Text = strings.ToLower(q.Text)
	return &filter{query: q, zone: zone, from: from, at: at, lead: lead}
}

// add takes the next line of the file and calls emit for the lines that are now known to
// be selected. They are valid as long as l is.
func (s *filter) add(l raw, emit func(found) error) error {
	e := emqxlog.Parse(string(l.text))
	begins := e.Level != "" || !e.At.IsZero()
	s.date(e)
	if begins || !s.begins || l.start-s.entry > reach {
		s.start(l.start, begins, e.Level)
	}
	if s.decision == undecided {
		s.search(e.Raw)
	}
	line := found{l, s.at, s.entry}
	switch s.decision {
	case wanted:
	case unwanted:
		s.held = nil
		return nil
	case undecided:
		line.text, line.tail = slices.Clone(l.text), slices.Clone(l.tail)
		s.held = append(s.held, line)
		return nil
	}
	for _, h := range append(s.held, line) {
		if h.start >= s.from {
			if err := emit(h); err != nil {
				return err
			}
		}
	}
	s.held = nil
	return nil
}

// date sets the time of a line.
func (s *filter) date(e emqxlog.Entry) {
	switch {
	case !e.At.IsZero():
		s.at = timeOf(e, s.zone)
	case s.at.IsZero():
		s.at = s.lead()
	}
}

// timeOf returns the time of an entry that has one.
func timeOf(e emqxlog.Entry, zone *time.Location) time.Time {
	t := e.At
	if !e.Zoned {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone).UTC()
	}
	return t.Truncate(time.Microsecond)
}

// start begins an entry.
func (s *filter) start(at int64, begins bool, level emqxlog.Level) {
	s.entry, s.begins, s.held, s.text = at, begins, nil, s.text[:0]
	q := s.query
	switch {
	case !q.Until.IsZero() && !s.at.Before(q.Until):
		s.decision = unwanted
		s.over = s.over || begins && s.at.After(q.Until.Add(slack))
	case s.at.Before(q.Since) || !level.AtLeast(q.Level):
		s.decision = unwanted
	case q.Text == "":
		s.decision = wanted
	default:
		s.decision = undecided
	}
}

// search looks for the text in the next line of an entry. Like the entry, what is
// searched is bounded.
func (s *filter) search(line string) {
	before := len(s.text)
	if before > 0 {
		s.text = append(s.text, '\n')
	}
	s.text = append(s.text, strings.ToLower(line)...)
	switch {
	case bytes.Contains(s.text[max(0, before-len(s.query.Text)):], []byte(s.query.Text)):
		s.decision = wanted
	case len(s.text) > emqxlog.MaxEntry:
		s.decision = unwanted
	}
}
