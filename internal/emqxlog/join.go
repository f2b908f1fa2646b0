package emqxlog

import "strings"

// Joiner joins the lines that belong to one entry: the lines of stack traces and crash
// reports have no head. The zero value is ready to use.
type Joiner struct {
	entry   Entry
	pending bool
	raw     strings.Builder // of entry, while it grows
}

// Add adds the next line and returns the entry that it ends, if any. near says that the
// line was written together with the one before it, as far as is known. That distinguishes
// the lines of an entry from lines that are printed between entries, e.g. during a start.
func (j *Joiner) Add(line string, near bool) (Entry, bool) {
	next := Parse(line)
	if j.pending && !next.begins() && j.entry.begins() && (near || indented(next.Raw)) {
		j.append(next)
		return Entry{}, false
	}
	done, ok := j.Flush()
	j.entry, j.pending = next, true
	return done, ok
}

// Flush returns the last entry, which gets no more lines.
func (j *Joiner) Flush() (Entry, bool) {
	if !j.pending {
		return Entry{}, false
	}
	e := j.entry
	if j.raw.Len() > 0 {
		e.Raw = j.raw.String()
	}
	j.entry, j.pending, j.raw = Entry{}, false, strings.Builder{}
	return e, true
}

func (j *Joiner) append(next Entry) {
	if j.raw.Len() == 0 {
		j.raw.WriteString(j.entry.Raw)
	}
	room := MaxEntry - j.raw.Len() - 1
	if j.entry.Cut = j.entry.Cut || next.Cut || room < len(next.Raw); room < 0 {
		return
	}
	text, _ := clip(next.Raw, room)
	j.raw.WriteString("\n" + text)
}

// indented reports whether a line continues the one above it, because it is indented.
func indented(line string) bool { return line != "" && strings.ContainsRune(" \t", rune(line[0])) }
