package emqxlog

import (
	"strings"
	"time"
)

// MaxEntry bounds a line, and an entry with all of its lines, in bytes.
const MaxEntry = 64 << 10

// Entry is one thing that was logged. Its texts are valid UTF-8.
type Entry struct {
	At time.Time // UTC; zero = it does not say
	// Zoned: the line names the zone of its time. Else At is what the clock on
	// the wall showed there, wherever that was.
	Zoned   bool
	Level   Level             // "" = it does not say, as with what is printed at a start
	Message string            // the first line without time, level and fields
	Fields  map[string]string // e.g. clientid, peername, mfa, pid; nil = none
	Raw     string            // all lines, as they were written
	Cut     bool              // it was longer than MaxEntry
}

// Parse reads a line. A line that begins nothing EMQX writes is an entry
// without time and level.
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

// begins says whether an entry is one that EMQX or Erlang wrote: lines without
// a head may belong to it.
func (e Entry) begins() bool { return e.Level != "" || !e.At.IsZero() }

// clean takes the end of a line away, and what is no UTF-8.
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
