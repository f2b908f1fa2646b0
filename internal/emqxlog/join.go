package emqxlog

import "strings"

// Joiner puts together the lines that belong to one entry: a stack trace or a
// crash report has lines without a head. The zero value is ready.
type Joiner struct {
	entry   Entry
	pending bool
	raw     strings.Builder // of entry, while it grows
}

// Add takes the next line and gives the entry that it ends, if there is one.
// near says that the line was written together with the one before it, as far
// as is known: what the machine prints between entries, as at a start, is then
// told from what belongs to them.
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

// Flush gives the entry that is under way: nothing more belongs to it.
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

// Pending says whether an entry is under way.
func (j *Joiner) Pending() bool { return j.pending }

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

// indented lines go on with what stands above them wherever they are.
func indented(line string) bool { return line != "" && strings.ContainsRune(" \t", rune(line[0])) }
