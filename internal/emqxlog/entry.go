package emqxlog

import (
	"strings"
	"time"
)

// MaxEntry is the largest size of a line, and of an entry with all of its lines, in bytes.
const MaxEntry = 64 << 10

// Entry is a log entry. Its texts are valid UTF-8.
type Entry struct {
	At time.Time // UTC; zero if the line has no time
	// Zoned says that the line has a time zone. Otherwise At is local time in an unknown
	// zone, shown as UTC.
	Zoned   bool
	Level   Level             // empty if the line has none, as lines written during a start
	Message string            // the first line without time, level and fields
	Fields  map[string]string // e.g. clientid, peername, mfa, pid; nil if there are none
	Raw     string            // all lines as they were written
	Cut     bool              // it was longer than MaxEntry and was truncated
}

// Parse reads a line. A line that is not the head of an entry becomes an entry without time
// and level.
func Parse(line string) Entry {
	line, cut := clip(clean(line), MaxEntry)
	e, ok := parseJSON(line)
	if !ok {
		e, ok = parseText(line)
	}
	if !ok {
		e, ok = parseShutdown(line)
	}
	if !ok {
		e, ok = readReport(line)
	}
	if !ok {
		e = Entry{Message: line}
	}
	e.Raw, e.Cut = line, cut
	return e
}

// begins reports whether EMQX or Erlang wrote the entry, so that lines without a head may
// belong to it.
func (e Entry) begins() bool { return e.Level != "" || !e.At.IsZero() }

// clean removes the end of a line and invalid UTF-8.
func clean(line string) string { return strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "\uFFFD") }

// clip cuts a text between two characters.
func clip(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most], true
}
